"""64 institutions race for one declaration's value, with expiries, amendments, returns and killed processes.

python -m tests.races [--attempts 100000] [--database sqlite|postgresql] [--mode exclusive|pari-passu] [--json]

Each run proves I1 to I7 after every commit and everything at the end, from the rows alone.
"""

import argparse
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from chassis import eventlog, testing
from tests.race_load import INSTITUTIONS
from tests.service.register_world import INSURER, World

MODES = ("exclusive", "pari-passu")
DATABASES = ("sqlite", "postgresql")
RESERVED = "ReserveEncumbrance "
Told = Callable[[str], None]


@dataclass
class Result:
    """The work and the violations of a run."""

    database: str
    mode: str
    kills: int = 0
    commits: int = 0
    seconds: float = 0.0
    counted: Counter[str] = field(default_factory=Counter)
    violations: list[str] = field(default_factory=list)

    @property
    def attempts(self) -> int:
        """How many reservations were tried, that answered."""
        return sum(count for what, count in self.counted.items() if what.startswith(RESERVED))

    def take(self, line: dict[str, Any]) -> None:
        """Adds what a process did since its last line."""
        self.counted.update(line["counted"])
        self.commits += line["commits"]
        self.violations += line["violations"]

    def to_json(self) -> dict[str, Any]:
        """The figures."""
        return {
            "database": self.database,
            "mode": self.mode,
            "attempts": self.attempts,
            "kills": self.kills,
            "commits_proved": self.commits,
            "seconds": round(self.seconds, 1),
            "outcomes": dict(sorted(self.counted.items())),
            "violations": self.violations,
        }


def race(url: str, database: str, mode: str, attempts: int, kills: int, seed: int, told: Told) -> Result:
    """One run: processes in turn on SQLite, two at a time on PostgreSQL; some of them are killed."""
    world = World(url)
    world.consent(*INSTITUTIONS, INSURER)
    asset = world.declared()
    result, start = Result(database, mode), time.monotonic()
    while result.attempts < attempts:
        seed += 1
        quota = -(-(attempts - result.attempts) // (kills - result.kills + 1)) if result.kills < kills else attempts
        _turn(result, url, asset, seed, min(quota, attempts - result.attempts), told)
    result.seconds = time.monotonic() - start
    with world.store.read() as connection:
        result.violations += eventlog.violations(connection)
    result.violations += world.violations()
    result.kills = min(result.kills, kills)
    world.store.close()
    return result


def _turn(result: Result, url: str, asset: str, seed: int, quota: int, told: Told) -> None:
    """Some processes until together they have tried so often; then the first is killed, the others end."""
    count = 1 if url.startswith("sqlite") else 2
    before = result.attempts
    rounds = -(-quota // len(INSTITUTIONS) // count) + 50
    processes = [_start(url, result.mode, seed * 10 + index, rounds, asset) for index in range(count)]
    try:
        while result.attempts - before < quota:
            for process in processes:
                _take_line(result, process)
            if result.commits % 200 < 2:
                told(
                    f"{result.database} {result.mode}: {result.attempts:,} attempts, {result.commits:,} commits proved"
                )
    finally:
        for process in processes:
            # Killed in the midst of whatever it is doing.
            os.kill(process.pid, signal.SIGKILL)
            result.kills += 1
            _drain(result, process)


def _start(url: str, mode: str, seed: int, rounds: int, asset: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.race_load", url, mode, str(seed), str(rounds), asset]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def _take_line(result: Result, process: subprocess.Popen[str]) -> None:
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        raise RuntimeError(f"a racing process ended by itself with {process.wait()}")
    result.take(json.loads(line))


def _drain(result: Result, process: subprocess.Popen[str]) -> None:
    """Reads what a killed process had still said; the last line may be cut."""
    assert process.stdout is not None
    for line in process.stdout.readlines():
        if line.endswith("\n"):
            result.take(json.loads(line))
    process.wait()
    process.stdout.close()


def main() -> int:
    """Prints each run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--attempts", type=int, default=100_000)
    parser.add_argument("--kills", type=int, default=6)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--database", choices=DATABASES)
    parser.add_argument("--mode", choices=MODES)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    results = []
    with testing.postgresql() as server, tempfile.TemporaryDirectory(dir=pathlib.Path.cwd(), prefix=".race-") as folder:
        for database in [options.database] if options.database else DATABASES:
            for mode in [options.mode] if options.mode else MODES:
                url = server.new_database() if database == "postgresql" else f"sqlite:///{folder}/{mode}"
                told = _say if not options.json else _silently
                results.append(race(url, database, mode, options.attempts, options.kills, options.seed, told))
                _print(results[-1], options.json)
    return 1 if any(result.violations for result in results) else 0


def _say(text: str) -> None:
    sys.stderr.write(f"  {text}\n")


def _silently(_text: str) -> None:
    pass


def _print(result: Result, as_json: bool) -> None:
    found = result.to_json()
    sys.stdout.write(f"{json.dumps(found) if as_json else _text(found)}\n")
    sys.stdout.flush()


def _text(found: dict[str, Any]) -> str:
    head = (
        f"{found['database']}, {found['mode']}: {found['attempts']:,} attempts, {found['kills']} processes killed, "
        f"{found['commits_proved']:,} commits proved in {found['seconds']} s, {len(found['violations'])} violations"
    )
    outcomes = [f"    {count:>8,} {what}" for what, count in found["outcomes"].items()]
    return "\n".join([head, *outcomes, *(f"  ! {violation}" for violation in found["violations"][:20])])


if __name__ == "__main__":
    sys.exit(main())
