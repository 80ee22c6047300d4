"""The benchmarks by name."""

from collections.abc import Callable, Mapping
from typing import Any

from bench import posting
from bench.rows import Row

BENCHMARKS: Mapping[str, Callable[[float, Callable[[Row], None]], None]] = {"posting": posting.run}


def run(name: str, seconds: float, told: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
    """The rows of one benchmark or of all. KeyError for an unknown name."""
    rows: list[dict[str, Any]] = []

    def tell(row: Row) -> None:
        rows.append(row.to_json())
        told(rows[-1])

    for benchmark in BENCHMARKS if name == "all" else (name,):
        BENCHMARKS[benchmark](seconds, tell)
    return {"rows": rows}
