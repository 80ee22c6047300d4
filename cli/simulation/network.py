"""The platform under a seed: real services on in-memory stores, one thread, virtual time, an unreliable network.

Requests and replies are delayed, reordered, duplicated and lost; a service crashes before or after a
commit. Everything random comes from one seeded generator, so that a run can be repeated step by step.
"""

import heapq
import itertools
import random
from collections.abc import Callable, Sequence
from typing import Any

from google.protobuf.empty_pb2 import Empty
from google.protobuf.message import Message
from google.rpc import status_pb2

from chassis import fields, identity, tasks
from chassis.clock import ManualClock
from chassis.command import Operation, Outcome, Submission, Transaction
from chassis.errors import DomainError
from chassis.identity import Caller
from chassis.service import Reading, Service
from chassis.status import RemoteError
from chassis.tasks import Task
from chassis.writer import run_batch
from cli.simulation.node import START_US, Crash, Node, Reply, new_node
from cli.simulation.stream import Stream

MILLISECOND = 1_000
LONGEST_DELAY_US = 400 * MILLISECOND
RESEND_US = 2_000 * MILLISECOND
TICK_US = 5_000 * MILLISECOND

# How often what goes wrong, of a thousand.
LOST_REQUEST, LOST_REPLY, DUPLICATE, CRASH_BEFORE, CRASH_AFTER = 20, 20, 30, 8, 8

_POSTPONING = tasks.postpone_operation()


class Network:
    """All services and everything that is under way between them."""

    def __init__(self, seed: int, services: Sequence[Service], is_reliable: bool = False) -> None:
        self.random = random.Random(seed)  # noqa: S311
        self.clock = ManualClock(START_US)
        self.is_reliable = is_reliable
        self.steps = self.commits = self.crashes = 0
        self.committed: Callable[[str], None] = lambda _service: None
        self._agenda: list[tuple[int, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self.nodes = {service.name: new_node(service, self.clock, self.random.randbytes) for service in services}
        self._streams = [
            Stream(node.service, source, node.store, self.nodes[source].store)
            for node in self.nodes.values()
            for source in node.service.subscriptions
        ]
        for name in self.nodes:
            self._plan(0, lambda name=name: self._tick(name))  # type: ignore[misc]

    def _plan(self, delay_us: int, action: Callable[[], None]) -> None:
        heapq.heappush(self._agenda, (self.clock.now_us() + delay_us, next(self._order), action))

    def later(self, delay_us: int, action: Callable[[], None]) -> None:
        """Does something when so much time has passed."""
        self._plan(delay_us, action)

    def step(self) -> None:
        """Does the next thing on the agenda."""
        due_us, _, action = heapq.heappop(self._agenda)
        self.clock.advance(max(due_us - self.clock.now_us(), 0))
        self.steps += 1
        action()

    def _delay(self) -> int:
        return self.random.randrange(LONGEST_DELAY_US)

    def _happens(self, per_thousand: int) -> bool:
        return not self.is_reliable and self.random.randrange(1000) < per_thousand

    def call(self, caller: Caller, service: str, method: str, request: Any, reply: Reply) -> None:
        """Sends until there is a reply; the same request every time, the first reply counts."""
        answered = False

        def once(outcome: Message | DomainError) -> None:
            nonlocal answered
            if not answered:
                answered = True
                reply(outcome)

        def send() -> None:
            if not answered:
                self._send(caller, service, method, request, once)
                self._plan(RESEND_US, send)

        send()

    def _send(self, caller: Caller, service: str, method: str, request: Any, reply: Reply) -> None:
        copies = 2 if self._happens(DUPLICATE) else 1
        for _ in range(copies):
            if not self._happens(LOST_REQUEST):
                self._plan(self._delay(), lambda: self._deliver(caller, service, method, request, reply))

    def _answer(self, reply: Reply, outcome: Message | DomainError) -> None:
        if not self._happens(LOST_REPLY):
            self._plan(self._delay(), lambda: reply(outcome))

    def _deliver(self, caller: Caller, service: str, method: str, request: Any, reply: Reply) -> None:
        """Passes the service's edge: access and fields, then the read, or the queue of the writer."""
        node = self.nodes[service]
        try:
            node.policies[method].check(caller)
            fields.check(request)
            if method in node.service.reads:
                self._read(node, caller, method, request, reply)
                return
        except DomainError as refusal:
            self._answer(reply, refusal)
            return
        submission = self._submission(node.operations[method], caller, request, request.request_id)
        self._enqueue(node, submission, reply)

    def _read(self, node: Node, caller: Caller, method: str, request: Any, reply: Reply) -> None:
        """Answers at once, or when what the read noted is durable."""
        with node.store.read() as connection:
            reading = Reading(connection, caller, self.clock.now_us(), node.store.keys)
            response = node.service.reads[method](reading, request)
        if not reading.notes:
            self._answer(reply, response)
            return
        submission = self._submission(node.noting, caller, reading.notes, "")
        self._enqueue(node, submission, lambda outcome: reply(response if isinstance(outcome, Message) else outcome))

    def _submission(self, operation: Operation, caller: Caller, request: Any, request_id: str) -> Submission:
        now_us, seed = self.clock.now_us(), self.random.randbytes(16)
        return Submission(operation, caller, request, request_id, now_us, seed, seal=_seal)

    def _enqueue(self, node: Node, submission: Submission, reply: Reply) -> None:
        node.waiting.append((submission, reply))
        if not node.is_flush_planned:
            node.is_flush_planned = True
            self._plan(self.random.randrange(5 * MILLISECOND), lambda: self._flush(node))

    def _flush(self, node: Node) -> None:
        """Makes one group commit, if it comes to that."""
        node.is_flush_planned = False
        batch, node.waiting = node.waiting, []
        node.store.crash_next = self._happens(CRASH_BEFORE)
        try:
            outcomes = run_batch(node.store, [submission for submission, _ in batch])
        except Crash:
            self._crash(node)
            return
        self.commits += 1
        self.committed(node.service.name)
        if self._happens(CRASH_AFTER):
            self._crash(node)
            return
        for submission, reply in batch:
            self._answer(reply, _told(outcomes[submission]))
        self._start_tasks(node)
        for stream in self._streams:
            if stream.source == node.service.name:
                self._tell(stream)

    def _crash(self, node: Node) -> None:
        """Forgets what was in memory: whoever waits will ask again, tasks start from their rows."""
        self.crashes += 1
        node.store.crash_next = False
        node.waiting.clear()
        node.in_the_air.clear()

    def _tick(self, name: str) -> None:
        """Does every few seconds: sweeps, dates to be closed, tasks whose time has come, and what others' logs tell."""
        node = self.nodes[name]
        for sweep in node.service.sweeps:
            operation = Operation("sweep", Empty, run=_sweeping(sweep), keeps_requests=False)
            caller = identity.service_caller(name)
            self._enqueue(node, self._submission(operation, caller, Empty(), ""), lambda _outcome: None)
        self._enqueue(node, node.closing.submission(), lambda _outcome: None)
        self._start_tasks(node)
        for stream in self._streams:
            if stream.follower == name:
                self._tell(stream)
                self._take(stream.follower, stream.retries(self.clock.now_us()))
        self._plan(TICK_US, lambda: self._tick(name))

    def _start_tasks(self, node: Node) -> None:
        with node.store.read() as connection:
            due = tasks.due(connection, self.clock.now_us())
        for task in due:
            if task.key not in node.in_the_air:
                node.in_the_air.add(task.key)
                self._perform(node, task)

    def _perform(self, node: Node, task: Task) -> None:
        """Tries a task's call once: its reply, or that nothing is known."""
        caller = identity.caller_from_text(task.caller)
        acting = identity.service_caller(node.service.name, caller.principal, task.tenant)
        settled: Message | DomainError | None = None

        def landed(outcome: Message | DomainError) -> None:
            """Settles the task; a reaction that refused counts as an attempt."""
            node.in_the_air.discard(task.key)
            if isinstance(outcome, DomainError):
                now_us, seed, is_answered = self.clock.now_us(), self.random.randbytes(16), isinstance(settled, Message)
                counting = tasks.settlement(_POSTPONING, task, outcome, now_us, seed, is_answered=is_answered)
                self._enqueue(node, counting, lambda _outcome: None)

        def settle(outcome: Message | DomainError) -> None:
            nonlocal settled
            if settled is not None:
                return
            settled = outcome
            now_us = self.clock.now_us()
            submission = tasks.settlement(node.settle, task, outcome, now_us, self.random.randbytes(16))
            self._enqueue(node, submission, landed)
            # A reply that is lost on its way must not leave the task in the air for ever.
            self._plan(RESEND_US, lambda: node.in_the_air.discard(task.key))

        self._send(acting, task.service, task.method, tasks.request_of(task), settle)
        self._plan(RESEND_US, lambda: settle(_unknown()))

    def _tell(self, stream: Stream) -> None:
        """Sends a follower the range of events behind its cursor: it may come late, twice, or never."""
        ranges = list(stream.ranges())
        for _ in range(2 if self._happens(DUPLICATE) else 1):
            if ranges and not self._happens(LOST_REQUEST):
                self._plan(self._delay(), lambda: self._take(stream.follower, ranges))

    def _take(self, follower: str, work: Sequence[tuple[Operation, Message]]) -> None:
        """Brings events to a follower's writer; a range that came out of order is refused and told again."""
        caller = identity.service_caller(follower)
        for operation, request in work:
            submission = self._submission(operation, caller, request, "")
            self._enqueue(self.nodes[follower], submission, lambda _outcome: None)

    def owes(self) -> int:
        """Returns how many calls are still owed, and events to be taken."""
        count = 0
        for node in self.nodes.values():
            with node.store.read() as connection:
                count += len(tasks.due(connection, 2**62))
        return count + sum(stream.waiting(self.clock.now_us()) for stream in self._streams)


def _sweeping(sweep: Callable[[Transaction], bool]) -> Callable[[Transaction, Any], Message]:
    def run(transaction: Transaction, _request: Any) -> Message:
        sweep(transaction)
        return Empty()

    return run


def _told(outcome: Outcome) -> Message | DomainError:
    """Returns what the caller hears; a bug stops the run."""
    if isinstance(outcome, Message | DomainError):
        return outcome
    raise outcome


def _seal(content: bytes) -> str:
    """Stands for the platform's seal, whose keys have no part in what is simulated."""
    return f"seal over {len(content)} bytes"


def _unknown() -> RemoteError:
    return RemoteError(status_pb2.Status(code=14, message="no answer"))
