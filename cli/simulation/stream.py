"""A simulated subscription: the ranges of a log behind its follower's cursor, and the events that wait."""

from collections.abc import Iterator, Sequence

from aval.events.v1 import events_pb2
from google.protobuf.message import Message

from chassis import eventlog, inbox, parked
from chassis.command import Operation
from chassis.database import Database
from chassis.service import Service


class Stream:
    """A subscription: `follower` follows `source`, by name; `store` and `log` are theirs."""

    def __init__(self, service: Service, source: str, store: Database, log: Database) -> None:
        self.follower, self.source = service.name, source
        self._reactions, self._store, self._log = service.subscriptions[source], store, log
        self._consuming = inbox.consume_operation(source, self._reactions)
        self._retrying = inbox.retry_operation(source, self._reactions)

    def ranges(self) -> Iterator[tuple[Operation, Message]]:
        """Yields the command that takes the next range, where that has events for the follower."""
        with self._store.read() as connection:
            epoch, position = inbox.cursor(connection, self.source)
        with self._log.read() as connection:
            told = eventlog.read(connection, epoch, position, types=sorted(self._reactions))
        if told.events:
            yield (
                self._consuming,
                events_pb2.WatchResponse(
                    log_epoch=told.epoch,
                    after_position=told.after_position,
                    through_position=told.through_position,
                    events=told.events,
                ),
            )

    def retries(self, now_us: int) -> Sequence[tuple[Operation, Message]]:
        """Returns the commands that take waiting events again which are due."""
        with self._store.read() as connection:
            resources = parked.due(connection, self.source, now_us)
        return [(self._retrying, events_pb2.Event(resource=resource)) for resource in resources]

    def waiting(self, now_us: int) -> int:
        """Returns how many events are still to be taken, or wait."""
        with self._store.read() as connection, self._log.read() as log:
            lag = inbox.lag(connection, log, self.source, self._reactions, now_us)
            return lag.waiting + parked.number(connection, self.source)
