"""Sagas: a resource's state says what is owed, a pure plan names the calls, a task row is the timer of each.

Recovery is running the same calls again: a call's request id follows from resource, branch, step and round,
so that a repeated one gets the first one's answer. A refusal is told to the saga, which compensates;
an unknown outcome is never taken for a failure. A reaction that fails counts as an attempt, as an unknown outcome
does: the same call is made again later, and parked in the end. So a reaction that can do nothing about a refusal yet
raises it, and the call stays owed. The runner (runner.py) makes the calls.
"""

import hashlib
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import sqlalchemy as sa
from google.protobuf.empty_pb2 import Empty
from google.protobuf.message import Message

from chassis import business_date, clock, identity, ids, tables
from chassis.clock import MICROSECONDS
from chassis.command import Operation, Submission, Transaction
from chassis.contracts import contract
from chassis.errors import DomainError, NotFound
from chassis.identity import Caller
from chassis.status import UNKNOWN_OUTCOME

FIRST_RETRY_SECONDS = 0.2
LONGEST_RETRY_SECONDS = 30
# A call comes back after 750 to 1250 thousandths of its back-off.
LEAST_SPREAD, SPREADS = 750, 501
PARK_AFTER_ATTEMPTS = 1000
# So many calls to a peer are under way at most.
AT_ONCE = 200
FAILURE_CHARACTERS = 80
# A refused attempt adds so much to the round, more than any revision: revisions that come never meet refused rounds.
REFUSED_ROUND = 2**32

# The resource and the branch of a task.
Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Call:
    """A call that a resource owes: for which tenant, to whom, what. The runner sets request_id.

    It isn't made before `not_before_us` (0: at once). `branch` is the leg of the resource that owes it: each leg owes
    one call at a time, and the legs of a resource go on beside each other. A step belongs to one branch, since a
    reaction is told the step. A call that is made again at another time is another step, such as "remind 2026-03-02",
    and so is one that says something else.
    """

    step: str
    service: str
    method: str
    request: Any
    tenant: str
    not_before_us: int = 0
    branch: str = ""


class Resource(Protocol):
    """A record that a saga moves: it has a name and a revision."""

    @property
    def name(self) -> str:
        """The resource name, for example loans/loan-01…."""
        ...

    @property
    def revision(self) -> int:
        """The revision, which rises with every change."""
        ...


Outcome = Message | DomainError
Plan = Callable[[Any], Sequence[Call] | Call | None]


@dataclass(frozen=True, slots=True)
class Saga:
    """A kind of resource that owes calls.

    `plan` is pure. `react` takes a step's outcome and changes the resource, or raises: then the call stays owed.
    `unfinished` lists all resources whose plan may owe something, for `verify`.
    """

    noun: str
    load: Callable[[sa.Connection, str], Any | None]
    plan: Plan
    react: Callable[[Transaction, Any, str, Outcome], None]
    unfinished: Callable[[sa.Connection], Iterable[Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A task row: a call that is owed, and how it went so far.

    `since_us` is from when on it is owed, `due_us` when it is made next. `failure` is the stable reason of its last
    attempt, `parked` why it waits for a person. `business_date` (ISO) is the date of the transaction that planned it;
    empty where it was planned before dates were kept.
    """

    resource: str
    branch: str = ""
    saga: str
    step: str
    round: int
    service: str
    method: str
    request: bytes
    tenant: str
    caller: str
    traceparent: str
    business_date: str = ""
    not_before_us: int = 0
    since_us: int
    due_us: int
    attempts: int = 0
    failure: str | None = None
    parked: str | None = None

    @property
    def key(self) -> Key:
        """Returns its resource and branch: one call of each is under way at a time."""
        return self.resource, self.branch

    @property
    def request_id(self) -> str:
        """Returns the request id, the same for every try of this round."""
        branch = (self.branch,) if self.branch else ()
        return ids.derived(self.resource, *branch, self.step, self.round)


def request_of(task: Task) -> Any:
    """Returns the task's request, with its request id where it has one: a read has none."""
    request = contract(task.service).request(task.method).FromString(task.request)
    if "request_id" in request.DESCRIPTOR.fields_by_name:
        request.request_id = task.request_id
    return request


def calls_of(plan: Plan, resource: Any) -> Sequence[Call]:
    """Returns the calls that a resource owes by its plan, at most one for each branch.

    A plan gives a sequence; a single call, or None for none, count as one.
    """
    owed = plan(resource)
    calls = (owed,) if isinstance(owed, Call) else tuple(owed or ())
    branches, steps = {call.branch for call in calls}, {call.step for call in calls}
    assert len(branches) == len(steps) == len(calls), f"{resource.name} owes two calls of one branch or step"
    return calls


def follow(transaction: Transaction, noun: str, plan: Plan, resource: Any) -> None:
    """Records what the changed resource owes now by its plan. Called by the store wherever it saves a resource.

    A branch that owes the same step stays as it is, with its round and attempts; at another time it waits for that
    time under the same request id. `noun` is the saga's: by it the runner finds the reaction when an outcome comes.
    """
    standing = _standing(transaction.connection, resource.name)
    owed = {call.branch: call for call in calls_of(plan, resource)}
    kept = {branch for branch, row in standing.items() if branch in owed and owed[branch].step == row.step}
    _forget(transaction, resource.name, standing.keys() - kept)
    # A step that is planned anew gets a new round, hence a new request id.
    number = max([resource.revision, *(row.round % REFUSED_ROUND + 1 for row in standing.values())])
    _add(transaction, [_row(transaction, noun, resource.name, number, owed[branch]) for branch in owed.keys() - kept])
    for branch in kept:
        if owed[branch].not_before_us != standing[branch].not_before_us:
            _reschedule(transaction, resource.name, owed[branch])


def _standing(connection: sa.Connection, resource: str) -> Mapping[str, Any]:
    """Returns what identifies the tasks of a resource, by branch."""
    return {row.branch: row for row in connection.execute(_STANDING, {"resource": resource})}


_STANDING = sa.select(*(tables.tasks.c[name] for name in ("branch", "step", "round", "not_before_us"))).where(
    tables.tasks.c.resource == sa.bindparam("resource")
)


def _forget(transaction: Transaction, resource: str, branches: Collection[str]) -> None:
    if branches:
        transaction.has_tasks = True
        rows = tables.tasks
        gone = rows.c.resource == resource, rows.c.branch.in_(sorted(branches))
        transaction.connection.execute(sa.delete(rows).where(*gone))


def _add(transaction: Transaction, added: Sequence[Mapping[str, Any]]) -> None:
    if added:
        transaction.has_tasks = True
        transaction.connection.execute(sa.insert(tables.tasks), added)


def _row(transaction: Transaction, noun: str, resource: str, number: int, call: Call) -> Mapping[str, Any]:
    return {
        "resource": resource,
        "branch": call.branch,
        "saga": noun,
        "step": call.step,
        "round": number,
        "service": call.service,
        "method": call.method,
        "request": call.request.SerializeToString(deterministic=True),
        "tenant": call.tenant,
        "caller": transaction.caller.to_text(),
        "traceparent": transaction.traceparent,
        **_timing(transaction, call),
    }


def _timing(transaction: Transaction, call: Call) -> Mapping[str, Any]:
    """Returns when a call is due that hasn't been tried."""
    due_us = max(transaction.now_us, call.not_before_us)
    return {
        "business_date": transaction.business_date.isoformat(),
        "not_before_us": call.not_before_us,
        "since_us": due_us,
        "due_us": due_us,
        "attempts": 0,
        "failure": None,
        "parked": None,
    }


def _reschedule(transaction: Transaction, resource: str, call: Call) -> None:
    """Sets a standing task to its new time. Its request and round stay: it may be under way."""
    transaction.has_tasks = True
    rows = tables.tasks
    standing = rows.c.resource == resource, rows.c.branch == call.branch
    transaction.connection.execute(sa.update(rows).where(*standing).values(**_timing(transaction, call)))


def _first_service(after: Any = "") -> sa.Select[tuple[str]]:
    """Returns the query of the first service after another that a call is owed to and not parked."""
    rows = tables.tasks
    query = sa.select(sa.func.min(rows.c.service).label("service"))
    return query.where(rows.c.parked.is_(None), rows.c.service > after)


def _peers() -> sa.CTE:
    """Returns the services that calls are owed to, each found by one step of the index; the last row is null."""
    first = _first_service().cte("peers", recursive=True)
    following = sa.select(_first_service(first.c.service).scalar_subquery())
    return first.union_all(following.where(first.c.service.is_not(None)))


def _next_of(peer: Any) -> sa.Select[tuple[int]]:
    rows = tables.tasks
    query = sa.select(sa.func.min(rows.c.due_us)).where(rows.c.service == peer, rows.c.parked.is_(None))
    return query.where(rows.c.due_us > sa.bindparam("after_us"))


# Built once: the runner looks after every commit that changes tasks.
PEERS = _peers()
_OWED_PEERS = sa.select(PEERS.c.service).where(PEERS.c.service.is_not(None))
_NEXT = sa.select(sa.func.min(_next_of(PEERS.c.service).scalar_subquery())).select_from(PEERS)
_DUE = (
    sa.select(tables.tasks)
    .where(tables.tasks.c.service == sa.bindparam("peer"), tables.tasks.c.parked.is_(None))
    .where(tables.tasks.c.due_us <= sa.bindparam("now_us"))
    .order_by(tables.tasks.c.due_us)
    .limit(AT_ONCE)
)


def due(connection: sa.Connection, now_us: int, running: Collection[Task] = ()) -> list[Task]:
    """Returns the tasks whose time has come and that don't run, oldest first.

    Of each peer there are so many that with the running ones it has AT_ONCE: one that doesn't answer takes no place
    from the others.
    """
    peers = connection.execute(_OWED_PEERS).scalars().all()
    waiting = [task for peer in peers for task in _due_of(connection, peer, now_us, running)]
    return sorted(waiting, key=lambda task: task.due_us)


def _due_of(connection: sa.Connection, peer: str, now_us: int, running: Collection[Task]) -> list[Task]:
    keys = {task.key for task in running if task.service == peer}
    if len(keys) >= AT_ONCE:
        return []
    # Among AT_ONCE tasks there are enough that don't run.
    rows = connection.execute(_DUE, {"peer": peer, "now_us": now_us}).mappings()
    return [task for row in rows if (task := Task(**row)).key not in keys][: AT_ONCE - len(keys)]


def next_due_us(connection: sa.Connection, after_us: int = 0) -> int | None:
    """Returns the first time after `after_us` at which a task comes due; None where none does."""
    result: int | None = connection.execute(_NEXT, {"after_us": after_us}).scalar()
    return result


@dataclass(frozen=True, slots=True)
class Settlement:
    """A task with its outcome, on its way through the writer.

    `is_answered` says of an outcome that is our own failure that the callee had said yes.
    """

    task: Task
    outcome: Outcome | Exception
    is_answered: bool = False

    def SerializeToString(self, deterministic: bool = True) -> bytes:  # noqa: N802
        """Returns nothing: settlements keep no request row, and are never digested."""
        raise NotImplementedError


def is_unknown(outcome: Outcome | Exception) -> bool:
    """Whether the outcome leaves open if the call happened."""
    return isinstance(outcome, DomainError) and outcome.code in UNKNOWN_OUTCOME


def settle_operation(sagas: Mapping[str, Saga]) -> Operation:
    """Returns the internal command that takes a task's outcome."""

    def settle(transaction: Transaction, settlement: Settlement) -> Message:
        task, outcome = settlement.task, settlement.outcome
        if not _is_current(transaction, task):
            return Empty()
        if is_unknown(outcome):
            _postpone(transaction, settlement)
            return Empty()
        assert isinstance(outcome, Message | DomainError)
        saga = sagas[task.saga]
        resource = saga.load(transaction.connection, task.resource)
        if resource is None:
            raise NotFound(resource=task.resource)
        saga.react(transaction, resource, task.step, outcome)
        _assert_moved(transaction, task)
        return Empty()

    return Operation("settle task", Empty, run=settle, names=lambda s: [s.task.resource], keeps_requests=False)


def postpone_operation() -> Operation:
    """Returns the internal command that counts an attempt whose reaction failed; the outcome is what went wrong."""

    def postpone(transaction: Transaction, settlement: Settlement) -> Message:
        if _is_current(transaction, settlement.task):
            _postpone(transaction, settlement)
        return Empty()

    return Operation("postpone task", Empty, run=postpone, names=lambda s: [s.task.resource], keeps_requests=False)


def _is_current(transaction: Transaction, task: Task) -> bool:
    """Whether this is still the round the branch waits for; a late duplicate isn't."""
    row = _standing(transaction.connection, task.resource).get(task.branch)
    return row is not None and (row.step, row.round) == (task.step, task.round)


def _assert_moved(transaction: Transaction, task: Task) -> None:
    """Refuses a reaction that leaves its step owed: it would run for ever."""
    assert not _is_current(transaction, task), f"{task.resource}: {task.step} changed nothing"


def retry_seconds(attempts: int) -> float:
    """Returns the back-off after so many attempts: 0.2, 0.4, 0.8 … at most 30 seconds."""
    return min(FIRST_RETRY_SECONDS * float(2 ** min(attempts - 1, 20)), LONGEST_RETRY_SECONDS)


def backoff_us(name: str, attempts: int) -> int:
    """Returns how long a thing of a name waits after so many attempts: its back-off, spread by the name.

    After one attempt from 150,000 to 250,000 microseconds, always the same for loans/loan-a: a thousand resources that
    failed together don't come back together.
    """
    digest = hashlib.blake2b(f"{name}/{attempts}".encode(), digest_size=8).digest()
    thousandths = LEAST_SPREAD + int.from_bytes(digest, "big") % SPREADS
    return int(retry_seconds(attempts) * MICROSECONDS) * thousandths // 1000


def retry_us(task: Task, attempts: int) -> int:
    """Returns how long a task waits after so many attempts."""
    return backoff_us("/".join(task.key), attempts)


def _postpone(transaction: Transaction, settlement: Settlement) -> None:
    """Counts an attempt of a task that stands."""
    rows, task, outcome = tables.tasks, settlement.task, settlement.outcome
    transaction.has_tasks = True
    attempts = task.attempts + 1
    again_us = transaction.now_us + retry_us(task, attempts)
    values = {
        "attempts": attempts,
        # It may have been put off while the call was under way.
        "due_us": sa.case((rows.c.not_before_us > again_us, rows.c.not_before_us), else_=again_us),
        "failure": failure_of(outcome),
        "parked": _why(outcome) if attempts >= PARK_AFTER_ATTEMPTS else None,
        "round": task.round + REFUSED_ROUND * _is_refused(settlement),
    }
    standing = rows.c.resource == task.resource, rows.c.branch == task.branch
    transaction.connection.execute(sa.update(rows).where(*standing).values(values))


def _is_refused(settlement: Settlement) -> bool:
    """Whether the callee answered no: a service keeps that answer, and judges only a new round's request anew.

    A yes is kept, too: the same round gets it again, and a new one would have the callee do the same once more.
    """
    outcome = settlement.outcome
    return isinstance(outcome, DomainError) and not is_unknown(outcome) and not settlement.is_answered


def failure_of(outcome: Outcome | Exception) -> str:
    """Returns the stable reason of an attempt that came to nothing, which quotes nobody: UNAVAILABLE, KeyError."""
    reason = outcome.reason if isinstance(outcome, DomainError) else type(outcome).__name__
    return reason[:FAILURE_CHARACTERS]


def _why(outcome: Outcome | Exception) -> str:
    """Returns why an attempt came to nothing, in a line: a refusal's own words, or what kind of failure it was."""
    return str(outcome) if isinstance(outcome, DomainError) else type(outcome).__name__


def settlement(
    operation: Operation,
    task: Task,
    outcome: Outcome | Exception,
    now_us: int,
    seed: bytes,
    *,
    is_answered: bool = False,
) -> Submission:
    """Returns the submission that brings a task's outcome to the writer; `is_answered` as Settlement has it."""
    caller, request = identity.caller_from_text(task.caller), Settlement(task, outcome, is_answered)
    return Submission(operation, caller, request, "", now_us, seed, task.traceparent)


def parked(connection: sa.Connection) -> list[Task]:
    """Returns the tasks that wait for a person, by resource: each says in `parked` why."""
    rows = tables.tasks
    query = sa.select(rows).where(rows.c.parked.is_not(None)).order_by(rows.c.resource)
    return [Task(**row) for row in connection.execute(query).mappings()]


# A branch's step, and the time before which it isn't made.
Timed = tuple[str, int]


def violations(connection: sa.Connection, sagas: Mapping[str, Saga]) -> list[str]:
    """Returns where tasks and plans disagree in resource, branch, step or time, from the rows alone."""
    standing, owed = _timed(connection), _planned(connection, sagas)
    differing = [key for key in standing.keys() | owed.keys() if standing.get(key) != owed.get(key)]
    return [_disagreement(key, owed.get(key), standing.get(key)) for key in sorted(differing)]


def _timed(connection: sa.Connection) -> dict[Key, Timed]:
    """Returns what every task names."""
    rows = tables.tasks
    query = sa.select(rows.c.resource, rows.c.branch, rows.c.step, rows.c.not_before_us)
    return {(row.resource, row.branch): (row.step, row.not_before_us) for row in connection.execute(query)}


def _planned(connection: sa.Connection, sagas: Mapping[str, Saga]) -> dict[Key, Timed]:
    """Returns what every plan names."""
    return {
        (resource.name, call.branch): (call.step, call.not_before_us)
        for saga in sagas.values()
        for resource in saga.unfinished(connection)
        for call in calls_of(saga.plan, resource)
    }


def _disagreement(key: Key, owed: Timed | None, standing: Timed | None) -> str:
    """Returns the disagreement of a branch: "tasks: loans/1 owes cover, its task is None"."""
    resource, branch = key
    return f"tasks: {resource}{f' ({branch})' if branch else ''} owes {_told(owed)}, its task is {_told(standing)}"


def _told(timed: Timed | None) -> str:
    if timed is None:
        return "None"
    step, not_before_us = timed
    return f"{step} not before {clock.to_text(not_before_us)}" if not_before_us else step


def realign(connection: sa.Connection, sagas: Mapping[str, Saga], caller: Caller, now_us: int) -> None:
    """Writes the tasks anew whose plans name something else: a migration carried their resources over."""
    identifiers, date = ids.Identifiers(now_us, b""), business_date.present(connection, now_us)
    transaction = Transaction(connection, caller, now_us, identifiers, business_date=date)
    standing: dict[str, dict[str, Timed]] = {}
    for (name, branch), timed in _timed(connection).items():
        standing.setdefault(name, {})[branch] = timed
    for saga in sagas.values():
        for resource in saga.unfinished(connection):
            owed = {call.branch: (call.step, call.not_before_us) for call in calls_of(saga.plan, resource)}
            if owed != standing.get(resource.name, {}):
                follow(transaction, saga.noun, saga.plan, resource)
