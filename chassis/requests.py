"""Idempotence: the same request id again gets the same answer, other content is refused (AIP-155)."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from google.protobuf.message import Message
from google.rpc import status_pb2

from chassis import sealing, status, tables
from chassis.command import Outcome, Submission
from chassis.errors import DomainError, RequestIdReused
from chassis.keyring import KeyRing

Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Stored:
    """The answer to a request or its refusal, with the request's digest."""

    digest: bytes
    response: bytes | None
    refusal: bytes | None


@dataclass(frozen=True, slots=True)
class _Opened:
    """A connection with the store's keys, as sealing takes it."""

    connection: sa.Connection
    keys: KeyRing


def load(connection: sa.Connection, submissions: Iterable[Submission], keys: KeyRing) -> Mapping[Key, Stored]:
    """Returns what is stored of those submissions that were answered before, by their keys."""
    kept = [submission for submission in submissions if submission.operation.keeps_requests]
    if not kept:
        return {}
    stored = _load(connection, {key for each in kept for key in (each.key, each.earlier_key)}, keys)
    earlier = {
        submission.key: stored[submission.earlier_key]
        for submission in kept
        if submission.earlier_key in stored
        and submission.has_earlier_digest(stored[submission.earlier_key].digest, keys)
    }
    return earlier | {submission.key: stored[submission.key] for submission in kept if submission.key in stored}


def _load(connection: sa.Connection, wanted: Collection[Key], keys: KeyRing) -> Mapping[Key, Stored]:
    rows = tables.requests
    query = sa.select(rows).where(sa.tuple_(rows.c.caller, rows.c.request_id).in_(wanted))
    found = connection.execute(query).all()
    names = [_name(row.caller, row.request_id) for row in found if row.response is None and row.refusal is None]
    sealed = sealing.of(_Opened(connection, keys), tables.sealed_answers, names)
    return {
        (row.caller, row.request_id): Stored(
            row.digest, sealed.get(_name(row.caller, row.request_id), row.response), row.refusal
        )
        for row in found
    }


def _name(caller: str, request_id: str) -> str:
    return f"{caller} {request_id}"


def replay(stored: Stored, submission: Submission, keys: KeyRing) -> Outcome:
    """Returns the stored answer to the same request. Raises RequestIdReused where it was another."""
    if not submission.has_digest(stored.digest, keys):
        return RequestIdReused()
    if stored.refusal is not None:
        return status.RemoteError(status_pb2.Status.FromString(stored.refusal))
    assert stored.response is not None, "a sealed answer is gone"
    return submission.operation.response.FromString(stored.response)


def store(connection: sa.Connection, answered: Sequence[tuple[Submission, Outcome]], keys: KeyRing) -> None:
    """Keeps successes, and refusals of calls that services made; sealed what may quote personal data.

    A service's call belongs to a saga: once refused it stays refused, so that a late duplicate
    can't succeed after the saga has compensated.
    """
    kept = [(submission, outcome) for submission, outcome in answered if is_kept(submission, outcome)]
    if not kept:
        return
    personal = {
        _name(*submission.key): outcome.SerializeToString()
        for submission, outcome in kept
        if isinstance(outcome, Message) and submission.operation.is_personal(outcome)
    }
    rows = [_row(submission, outcome, keys, _name(*submission.key) in personal) for submission, outcome in kept]
    rows.sort(key=lambda row: (row["caller"], row["request_id"]))
    connection.execute(sa.insert(tables.requests), rows)
    sealing.put(_Opened(connection, keys), tables.sealed_answers, personal)


def is_kept(submission: Submission, outcome: Outcome) -> bool:
    """Whether the answer is stored, so that the same request again gets it."""
    if not submission.operation.keeps_requests:
        return False
    return isinstance(outcome, Message) or (isinstance(outcome, DomainError) and bool(submission.caller.service))


def _row(submission: Submission, outcome: Outcome, keys: KeyRing, is_sealed: bool) -> dict[str, Any]:
    refused = isinstance(outcome, DomainError)
    return {
        "caller": submission.key[0],
        "request_id": submission.request_id,
        "digest": submission.digest(keys),
        "response": None if refused or is_sealed else outcome.SerializeToString(),  # type: ignore[union-attr]
        "refusal": status.to_status(outcome, "en").SerializeToString() if refused else None,  # type: ignore[arg-type]
        "create_us": submission.now_us,
    }
