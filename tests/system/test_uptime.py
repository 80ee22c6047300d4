"""The time that `aval up` prints counts from the command's start, whatever the interpreter did first."""

import pathlib
import re
import time

from chassis.process import LIFELINE
from tests.system.support import up

# A start that is as slow as a cold disk makes it; the platform's own processes start as ever.
SLOW_SECONDS = 4
SLOW_START = f"import os, time\nif {LIFELINE!r} not in os.environ:\n    time.sleep({SLOW_SECONDS})\n"


def test_the_time_until_the_platform_is_up_counts_from_the_command_s_start(tmp_path: pathlib.Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(SLOW_START, encoding="utf-8")
    began = time.monotonic()
    with up(tmp_path / "platform", demo=False, environment={"PYTHONPATH": str(tmp_path)}) as running:
        running.wait_for("Aval is up after")
        elapsed = time.monotonic() - began
    match = re.search(r"up after ([0-9]+\.[0-9]) s", running.lines[-1])
    assert match
    assert elapsed - SLOW_SECONDS / 2 < float(match[1]) <= elapsed + 0.1
