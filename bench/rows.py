"""Rows of a benchmark's report: the figure beside the ceiling of the same run, their ratio, and the goal."""

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Scale:
    """How long each figure is measured, and how many rows a growing store ends with."""

    seconds: float
    rows: int


@dataclass(frozen=True, slots=True)
class Row:
    """One figure. `goal_on` says whether the goal is for the figure or the ratio; None: there is no goal."""

    what: str
    figure: float
    unit: str
    ceiling: float | None = None
    goal: float | None = None
    goal_on: str | None = None
    better: str = "higher"

    @property
    def ratio(self) -> float | None:
        """Returns the figure over its ceiling."""
        return round(self.figure / self.ceiling, 3) if self.ceiling else None

    def to_json(self) -> dict[str, Any]:
        """Returns the row of performance tables."""
        row = asdict(self)
        row["figure"], row["ratio"] = round(self.figure, 3), self.ratio
        return row


def line(row: dict[str, Any]) -> str:
    """Returns the row for a person."""
    ceiling = f" / {row['ceiling']:,.0f} = {row['ratio']}" if row["ceiling"] else ""
    goal = f"   goal {row['goal']} on {row['goal_on']}" if row["goal"] else ""
    return f"{row['what']:72} {row['figure']:>12,.1f} {row['unit']}{ceiling}{goal}"
