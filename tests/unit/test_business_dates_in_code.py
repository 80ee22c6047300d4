"""No rule reads the clock's day: what counts today takes the business date of its transaction or reading."""

import ast
import pathlib
from collections.abc import Iterator

import pytest

ROOT = pathlib.Path(__file__).parents[2]
ROOMS = ("services", "gateway", "trade", "ledger")
# What makes a day of an instant. `now_us` is the present one: its day is nobody's business date.
DAY_OF_INSTANT = {"day_in_china", "day"}
PRESENT = "now_us"
# What reads the machine's clock past the injected one.
CLOCK_READERS = {"today", "utcnow"}


def violations(source: str) -> list[str]:
    """The calls of a module that take today's date from the clock, as text."""
    return [ast.unparse(call) for call in calls(source) if takes_today(call)]


def calls(source: str) -> Iterator[ast.Call]:
    """The calls of a module."""
    return (node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call))


def takes_today(call: ast.Call) -> bool:
    """Whether a call makes the present instant a day, or asks the machine for its day."""
    name = name_of(call.func)
    if name in CLOCK_READERS:
        return True
    return name in DAY_OF_INSTANT and any(name_of(part) == PRESENT for part in ast.walk(call))


def name_of(node: ast.AST) -> str:
    """The last name of a name or an attribute: now_us of reading.now_us."""
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def test_no_rule_takes_todays_date_from_the_clock() -> None:
    modules = [file for room in ROOMS for file in (ROOT / room).rglob("*.py") if "versions" not in file.parts]
    assert len(modules) > 300
    found = {
        str(file.relative_to(ROOT)): calls
        for file in modules
        if file.name != "__main__.py" and (calls := violations(file.read_text("utf-8")))
    }
    assert found == {}


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("on = day_in_china(transaction.now_us)", 1),
        ("on = calendars.day_in_china(now_us)", 1),
        ("on = clock.day(reading.now_us + 1, CHINA)", 1),
        ("on = datetime.date.today()", 1),
        ("on = day_in_china(loan.create_us)", 0),
        ("on = transaction.business_date", 0),
    ],
)
def test_the_rule_tells_today_from_the_day_of_an_instant(source: str, expected: int) -> None:
    assert len(violations(source)) == expected
