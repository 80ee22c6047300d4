"""A simulated service: its store in memory, whose process may die before a commit, and what it has in the air."""

import contextlib
import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import sqlalchemy as sa
from google.protobuf.message import Message

from chassis import identity, keyring, migrations, tasks
from chassis.clock import Clock
from chassis.command import Operation, Submission
from chassis.database import Database
from chassis.errors import DomainError
from chassis.ids import RandomBytes
from chassis.jobs import Closing
from chassis.service import Service

START_US = 1_767_225_600_000_000
# Of a seed of its own: what is sealed has no part in the story.
_SEALING = random.Random(0)  # noqa: S311
KEYS = keyring.KeyRing(keyring.generate(_SEALING.randbytes, START_US), _SEALING.randbytes)

Reply = Callable[[Message | DomainError], None]


class Crash(BaseException):
    """The process died before its commit: no error that the writer could outlive."""


class CrashingDatabase(Database):
    """A store whose next commit may never happen."""

    crash_next = False

    @contextlib.contextmanager
    def write(self) -> Iterator[sa.Connection]:
        """As the store's, but for the crash."""
        with super().write() as connection:
            yield connection
            if self.crash_next:
                self.crash_next = False
                raise Crash


@dataclass
class Node:
    """A service with its store, what waits for its next commit, and the tasks it has in the air."""

    service: Service
    store: CrashingDatabase
    policies: Mapping[str, identity.Policy]
    operations: dict[str, Operation]
    settle: Operation
    noting: Operation
    closing: Closing
    waiting: list[tuple[Submission, Reply]] = field(default_factory=list)
    in_the_air: set[tasks.Key] = field(default_factory=set)
    is_flush_planned: bool = False


def new_node(service: Service, clock: Clock, random_bytes: RandomBytes) -> Node:
    """Returns a service on an empty store."""
    store = CrashingDatabase("sqlite://", service.name, KEYS)
    migrations.upgrade(store, service.migrations, random_bytes, service.prepare)
    return Node(
        service=service,
        store=store,
        policies=identity.policies(service.contract.descriptor),
        operations={name: service.operation(name) for name in service.commands},
        settle=tasks.settle_operation(service.sagas),
        noting=service.noting(),
        closing=Closing(service.name, service.jobs, store, clock, random_bytes, _standing_still),
    )


def _standing_still() -> int:
    """A stopwatch on which no step takes any time: the same in every run."""
    return 0
