"""kill -9 in the middle of the story: of each process and of `up` itself. It ends the same, and the books balance."""

import pathlib

import pytest

from cli.demo.story import STEPS
from tests.system.support import kill, up, verify, wait_until_gone

ENDED_WELL = "The story ended well"
# Each process dies right after a step that it takes part in.
VICTIMS = {
    "declarations": "receipts",
    "credit_insurance": "consent",
    "loans": "acceptance",
    "settlement": "signature",
    "door": "drawdown",
    "pages": "application",
}


def check_books(folder: pathlib.Path) -> None:
    report = verify(folder)
    assert report["ok"], report["violations"]


@pytest.mark.parametrize("victim", VICTIMS)
def test_a_killed_process_comes_back_and_the_story_ends_the_same(victim: str, tmp_path: pathlib.Path) -> None:
    with up(tmp_path) as running:
        running.wait_for(f"ok     {VICTIMS[victim]}")
        kill(running.child(victim))
        running.wait_for(ENDED_WELL)
        check_books(tmp_path)


@pytest.mark.parametrize("step", ["declaration", "consent", "acceptance", "signature", "buyer's payment"])
def test_up_is_killed_and_started_again(step: str, tmp_path: pathlib.Path) -> None:
    with up(tmp_path) as running:
        running.wait_for(f"ok     {step}")
        children = running.children()
        assert len(children) == 6
        running.kill()
    wait_until_gone(children)
    with up(tmp_path) as again:
        again.wait_for(ENDED_WELL)
        played = [line for line in again.lines if line.startswith("  ok ")]
        assert len(played) == len(STEPS)
        check_books(tmp_path)
