"""Explain: how the fields of a resource came about, told to those who may read the resource."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from aval.type.v1 import derivation_pb2 as pb
from google.protobuf.message import Message

from chassis import identity, rpc
from chassis.contracts import contract
from chassis.errors import NotFound
from chassis.service import Read, Reading
from trade.derivations import rpc as derivations_rpc
from trade.derivations import store, text
from trade.derivations.rules import Rules
from trade.derivations.store import Entry, Present, Stored

# Gives a resource as the caller sees it, by its name. Raises NotFound, or as the resource's own read.
See = Callable[[Reading, str], Message]
# Derives of a resource what is asked for and stands nowhere.
OnRequest = Callable[[Reading, str], Iterable[Entry]]


def by_method(service: str, method: str, read: Read) -> See:
    """Returns the way in which a service's own method shows a resource, to those to whom the method is open."""

    def see(reading: Reading, name: str) -> Message:
        identity.policy_of(contract(service).method(method)).check(reading.caller)
        return read(reading, contract(service).request(method)(name=name))

    return see


@dataclass(frozen=True, slots=True, kw_only=True)
class Explaining:
    """How a service explains: its rules, how it shows its resources, what it derives on request, by collection.

    `present` tells what fields are now, for the proof of the rows. Fields `beside` the resource's message are told to
    everybody who may read it; any other where the message shows it.
    """

    rules: Rules
    seen: Mapping[str, See]
    on_request: Mapping[str, OnRequest] = field(default_factory=dict)
    present: Mapping[str, Present] = field(default_factory=dict)
    beside: frozenset[str] = frozenset()

    def read(self, reading: Reading, request: pb.ExplainRequest) -> pb.ExplainResponse:
        """Returns how the fields of a resource came about that the caller is shown. Raises NotFound."""
        see = self.seen.get(_collection(request.name))
        if see is None:
            raise NotFound(resource=request.name)
        message = see(reading, request.name)
        explanations = [
            explanation
            for explanation in self.explanations(reading, request.name, request.field)
            if explanation.field in self.beside or is_shown(message, explanation.field)
        ]
        return pb.ExplainResponse(explanations=explanations)

    def explanations(self, reading: Reading, name: str, field: str) -> Iterator[pb.Explanation]:
        """Yields how the fields of a resource came about, whoever is shown them: for the platform's operator.

        By field; what is derived on request first, then what stands, the newest first.
        """
        listed = [*self._on_request(reading, name, field), *store.load(reading.connection, name, field)]
        for stored in sorted(listed, key=lambda stored: stored.field):
            yield self._explanation(stored, reading.caller.language)

    def _on_request(self, reading: Reading, name: str, field: str) -> Iterator[Stored]:
        derive = self.on_request.get(_collection(name), _nothing)
        for entry in derive(reading, name):
            if store.is_within(entry.field, field):
                yield _on_request(reading, entry)

    def _explanation(self, stored: Stored, language: str) -> pb.Explanation:
        explanation = pb.Explanation(
            field=stored.field,
            number=stored.number,
            derivation=derivations_rpc.to_proto(stored.derivation),
            text="\n".join(text.lines(stored.derivation, self.rules, language)),
            business_date=rpc.date(stored.business_date),
        )
        explanation.create_time.FromMicroseconds(stored.create_us)
        return explanation

    def violations(self, connection: sa.Connection) -> Iterator[str]:
        """Yields where stored derivations don't hold."""
        yield from store.violations(connection, self.rules, self.present)


def _collection(name: str) -> str:
    return name.rpartition("/")[0]


def _nothing(_reading: Reading, _name: str) -> Iterable[Entry]:
    return ()


def _on_request(reading: Reading, entry: Entry) -> Stored:
    return Stored(
        resource=entry.resource,
        field=entry.field,
        number=0,
        derivation=entry.derivation,
        business_date=reading.business_date,
        create_us=reading.now_us,
    )


def is_shown(message: Any, path: str) -> bool:
    """Whether a message shows the field of a path: value.margin where value is set and margin in it.

    Of parts[declarations/1].amount it is the list that is looked at.
    """
    for name in path.split("."):
        name, _, is_member = name.partition("[")
        if name not in message.DESCRIPTOR.fields_by_name:
            return False
        value = getattr(message, name)
        is_set = message.HasField(name) if _has_presence(message, name) else bool(value)
        if is_member or not is_set:
            return is_set
        message = value
    return True


def _has_presence(message: Any, name: str) -> bool:
    return bool(message.DESCRIPTOR.fields_by_name[name].has_presence)
