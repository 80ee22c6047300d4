"""A batch that the service can't answer, cut in halves until the document is alone that it can't answer.

That document is refused, and kept for its sender; the others are taken.
"""

import asyncio
from dataclasses import dataclass
from typing import Any

import grpc
from aval.declarations.v1 import declarations_pb2
from aval.type.v1 import problem_pb2
from google.protobuf.message import Message

from chassis.client import AssertingClient
from chassis.errors import DomainError
from cli import local
from cli.importing.batches import Batch

SERVICE = "declarations"
ATTEMPTS = 5
PAUSE_SECONDS = 0.5
# So often a batch that takes too long is sent before it is cut: others may be keeping the service busy.
ATTEMPTS_OF_SLOW = 2
# So many documents without an answer, one after the other, are the service's fault and not theirs.
MOST_GIVEN_UP = 20
TRANSIENT = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.DEADLINE_EXCEEDED)
# What may follow from a document in the batch; another batch may well be answered.
OF_DOCUMENTS = (
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.INTERNAL,
    grpc.StatusCode.UNKNOWN,
    grpc.StatusCode.INVALID_ARGUMENT,
    grpc.StatusCode.DATA_LOSS,
    grpc.StatusCode.OUT_OF_RANGE,
)
UNANSWERED = "DOCUMENT_UNANSWERED"
Verdict = declarations_pb2.IntakeVerdict


def is_of_documents(error: DomainError, failures: int) -> bool:
    """Whether a batch that failed so often in a row is to be cut."""
    return error.code in OF_DOCUMENTS and (error.code not in TRANSIENT or failures >= ATTEMPTS_OF_SLOW)


@dataclass(frozen=True, slots=True)
class Answer:
    """The verdicts of a batch's parts, as its own response would have them."""

    verdicts: list[Verdict]


class Apart:
    """Answers batches part by part."""

    def __init__(self, client: AssertingClient) -> None:
        self._client = client
        self._given_up = 0

    async def answer(self, batch: Batch) -> Answer:
        """Returns the verdicts of all documents or rows of a batch.

        Raises DomainError if the service can't be reached or is ill.
        """
        middle = len(batch.rows) // 2
        first = await self._verdicts(batch, 0, middle) if middle else []
        return Answer([*first, *await self._verdicts(batch, middle, len(batch.rows))])

    async def _verdicts(self, batch: Batch, start: int, end: int) -> list[Verdict]:
        is_alone = end - start <= 1
        try:
            response = await self._call(
                batch.method, batch.part(start, end), ATTEMPTS if is_alone else ATTEMPTS_OF_SLOW
            )
        except DomainError as error:
            if error.code not in OF_DOCUMENTS:
                raise
            if is_alone:
                return [await self._give_up(batch, index, error) for index in range(start, end)]
            middle = (start + end) // 2
            return [*await self._verdicts(batch, start, middle), *await self._verdicts(batch, middle, end)]
        self._given_up = 0
        return list(response.verdicts)

    async def _call(self, method: str, request: Message, attempts: int) -> Any:
        """Returns the response. Raises DomainError after so many attempts at what may pass."""
        # A stream of batches takes what the method for one of them takes.
        unary = method.replace("Stream", "BatchCreate")
        for attempt in range(1, attempts):
            try:
                return await self._client.call(SERVICE, unary, request, local.WINDOW)
            except DomainError as error:
                if error.code not in TRANSIENT:
                    raise
            await asyncio.sleep(PAUSE_SECONDS * attempt)
        return await self._client.call(SERVICE, unary, request, local.WINDOW)

    async def _give_up(self, batch: Batch, index: int, error: DomainError) -> Verdict:
        """Returns the verdict of a document that has no answer.

        Raises DomainError where too many in a row have none.
        """
        self._given_up += 1
        if self._given_up > MOST_GIVEN_UP:
            raise error
        told = f"The service has no answer to it ({error}); it is kept. Send it again later, or cut it."
        problem = problem_pb2.Problem(reason=UNANSWERED, message=told)
        try:
            await self._client.call(SERVICE, "BatchCreateDeclarations", batch.kept(index, problem), local.WINDOW)
        except DomainError as refusal:
            if refusal.code not in OF_DOCUMENTS:
                raise
        return Verdict(document_id=batch.origins[index][1], outcome=Verdict.REFUSED, problems=[problem])
