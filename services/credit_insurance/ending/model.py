"""The end of a policy or a buyer limit with its last day."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Undertaking:
    """A policy or a buyer limit, as far as its end goes."""

    id: str
    insurer: str
    enterprise: str


def tenants(undertakings: Sequence[Undertaking]) -> list[str]:
    """Returns the insurers and enterprises that are told of an end, each once."""
    parties = (party for undertaking in undertakings for party in (undertaking.insurer, undertaking.enterprise))
    return list(dict.fromkeys(parties))
