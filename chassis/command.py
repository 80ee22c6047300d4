"""One way to change anything: an operation runs in one transaction and leaves rows, events and tasks."""

import datetime
import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from google.protobuf.message import Message
from opentelemetry import trace

from chassis.errors import DomainError
from chassis.identity import Caller
from chassis.ids import Identifiers
from chassis.keyring import NO_KEYS, KeyRing

Seal = Callable[[bytes], str]


def unsealed(_content: bytes) -> str:
    """For work that no customer asked for: it has nothing to seal."""
    raise AssertionError("this command has no seal")


@dataclass(frozen=True, slots=True)
class PendingEvent:
    """An event before it has its position."""

    event_id: str
    type: str
    resource: str
    payload: Message
    tenants: tuple[str, ...]
    traceparent: str
    create_us: int


@dataclass(slots=True)
class Transaction:
    """What a command has at hand. Time and identifiers were drawn when it was submitted."""

    connection: sa.Connection
    caller: Caller
    now_us: int
    ids: Identifiers
    # The date on which the command counts; no rule reads the clock's day.
    business_date: datetime.date = field(kw_only=True)
    traceparent: str = ""
    span: trace.Span = trace.INVALID_SPAN
    # The platform's detached JWS over bytes, by the service's own key.
    seal: Seal = unsealed
    # What the store's personal data is sealed with.
    keys: KeyRing = NO_KEYS
    events: list[PendingEvent] = field(default_factory=list)
    # Whether it changed what is owed: the runner of tasks looks again.
    has_tasks: bool = False

    def append(self, type: str, resource: str, payload: Message, tenants: Iterable[str]) -> None:
        """Appends an event that these tenants may see; services see all."""
        event_id = self.ids.resource("event")
        distinct = tuple(dict.fromkeys(tenants))
        pending = PendingEvent(event_id, type, resource, payload, distinct, self.traceparent, self.now_us)
        self.events.append(pending)


EARLIER_PURPOSE = "request"
Run = Callable[[Transaction, Any], Message]
BatchRun = Callable[[Sequence[tuple[Transaction, Any]]], Sequence[Message | DomainError]]
Names = Callable[[Any], Iterable[str]]


def _no_names(_request: Any) -> Iterable[str]:
    return ()


def by_name(request: Any) -> Iterable[str]:
    """Returns the resource that a request names: [loans/loan-1] of SignLoanRequest, nothing of CreateOfferRequest."""
    name = getattr(request, "name", "")
    return [name] if name else []


def as_it_came(request: Any) -> Any:
    """Nothing is prepared: the function gets the request itself."""
    return request


def has_nothing_personal(_answer: Any) -> bool:
    """The answer is stored as it is."""
    return False


@dataclass(frozen=True, slots=True)
class Operation:
    """One mutating method.

    `run` does one request; `run_batch`, where given, does consecutive requests of the method as one
    set-based step. `names` says what the request will change, to be locked in one order.
    `keeps_requests` is False where the rows themselves are the idempotency record. `prepare` is what
    needs no store: it is done before the writer's turn, and `run` gets its result in place of the request.
    `is_personal` says of an answer whether it may quote personal data: then it is stored sealed.
    """

    method: str
    response: type[Message]
    run: Run | None = None
    run_batch: BatchRun | None = None
    names: Names = _no_names
    keeps_requests: bool = True
    prepare: Callable[[Any], Any] = as_it_came
    is_personal: Callable[[Any], bool] = has_nothing_personal


@dataclass(slots=True, eq=False)
class Submission:
    """A request on its way through the writer."""

    operation: Operation
    caller: Caller
    request: Any
    request_id: str
    now_us: int
    seed: bytes
    traceparent: str = ""
    span: trace.Span = trace.INVALID_SPAN
    # The business date of the service that calls, where it gives one.
    caller_date: datetime.date | None = None
    # Whether it appended events and changed tasks: set once that is committed.
    has_events: bool = False
    has_tasks: bool = False
    # Called on the submitter's loop with the answer.
    answer: Callable[["Outcome"], None] | None = None
    seal: Seal = unsealed
    _work: Any = None
    _content: bytes = b""

    @property
    def work(self) -> Any:
        """The request, prepared; prepared once."""
        if self._work is None:
            if self.operation.keeps_requests:
                # First, since what prepares it may take parts off the request.
                self._fingerprint()
            self._work = self.operation.prepare(self.request)
        return self._work

    def _fingerprint(self) -> bytes:
        if not self._content:
            content = self.request.SerializeToString(deterministic=True)
            self._content = hashlib.sha256(self.operation.method.encode() + b"\0" + content).digest()
        return self._content

    @property
    def key(self) -> tuple[str, str]:
        """What makes the request unique: who calls, and its id.

        Whoever a service calls for can't use up the service's ids.
        """
        service, principal = self.caller.service, self.caller.principal
        return f"services/{service} for {principal}" if service else principal, self.request_id

    @property
    def earlier_key(self) -> tuple[str, str]:
        """The key as it was made before services' requests were kept apart."""
        return self.caller.principal, self.request_id

    @property
    def digest_purpose(self) -> str:
        """The purpose of the digest's token: a service's requests are kept apart from those of callers outside."""
        return EARLIER_PURPOSE if self.caller.service else "outside request"

    def digest(self, keys: KeyRing) -> bytes:
        """Returns the digest over the method and our own deterministic serialisation, never the received bytes.

        A token, since the request may hold personal data, which a plain digest would let guess.
        """
        return keys.token(self.digest_purpose, self._fingerprint())

    def has_digest(self, stored: bytes, keys: KeyRing) -> bool:
        """Whether a stored digest is this request's, in whatever suite and of whichever purpose it was made."""
        return keys.is_token(stored, self.digest_purpose, self._fingerprint()) or self.has_earlier_digest(stored, keys)

    def has_earlier_digest(self, stored: bytes, keys: KeyRing) -> bool:
        """Whether it is, as made before services' requests were kept apart: a service's was made alike."""
        return keys.is_token(stored, EARLIER_PURPOSE, self._fingerprint())

    def transaction(self, connection: sa.Connection, date: datetime.date, keys: KeyRing = NO_KEYS) -> Transaction:
        """Returns the command's transaction on a business date, the same each time it is run."""
        ids = Identifiers(self.now_us, self.seed)
        return Transaction(
            connection,
            self.caller,
            self.now_us,
            ids,
            business_date=date,
            traceparent=self.traceparent,
            span=self.span,
            seal=self.seal,
            keys=keys,
        )


Outcome = Message | Exception
