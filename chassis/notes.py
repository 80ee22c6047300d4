"""What a read has to write down: committed after it has left its snapshot, and before it is answered."""

from collections.abc import Sequence
from typing import Any

from opentelemetry import trace

from chassis import telemetry
from chassis.clock import Clock
from chassis.command import Submission
from chassis.identity import Caller
from chassis.ids import RandomBytes
from chassis.service import Service
from chassis.writer import Writer


class Notes:
    """A process' way to write them: through its writer, with whatever else is committed then."""

    def __init__(self, service: Service, writer: Writer, clock: Clock, random: RandomBytes) -> None:
        self._operation = service.noting()
        self._writer, self._clock, self._random = writer, clock, random

    async def write(self, caller: Caller, notes: Sequence[Any], span: trace.Span = trace.INVALID_SPAN) -> None:
        """Returns once they are durable; a read that can't be written down isn't answered."""
        if not notes:
            return
        now_us, traceparent = self._clock.now_us(), telemetry.traceparent_of(span)
        await self._writer.submit(
            Submission(
                operation=self._operation,
                caller=caller,
                request=notes,
                request_id="",
                now_us=now_us,
                seed=self._random(16),
                traceparent=traceparent,
                span=span,
            )
        )
