"""When a call that came to nothing is made again: later and later, and those that failed together apart."""

from collections import Counter
from dataclasses import replace

import pytest

from chassis import tasks
from chassis.tasks import Task

TASK = Task(
    resource="loans/loan-a", saga="loan", step="pay", round=1, service="settlement", method="Disburse", request=b"",
    tenant="banks/X", caller="", traceparent="", since_us=0, due_us=0,
)  # fmt: skip


@pytest.mark.parametrize(("attempts", "seconds"), [(1, 0.2), (2, 0.4), (5, 3.2), (9, 30), (1000, 30)])
def test_calls_wait_longer_and_longer(attempts: int, seconds: float) -> None:
    assert tasks.retry_seconds(attempts) == pytest.approx(seconds)
    assert 0.75 * seconds <= tasks.retry_us(TASK, attempts) / 1_000_000 <= 1.25 * seconds


def test_a_thousand_resources_that_failed_together_come_back_apart() -> None:
    loans = [replace(TASK, resource=f"loans/{number}") for number in range(1000)]
    waits = [tasks.retry_us(loan, 9) for loan in loans]
    assert waits == [tasks.retry_us(loan, 9) for loan in loans]
    assert (min(waits) // 1000, max(waits) // 1000) == (22_500, 37_500)
    in_each_second = Counter(wait // 1_000_000 for wait in waits)
    assert max(in_each_second.values()) < 110
    assert len(set(waits)) > 400


def test_a_resource_waits_another_time_at_each_attempt_and_for_each_branch() -> None:
    assert len({tasks.retry_us(TASK, attempts) for attempts in (10, 11, 12, 13)}) > 1
    assert tasks.retry_us(replace(TASK, branch="fee"), 9) != tasks.retry_us(TASK, 9)
