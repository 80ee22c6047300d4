"""Files of dated tables: all that is wrong with one at once, and which days that have passed a version would change."""

import datetime
import pathlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trade.dated_tables import changes, files, kinds, loading, packaged
from trade.dated_tables.kinds import KINDS
from trade.dated_tables.loading import Draft
from trade.dated_tables.model import Table

DAY = datetime.timedelta(days=1)
TODAY = datetime.date(2026, 11, 30)
HOLIDAYS = "code,kind,english,chinese,effective_from,effective_to\n"
RATES = "code,value,effective_from,effective_to,source\n"
BASES = "code,value,effective_from,effective_to\n"


def draft(name: str, text: str, source: str = "a notice") -> Draft:
    """The draft of a file of this text."""
    return loading.draft(pathlib.PurePath(f"{name}.csv"), text.encode(), source)


def reasons(name: str, text: str) -> list[tuple[str, str]]:
    """What is wrong with a file, and where."""
    return [(problem.path, problem.reason) for problem in loading.problems(draft(name, text))]


def holiday(day: str, kind: str = "OFF") -> str:
    """The row of a day."""
    return f"{day},{kind},Holiday,假日,{day},{day}\n"


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("holidays", HOLIDAYS + holiday("2027-01-01") + holiday("2027-02-20", "WORKING"), []),
        ("holiday", HOLIDAYS + holiday("2027-01-01"), [("name", "TABLE_UNKNOWN")]),
        ("holidays", HOLIDAYS, [("file", "TABLE_EMPTY")]),
        ("holidays", "", [("header", "COLUMN_MISSING")] * 6),
        ("day_count_bases", "code,value,effective_from,effective_to,note,value\nCNY,360,2027-01-01,,,\n",
         [("header", "COLUMN_TWICE"), ("header", "COLUMN_UNKNOWN")]),
        ("day_count_bases", "code,value,effective_from\nCNY,360,2027-01-01\n", [("header", "COLUMN_MISSING")]),
        ("day_count_bases", BASES + "CNY,360,2027-01-01\n", [("lines[2]", "CELLS_MISCOUNTED")]),
        ("day_count_bases", BASES + "XXX,361,1 May,31.12.2027\n",
         [(f"lines[2].{column}", "CELL_INVALID") for column in ("code", "effective_from", "effective_to", "value")]),
        ("day_count_bases", BASES + "CNY,360,2027-01-02,2027-01-01\n", [("lines[2].effective_to", "PERIOD_BACKWARD")]),
        ("exchange_rates", RATES + "USD,1.1,2027-01-01,2027-01-31,\nUSD,1.2,2027-01-31,,\n",
         [("lines[3].effective_from", "PERIODS_OVERLAP")]),
        ("exchange_rates", RATES + "USD,1.1,2027-01-01,,\nUSD,1.1,2027-01-01,,\n",
         [("lines[3].effective_from", "PERIODS_OVERLAP")]),
        ("exchange_rates", RATES + "USD,1.2,2027-02-02,,\nUSD,1.1,2027-01-01,2027-01-31,\n",
         [("lines[2].effective_from", "PERIODS_HOLE")]),
        ("exchange_rates", RATES + "USD,-1.1,2027-01-01,,\nEUR,1e3,2027-01-01,,\n",
         [("lines[2].value", "CELL_INVALID"), ("lines[3].value", "CELL_INVALID")]),
        ("holidays", HOLIDAYS + holiday("2027-02-20", "WORKING") + holiday("2027-02-20"),
         [("lines[3].effective_from", "PERIODS_OVERLAP")]),
        ("holidays", HOLIDAYS + holiday("2027-02-22", "WORKING"), [("lines[2].kind", "MAKE_UP_DAY_ON_WEEKDAY")]),
        ("holidays", HOLIDAYS + holiday("2025-01-01") + holiday("2027-01-01"), [("file", "YEAR_MISSING")]),
        ("holidays", HOLIDAYS + "2027-01-01,OFF,New Year,元旦,2027-01-01,2027-01-03\n",
         [("lines[2].effective_from", "DAY_OFF_PERIOD")]),
        ("holidays", f"# rows: 2\n{HOLIDAYS}{holiday('2027-01-01')}", [("file", "TABLE_INCOMPLETE")]),
        ("holidays", f"{HOLIDAYS}{holiday('2027-01-01')}# sha256: 00\n", [("file", "TABLE_DIGEST_DIFFERS")]),
    ],
)  # fmt: skip
def test_everything_wrong_with_a_file_is_told_at_once(name: str, text: str, expected: list[tuple[str, str]]) -> None:
    assert reasons(name, text) == expected


def test_a_file_that_is_not_text_is_refused() -> None:
    wrong = loading.problems(loading.draft(pathlib.PurePath("holidays.csv"), b"code,\xff", "a notice"))
    assert [problem.reason for problem in wrong][0] == "TABLE_NOT_UTF8"
    assert "byte 5" in wrong[0].english


def test_a_file_tells_its_name_source_version_count_and_digest() -> None:
    rows = HOLIDAYS + holiday("2027-01-01")
    digest = draft("holidays", rows).digest.hex()
    head = "\ufeff# name: holidays\r\n# version: 7\n# source: State Council, notice of 2026\n\n"
    whole = draft("download", f"{head}{rows}# rows: 1\n# sha256: {digest}\n\n", source="")
    assert loading.problems(whole) == []
    assert (whole.name, whole.source, whole.digest.hex()) == ("holidays", "State Council, notice of 2026", digest)
    assert loading.table(whole, None, "") == Table(
        name="holidays", version=7, source="State Council, notice of 2026", content=rows.encode()
    )


def test_a_file_without_a_source_is_refused() -> None:
    wrong = loading.problems(draft("holidays", HOLIDAYS + holiday("2027-01-01"), source=""))
    assert [(problem.path, problem.reason) for problem in wrong] == [("source", "TABLE_SOURCE_MISSING")]


def test_what_comes_with_aval_is_right_and_stored_as_it_is() -> None:
    for table in packaged.tables():
        read = files.read(table.content)
        assert kinds.problems(table.name, KINDS[table.name], read) == []
        assert read.content == table.content
    assert {table.name for table in packaged.tables()} == set(KINDS)


def past(name: str, before: str, after: str) -> list[tuple[str, str]]:
    """The codes and days before today that a version would change."""
    old, new = (kinds.lines(draft(name, text).file) for text in (before, after))
    return [(code, day.isoformat()) for code, day in changes.past_changes(KINDS[name], old, new, TODAY)]


USD = RATES + "USD,1.1,2026-01-01,,\n"


@pytest.mark.parametrize(
    ("name", "before", "after", "expected"),
    [
        ("exchange_rates", USD, USD, []),
        # The present date isn't over: its rate may come.
        ("exchange_rates", USD, RATES + "USD,1.1,2026-01-01,2026-11-29,\nUSD,1.2,2026-11-30,,\n", []),
        ("exchange_rates", USD, RATES + "USD,1.1,2026-01-01,2026-11-28,\nUSD,1.2,2026-11-29,,\n",
         [("USD", "2026-11-29")]),
        # A currency that had no rate: nothing was computed by it.
        ("exchange_rates", USD, USD + "GBP,0.8,2020-01-01,,\n", []),
        ("exchange_rates", USD, RATES + "USD,1.1,2026-02-01,,\n", [("USD", "2026-01-01")]),
        ("exchange_rates", USD, RATES + "GBP,0.8,2020-01-01,,\n", [("USD", "2026-01-01")]),
        ("exchange_rates", USD, RATES + "USD,1.1,2026-01-01,,another source\n", [("USD", "2026-01-01")]),
        # A period that is divided says the same.
        ("exchange_rates", USD, RATES + "USD,1.1,2026-01-01,2026-03-31,\nUSD,1.1,2026-04-01,,\n", []),
        # No row of a day says that it is no holiday.
        ("holidays", HOLIDAYS + holiday("2026-01-01"), HOLIDAYS + holiday("2026-01-01") + holiday("2026-11-27"),
         [("2026-11-27", "2026-11-27")]),
        ("holidays", HOLIDAYS + holiday("2026-01-01"), HOLIDAYS + holiday("2026-01-01") + holiday("2027-01-01"), []),
        ("holidays", HOLIDAYS + holiday("2026-01-01"), HOLIDAYS + holiday("2027-01-01"), [("2026-01-01", "2026-01-01")]),
    ],
)  # fmt: skip
def test_a_version_that_changes_days_that_have_passed_is_noticed(
    name: str, before: str, after: str, expected: list[tuple[str, str]]
) -> None:
    assert past(name, before, after) == expected


Periods = list[tuple[datetime.date, str]]
periods = st.dictionaries(st.integers(-40, 10), st.sampled_from("123"), min_size=1).map(
    lambda days: [(TODAY + number * DAY, days[number]) for number in sorted(days)]
)


def table_of(rows: Periods) -> str:
    """Rates of a currency, each until the next one."""
    ends = [(day - DAY).isoformat() for day, _ in rows[1:]] + [""]
    return RATES + "".join(f"USD,{rate},{day},{end},\n" for (day, rate), end in zip(rows, ends, strict=True))


def on(rows: Periods, day: datetime.date) -> str | None:
    """The rate of a day, by looking at each row."""
    return next((rate for first, rate in reversed(rows) if first <= day), None)


@given(before=periods, after=periods)
def test_the_first_changed_day_is_that_of_a_walk_over_all_days(before: Periods, after: Periods) -> None:
    days = [TODAY - number * DAY for number in range(60, 0, -1)]
    changed = [day for day in days if on(before, day) is not None and on(before, day) != on(after, day)]
    expected = [("USD", changed[0].isoformat())] if changed else []
    assert past("exchange_rates", table_of(before), table_of(after)) == expected
