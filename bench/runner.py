"""The benchmarks by name."""

from collections.abc import Callable, Mapping
from typing import Any

from bench import doors, encumbrances, intake, posting, queries
from bench.rows import Row, Scale

BENCHMARKS: Mapping[str, Callable[[Scale, Callable[[Row], None]], None]] = {
    "posting": posting.run,
    "intake": intake.run,
    "queries": queries.run,
    "encumbrances": encumbrances.run,
    "doors": doors.run,
}


def run(name: str, scale: Scale, told: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
    """Runs one benchmark or all and returns the rows. Raises KeyError for an unknown name."""
    rows: list[dict[str, Any]] = []

    def tell(row: Row) -> None:
        rows.append(row.to_json())
        told(rows[-1])

    for benchmark in BENCHMARKS if name == "all" else (name,):
        BENCHMARKS[benchmark](scale, tell)
    return {"rows": rows}
