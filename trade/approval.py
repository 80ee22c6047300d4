"""Maker and checker: one person prepares a decision, another approves exactly what was prepared. Pure rules."""

from collections.abc import Mapping
from typing import Any, Protocol, TypeVar

from chassis.errors import SamePerson
from chassis.states import Resource, after, check_etag


class Prepared(Resource, Protocol):
    """A record with a decision that a person prepared."""

    @property
    def maker(self) -> str:
        """Returns the principal that prepared the decision, empty where nobody has."""
        ...

    @property
    def checker(self) -> str:
        """Returns the principal that approved it, empty until then."""
        ...


Record = TypeVar("Record", bound=Prepared)
Transitions = Mapping[tuple[Any, Any], Any]


def check_another(maker: str, checker: str) -> None:
    """Raises SamePerson where the checker of a decision is its maker."""
    if maker == checker:
        raise SamePerson


def prepared(transitions: Transitions, record: Record, verb: Any, *, etag: str, maker: str, **decision: Any) -> Record:
    """Returns the record with a decision that a maker prepares on what it last saw. Raises EtagMismatch, WrongState.

    A limit that was requested, decided by m with an amount: pending approval, that amount, maker m, no checker.
    """
    check_etag(etag, record)
    return after(transitions, record, verb, maker=maker, checker="", **decision)


def approved(transitions: Transitions, record: Record, verb: Any, *, etag: str, checker: str) -> Record:
    """Returns the record with its decision approved by another person, who saw it as it is.

    Raises EtagMismatch, WrongState, SamePerson. Made by m and approved by c: in force, checker c; by m: SamePerson.
    """
    check_etag(etag, record)
    decided = after(transitions, record, verb, checker=checker)
    check_another(record.maker, checker)
    return decided
