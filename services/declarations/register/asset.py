"""An asset as the register knows it: its name, its owner, its value, and the hindrances to using it."""

import enum
from dataclasses import dataclass
from typing import NamedTuple

from chassis.errors import Problem
from chassis.money import Money

FINAL = "FINAL"

CONDITIONAL = "CONDITIONAL"

NOT_ELIGIBLE = "NOT_ELIGIBLE"

# From the least to the most that finance may do.
VERDICTS = (NOT_ELIGIBLE, CONDITIONAL, FINAL)


class AssetClass(enum.StrEnum):
    """The classes of encumbrance; names of the proto's enum."""

    RECEIVABLE = "RECEIVABLE"
    INSURANCE = "INSURANCE"


@dataclass(frozen=True, slots=True)
class Asset:
    """Something whose value may be encumbered: its value now, and what finance may do with it.

    `value` is zero once it counts no more. `verdict` is a name of Eligibility.Verdict, `reasons` are the problems that
    hold it back, `status` is a word for the message.
    """

    name: str
    enterprise: str
    value: Money
    verdict: str
    reasons: tuple[Problem, ...] = ()
    status: str = ""
    # Only this institution may hold it, if any is meant.
    holder: str = ""
    # The order or credit that it is shipped under (its name), registered or not; "" under none.
    order: str = ""

    @property
    def collection(self) -> str:
        """Returns the kind of asset: declarations, pools, preShipments or rebates."""
        return collection(self.name)


def collection(name: str) -> str:
    """Returns the collection in a resource name.

    `pools/7` gives `pools`.
    """
    return name.partition("/")[0]


class Hindrance(NamedTuple):
    """The most that a record beside a declaration lets finance do with it, and why."""

    at_most: str
    problem: Problem
