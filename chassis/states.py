"""State machines as tables: from (state, verb) to the next state, and what entering a state does."""

import enum
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol, TypeVar

from chassis.command import Transaction
from chassis.errors import EtagMismatch, WrongState

State = TypeVar("State", bound=enum.StrEnum)
CovariantState = TypeVar("CovariantState", bound=enum.StrEnum, covariant=True)
Verb = TypeVar("Verb", bound=enum.StrEnum)
Changed = TypeVar("Changed")


class Resource(Protocol):
    """A record with a name and a revision."""

    @property
    def name(self) -> str:
        """Its resource name."""
        ...

    @property
    def revision(self) -> int:
        """Rises with every change; its text is the etag."""
        ...


class StatefulResource(Resource, Protocol[CovariantState]):
    """A resource that has a state."""

    @property
    def state(self) -> CovariantState:
        """Where it stands."""
        ...


def moved(transitions: Mapping[tuple[State, Verb], State], resource: StatefulResource[State], verb: Verb) -> State:
    """Returns the state after a verb. Raises WrongState if the table doesn't have the pair."""
    following = transitions.get((resource.state, verb))
    if following is None:
        raise WrongState(resource=resource.name, state=resource.state.value)
    return following


# A resource in a state, as a frozen record.
Record = TypeVar("Record", bound=Any)
Effect = Callable[[Transaction, Record], None]


def enter(
    transaction: Transaction,
    before: Record,
    path: Sequence[Record],
    entering: Mapping[Any, Effect[Record]],
    save: Callable[[Transaction, Record], Record],
) -> Record:
    """Takes a resource through the states of a path and returns it as it was saved last.

    A state that differs from the one before has its effect from `entering` first: on the way from COLLECTING over SWEPT
    to CONFIRMED, that of SWEPT, then the row, that of CONFIRMED, then the row. Raises what they raise.
    """
    for following in path:
        if following.state is not before.state and (effect := entering.get(following.state)):
            effect(transaction, following)
        before = save(transaction, replace(following, revision=before.revision))
    return before


def after(transitions: Mapping[tuple[Any, Any], Any], record: Changed, verb: Any, **changes: Any) -> Changed:
    """Returns the record after a verb, with what else it changes. Raises WrongState if the table doesn't have the pair.

    `after(TRANSITIONS, offer, Verb.RETURN, note="…")`: the offer, returned, with its note.
    """
    resource: Any = record
    changed: Changed = replace(resource, state=moved(transitions, resource, verb), **changes)
    return changed


def check_etag(etag: str, resource: Resource) -> None:
    """Raises EtagMismatch unless the caller's etag is empty or the present one."""
    if etag and etag != str(resource.revision):
        raise EtagMismatch(resource=resource.name)


def diagram(transitions: Mapping[tuple[State, Verb], State]) -> str:
    """The table as a Mermaid state diagram."""
    edges = [f"    {before} --> {after}: {verb}" for (before, verb), after in transitions.items()]
    return "\n".join(["stateDiagram-v2", *edges])
