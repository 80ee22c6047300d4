"""Reservations under the caller's own id: the same again gets the same answer, another under that id is refused.

The caller names the id before it has an answer. So a call whose answer was lost is made again, and what perhaps never
came is given back: that leaves a tombstone, a reservation given back from the start, which refuses the late call.
"""

import enum
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from chassis.errors import DomainError, NotFound


class Reservation(Protocol):
    """A record under its holder's id."""

    @property
    def name(self) -> str:
        """Returns its resource name."""
        ...

    @property
    def bank(self) -> str:
        """Returns the tenant that holds it."""
        ...

    @property
    def state(self) -> enum.StrEnum:
        """Returns its state."""
        ...


Record = TypeVar("Record", bound=Reservation)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reservations:
    """The answers of a noun to a call about an id that it has.

    given_back: the state in which nothing is held any more; over, taken: the refusals of a late call and of other
    content under the id, which call the reservation by `noun`.
    """

    noun: str
    given_back: enum.StrEnum
    over: type[DomainError]
    taken: type[DomainError]

    def same(self, standing: Record, holder: str, **content: Any) -> Record:
        """Returns the reservation that stands under an id, if its holder asks for the same content again.

        Raises `over` where the holder has given it back, `taken` otherwise. USD 5.00 for loans/1 stands: asked for
        again it is the answer; USD 6.00, or another holder's USD 5.00, is refused as taken.
        """
        is_holders = standing.bank == holder
        if is_holders and standing.state is self.given_back:
            raise self._refusal(self.over, standing)
        if not is_holders or any(getattr(standing, field) != value for field, value in content.items()):
            raise self._refusal(self.taken, standing)
        return standing

    def is_given_back(self, standing: Reservation, holder: str) -> bool:
        """Returns whether nothing is left to give back of the holder's reservation.

        Raises NotFound for any other tenant.
        """
        if standing.bank != holder:
            raise NotFound(resource=standing.name)
        return standing.state is self.given_back

    def _refusal(self, refusal: type[DomainError], standing: Reservation) -> DomainError:
        name: dict[str, Any] = {self.noun: standing.name}
        return refusal(**name)
