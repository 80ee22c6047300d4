"""The reason that a freeze gives to those who would use a frozen asset."""

from collections.abc import Sequence

from aval.declarations.v1 import declarations_pb2

from chassis.errors import Problem
from chassis.rpc import problem

ASSET_FROZEN = Problem(
    "asset",
    "ASSET_FROZEN",
    "The asset is frozen while a breach or a hold on it is open; wait until that is cured or lifted.",
    "该资产因违约或扣留处于冻结状态；请等待解除。",
)


def reasons(causes: Sequence[str]) -> list[Problem]:
    """Returns why nothing new may stand on an asset that these causes freeze."""
    return [ASSET_FROZEN] if causes else []


def add_to(eligibility: declarations_pb2.Eligibility, causes: Sequence[str], language: str) -> None:
    """Adds to a verdict that the asset is frozen."""
    if causes:
        eligibility.verdict = declarations_pb2.Eligibility.NOT_ELIGIBLE
        eligibility.reasons.extend(problem(reason, language) for reason in reasons(causes))
