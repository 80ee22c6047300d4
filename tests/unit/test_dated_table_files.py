"""Files of dated tables: all that is wrong with one at once, and which days that have passed a version would change."""

import datetime
import pathlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trade.dated_tables import files, kinds, loading, packaged
from trade.dated_tables.loading import Draft
from trade.dated_tables.model import Table

DAY = datetime.timedelta(days=1)
TODAY = datetime.date(2026, 11, 30)
RATES = "code,value,effective_from,effective_to,source\n"
USD = RATES + "USD,1.1,2026-01-01,,\n"
CALENDAR = "calendars/CN.working"
DAYS = "code,value,english,chinese,source,effective_from,effective_to\n"
WEEKEND = "".join(f"WEEKEND,{day},,,,2000-01-01,\n" for day in ("SATURDAY", "SUNDAY"))


def draft(name: str, text: str, source: str = "a notice") -> Draft:
    """The draft of a file of this text."""
    return loading.draft(pathlib.PurePath(f"{name}.csv"), text.encode(), source)


def reasons(name: str, text: str) -> list[tuple[str, str]]:
    """The problems of a file, each with its path."""
    return [(problem.path, problem.reason) for problem in loading.problems(draft(name, text))]


def calendar(*rows: str, years: str = "2026-01-01,2026-12-31") -> str:
    """A calendar with a weekend of two days in published years."""
    return f"{DAYS}{WEEKEND}PUBLISHED,,,,a notice,{years}\n" + "".join(f"{row}\n" for row in rows)


def off(day: str, code: str = "OFF") -> str:
    """The row of a day that is off."""
    return f"{code},,Holiday,假日,,{day},{day}"


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("exchange_rates", USD, []),
        ("rates", USD, [("name", "TABLE_UNKNOWN")]),
        ("exchange_rates", RATES, [("file", "TABLE_EMPTY")]),
        ("exchange_rates", "", [("header", "COLUMN_MISSING")] * 5),
        ("exchange_rates", "code,value,effective_from,effective_to,source,note,value\nUSD,1,2027-01-01,,,,\n",
         [("header", "COLUMN_TWICE"), ("header", "COLUMN_UNKNOWN")]),
        ("exchange_rates", "code,value,effective_from,source\nUSD,1,2027-01-01,\n", [("header", "COLUMN_MISSING")]),
        ("exchange_rates", RATES + "USD,1.1,2027-01-01\n", [("lines[2]", "CELLS_MISCOUNTED")]),
        ("exchange_rates", RATES + "XXX,0,1 May,31.12.2027,\n",
         [(f"lines[2].{column}", "CELL_INVALID") for column in ("code", "effective_from", "effective_to", "value")]),
        ("exchange_rates", RATES + "USD,1.1,2027-01-02,2027-01-01,\n",
         [("lines[2].effective_to", "PERIOD_BACKWARD")]),
        ("exchange_rates", RATES + "USD,1.1,2027-01-01,2027-01-31,\nUSD,1.2,2027-01-31,,\n",
         [("lines[3].effective_from", "PERIODS_OVERLAP")]),
        ("exchange_rates", RATES + "USD,1.1,2027-01-01,,\nUSD,1.1,2027-01-01,,\n",
         [("lines[3].effective_from", "PERIODS_OVERLAP")]),
        ("exchange_rates", RATES + "USD,1.2,2027-02-02,,\nUSD,1.1,2027-01-01,2027-01-31,\n",
         [("lines[2].effective_from", "PERIODS_HOLE")]),
        ("exchange_rates", RATES + "USD,-1.1,2027-01-01,,\nEUR,1e3,2027-01-01,,\n",
         [("lines[2].value", "CELL_INVALID"), ("lines[3].value", "CELL_INVALID")]),
        ("exchange_rates", f"# rows: 2\n{USD}", [("file", "TABLE_INCOMPLETE")]),
        ("exchange_rates", f"{USD}# sha256: 00\n", [("file", "TABLE_DIGEST_DIFFERS")]),
        (CALENDAR, calendar(off("2026-01-01"), off("2026-02-14", "WORKED")), []),
        (CALENDAR, calendar(off("2026-02-14"), off("2026-02-14", "WORKED")), [("rows[5]", "CALENDAR_MAKE_UP_DAY_OFF")]),
        (CALENDAR, f"{calendar(off('2026-01-01'))}# rows: 3\n", [("file", "TABLE_INCOMPLETE")]),
        ("calendars/CN", calendar(), [("name", "CALENDAR_NAME_INVALID")]),
    ],
)  # fmt: skip
def test_everything_wrong_with_a_file_is_told_at_once(name: str, text: str, expected: list[tuple[str, str]]) -> None:
    assert reasons(name, text) == expected


def test_a_file_that_is_not_text_is_refused() -> None:
    wrong = loading.problems(loading.draft(pathlib.PurePath("exchange_rates.csv"), b"code,\xff", "a notice"))
    assert [problem.reason for problem in wrong] == ["TABLE_NOT_UTF8"]
    assert "byte 5" in wrong[0].english


def test_a_file_tells_its_name_source_version_count_and_digest() -> None:
    digest = draft("exchange_rates", USD).digest.hex()
    head = "\ufeff# name: exchange_rates\r\n# version: 7\n# source: ECB, of 2026-11-27\n\n"
    whole = draft("download", f"{head}{USD}# rows: 1\n# sha256: {digest}\n\n", source="")
    assert loading.problems(whole) == []
    assert (whole.name, whole.source, whole.digest.hex()) == ("exchange_rates", "ECB, of 2026-11-27", digest)
    assert loading.table(whole, None, "") == Table(
        name="exchange_rates", version=7, source="ECB, of 2026-11-27", content=USD.encode()
    )


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("a/exchange_rates.csv", "exchange_rates"),
        ("a/calendars/CN.working.csv", "calendars/CN.working"),
        ("CN.working.csv", "CN.working"),
    ],
)
def test_a_file_that_says_no_name_is_named_by_its_path(path: str, name: str) -> None:
    assert loading.draft(pathlib.PurePath(path), b"").name == name


def test_a_file_without_a_source_is_refused() -> None:
    wrong = loading.problems(draft("exchange_rates", USD, source=""))
    assert [(problem.path, problem.reason) for problem in wrong] == [("source", "TABLE_SOURCE_MISSING")]


def test_what_comes_with_aval_is_right_and_stored_as_it_is() -> None:
    tables = list(packaged.tables())
    for table in tables:
        read = files.read(table.content)
        kind = kinds.kind_of(table.name)
        assert kind is not None
        assert kind.problems(table.name, read) == []
        assert read.content == table.content
    assert set(kinds.KINDS) < {table.name for table in tables}
    assert CALENDAR in {table.name for table in tables}


def past(name: str, before: str, after: str) -> list[tuple[str, str]]:
    """The codes and days before today that a version would change."""
    kind, old, new = kinds.kind_of(name), files.read(before.encode()), files.read(after.encode())
    assert kind is not None
    return [(code, day.isoformat()) for code, day in kind.past_changes(name, old, new, TODAY)]


NEW_YEAR = off("2026-01-01")
NEXT_YEAR = "2026-01-01,2027-12-31"
BANKING = "ZONE,Asia/Shanghai,,,,2000-01-01,", "CUT_OFF,17:00,,,,2000-01-01,"


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
        (CALENDAR, calendar(NEW_YEAR), calendar(NEW_YEAR), []),
        (CALENDAR, calendar(NEW_YEAR), calendar(), [("OPEN", "2026-01-01")]),
        (CALENDAR, calendar(NEW_YEAR), calendar(NEW_YEAR, off("2026-11-27")), [("OPEN", "2026-11-27")]),
        (CALENDAR, calendar(NEW_YEAR), calendar(NEW_YEAR, off("2026-11-30")), []),
        (CALENDAR, calendar(NEW_YEAR), calendar(NEW_YEAR, off("2027-01-01"), years=NEXT_YEAR), []),
        # A year that wasn't published says nothing yet.
        (CALENDAR, calendar(), calendar(off("2025-10-01"), years="2025-01-01,2026-12-31"), []),
        (CALENDAR, calendar(*BANKING), calendar(*BANKING[:1], BANKING[1].replace("17", "16")),
         [("CUT_OFF", "2026-01-01")]),
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
