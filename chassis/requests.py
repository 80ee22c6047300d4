"""Idempotence: the same request id again gets the same answer, other content is refused (AIP-155)."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from google.protobuf.message import Message
from google.rpc import status_pb2

from chassis import status, tables
from chassis.command import Outcome, Submission
from chassis.errors import DomainError, RequestIdReused
from chassis.keyring import KeyRing

Key = tuple[str, str]


def load(connection: sa.Connection, submissions: Iterable[Submission]) -> Mapping[Key, Any]:
    """The stored rows of those submissions that were answered before."""
    keys = [submission.key for submission in submissions if submission.operation.keeps_requests]
    if not keys:
        return {}
    rows = tables.requests
    query = sa.select(rows).where(sa.tuple_(rows.c.caller, rows.c.request_id).in_(keys))
    return {(row.caller, row.request_id): row for row in connection.execute(query)}


def replay(row: Any, submission: Submission, keys: KeyRing) -> Outcome:
    """The stored answer of a row to the same request."""
    if row.digest != submission.digest(keys):
        return RequestIdReused()
    if row.refusal is not None:
        return status.RemoteError(status_pb2.Status.FromString(row.refusal))
    return submission.operation.response.FromString(row.response)


def store(connection: sa.Connection, answered: Sequence[tuple[Submission, Outcome]], keys: KeyRing) -> None:
    """Keeps successes, and refusals of calls that services made.

    A service's call belongs to a saga: once refused it stays refused, so that a late duplicate
    can't succeed after the saga has compensated.
    """
    rows = [_row(submission, outcome, keys) for submission, outcome in answered if is_kept(submission, outcome)]
    if rows:
        rows.sort(key=lambda row: (row["caller"], row["request_id"]))
        connection.execute(sa.insert(tables.requests), rows)


def is_kept(submission: Submission, outcome: Outcome) -> bool:
    """Whether the answer is stored, so that the same request again gets it."""
    if not submission.operation.keeps_requests:
        return False
    return isinstance(outcome, Message) or (isinstance(outcome, DomainError) and bool(submission.caller.service))


def _row(submission: Submission, outcome: Outcome, keys: KeyRing) -> dict[str, Any]:
    refused = isinstance(outcome, DomainError)
    return {
        "caller": submission.caller.principal,
        "request_id": submission.request_id,
        "digest": submission.digest(keys),
        "response": None if refused else outcome.SerializeToString(),  # type: ignore[union-attr]
        "refusal": status.to_status(outcome, "en").SerializeToString() if refused else None,  # type: ignore[arg-type]
        "create_us": submission.now_us,
    }
