"""What a service is: every service is the same service with another model."""

import datetime
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from aval.events.v1 import events_pb2
from google.protobuf.empty_pb2 import Empty
from google.protobuf.message import Message

from chassis import business_date
from chassis.command import BatchRun, Names, Operation, Run, Transaction, as_it_came, by_name, has_nothing_personal
from chassis.contracts import Contract, contract
from chassis.identity import Caller
from chassis.inbox import Reactions
from chassis.jobs import Job
from chassis.keyring import NO_KEYS, KeyRing
from chassis.looks import Look
from chassis.tasks import Saga

WATCH = "Watch"
UPLOAD_BLOB, GET_BLOB = "UploadBlob", "GetBlob"
# Methods that the chassis serves where a contract has them.
BLOB_METHODS = frozenset({UPLOAD_BLOB, GET_BLOB})


@dataclass(frozen=True, slots=True)
class Reading:
    """What a read has at hand: a consistent snapshot."""

    connection: sa.Connection
    caller: Caller
    now_us: int
    # What the store's personal data is sealed with.
    keys: KeyRing = NO_KEYS
    # What it has to write down: committed after the snapshot is left and before the answer is given.
    notes: list[Any] = field(default_factory=list)
    # What was written down lately, where a look that is repeated is the same look: in streams.
    look: Look | None = None
    # The business date of the service that asks, where it gives one.
    caller_date: datetime.date | None = None

    def is_fresh(self, key: Hashable) -> bool:
        """Whether the caller hasn't been shown lately what the key stands for, so that it has to be written down."""
        return self.look is None or self.look.is_fresh(key)

    @property
    def business_date(self) -> datetime.date:
        """Returns the business date as of the snapshot, agreed with the caller's. Raises BusinessDateAhead."""
        return business_date.agreed(business_date.present(self.connection, self.now_us), self.caller_date)


Read = Callable[[Reading, Any], Message]
Note = Callable[[Sequence[tuple[Transaction, Sequence[Any]]]], None]
Check = Callable[[sa.Connection], Sequence[str]]


@dataclass(frozen=True, slots=True)
class Command:
    """A mutating method's function: one at a time, or in batches; and the names of what it changes, to be locked.

    A request that says `name` changes that; one that doesn't changes nothing that stands, unless `names` tells it.
    `prepare` does what needs no store, on a thread of its own, before the writer's turn. `is_personal` says of an
    answer whether it may quote personal data.
    """

    run: Run | None = None
    run_batch: BatchRun | None = None
    names: Names = by_name
    keeps_requests: bool = True
    prepare: Callable[[Any], Any] = as_it_came
    is_personal: Callable[[Any], bool] = has_nothing_personal


@dataclass(frozen=True)
class Book:
    """The totals of one book in one currency."""

    book: str
    currency: str
    debits: int
    credits: int


def _all(_reading: Reading, events: Sequence[events_pb2.Event]) -> Sequence[events_pb2.Event]:
    return events


@dataclass(frozen=True)
class Service:
    """A service as data: its contract and the functions behind it.

    `commands` and `reads` name the methods of the descriptor; `streams` maps a stream to the batch
    method whose stream form it is; Watch is the chassis' own, and so are UploadBlob and GetBlob where the
    contract has them. `migrations` are the folders of its
    schema's branches. `sweeps` do what is due by the clock alone, a batch at a time, and say whether
    there was any; `derivations` are sweeps that only keep up what follows from other rows, without events
    and tasks: on PostgreSQL they run beside the writer. `prepare` makes the rows an empty store needs.
    `visible` gives of a tenant's events those that an outsider may see now, each with no more in it than
    that.
    """

    name: str
    migrations: Sequence[str]
    commands: Mapping[str, Command]
    reads: Mapping[str, Read]
    streams: Mapping[str, str] = field(default_factory=dict)
    sagas: Mapping[str, Saga] = field(default_factory=dict)
    # By source: the reactions to its events, by their type.
    subscriptions: Mapping[str, Reactions] = field(default_factory=dict)
    # Writes the notes of reads down, those of several callers as one step.
    note: Note | None = None
    # The tables of sealed values, whose rows a rotation of the keys seals anew.
    sealed: Sequence[sa.Table] = ()
    sweeps: Sequence[Callable[[Transaction], bool]] = ()
    derivations: Sequence[Callable[[Transaction], bool]] = ()
    # What the end of a business date does, one after the other: the date isn't closed before.
    jobs: Sequence[Job] = ()
    prepare: Sequence[Callable[[sa.Connection], None]] = ()
    violations: Check = lambda _connection: ()
    books: Callable[[sa.Connection], Sequence[Book]] = lambda _connection: ()
    ledger_head: Callable[[sa.Connection], tuple[int, bytes] | None] = lambda _connection: None
    visible: Callable[[Reading, Sequence[events_pb2.Event]], Sequence[events_pb2.Event]] = _all

    def __post_init__(self) -> None:
        """Each method of the contract is served, by one function, and nothing else is."""
        declared = {method.name for method in self.contract.descriptor.methods}
        served = {*self.commands, *self.reads, *self.streams, WATCH, *(BLOB_METHODS & declared)}
        if served != declared:
            raise ValueError(f"{self.name} serves {sorted(served ^ declared)} against its contract")

    @property
    def contract(self) -> Contract:
        """The service's contract."""
        return contract(self.name)

    def noting(self) -> Operation:
        """The internal command that writes notes down; the request is the notes."""

        def write(work: Sequence[tuple[Transaction, Any]]) -> Sequence[Message]:
            assert self.note is not None, f"{self.name} leaves notes that nobody writes down"
            self.note(work)
            return [Empty()] * len(work)

        return Operation("note", Empty, run_batch=write, keeps_requests=False)

    def operation(self, name: str) -> Operation:
        """The operation behind a mutating method."""
        command, method = self.commands[name], self.contract.method(name)
        return Operation(
            method=method.full_name,
            response=self.contract.response(name),
            run=command.run,
            run_batch=command.run_batch,
            names=command.names,
            keeps_requests=command.keeps_requests,
            prepare=command.prepare,
            is_personal=command.is_personal,
        )
