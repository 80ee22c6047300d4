"""Fills trade/data/calendars from kept sources and published rules: `AVAL_DATA=… python scripts/fill_calendars.py`.

The sources are in codelists/holidays of the data (SOURCES.md there): the State Council's notices as holiday-cn has
them, snapshots of vacanza/holidays for the other places. Calendars that follow a rule are computed here, through the
last year that their publisher stands by. Aval never runs this: a version never changes; what is published later is a
new VERSION.
"""

import csv
import datetime
import io
import json
import os
import pathlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise

VERSION = 1
TARGET = pathlib.Path(__file__).parents[1] / "trade" / "data" / "calendars"
COLUMNS = ("code", "value", "english", "chinese", "source", "effective_from", "effective_to")
DAY = datetime.timedelta(days=1)
# The State Council publishes a year late in the one before; the snapshots' later years are their own computation.
FIRST, LAST = 2018, 2026
# The Federal Reserve's schedule names five years; TARGET's calendar stands until further notice.
LAST_OF_FED, LAST_OF_TARGET = 2030, 2050

MONDAY, THURSDAY, SATURDAY, SUNDAY = 0, 3, 5, 6
Name = tuple[str, str]
Holidays = dict[datetime.date, Name]

# The State Council's holidays.
OF_CHINA: Mapping[str, str] = {
    "元旦": "New Year",
    "春节": "Spring Festival",
    "清明节": "Qingming Festival",
    "劳动节": "Labour Day",
    "端午节": "Dragon Boat Festival",
    "中秋节": "Mid-Autumn Festival",
    "国庆节": "National Day",
}
# The snapshots' names, without what they add to them.
CHINESE: Mapping[str, str] = {
    "New Year's Day": "元旦",
    "Chinese New Year": "农历新年",
    "The second day of Chinese New Year": "农历年初二",
    "The third day of Chinese New Year": "农历年初三",
    "The fourth day of Chinese New Year": "农历年初四",
    "Good Friday": "耶稣受难日",
    "Easter Monday": "复活节星期一",
    "Tomb-Sweeping Day": "清明节",
    "Labor Day": "劳动节",
    "The Buddha's Birthday": "佛诞",
    "Dragon Boat Festival": "端午节",
    "Hong Kong S.A.R. Establishment Day": "香港特别行政区成立纪念日",
    "Mid-Autumn Festival": "中秋节",
    "National Day": "国庆日",
    "Double Ninth Festival": "重阳节",
    "Christmas Day": "圣诞节",
    "The first weekday after Christmas Day": "圣诞节后第一个周日",
    "The second weekday after Christmas Day": "圣诞节后第二个周日",
    "Ascension Day": "耶稣升天节",
    "Pentecost Monday": "圣灵降临节星期一",
    "German Unity Day": "德国统一日",
    "Second Day of Christmas": "圣诞节次日",
    "Vesak Day": "卫塞节",
    "Eid al-Fitr": "开斋节",
    "Eid al-Adha": "哈芝节",
    "Islamic New Year": "回历新年",
    "Malaysia Day": "马来西亚日",
    "Birthday of HM Yang di-Pertuan Agong": "最高元首诞辰",
    "Day of Installation of the 16th Yang di-Pertuan Agong": "第十六任最高元首登基日",
    "Prophet Muhammad's Birthday": "先知穆罕默德诞辰",
    "General election additional holiday": "大选公共假期",
    "Additional holiday": "特别公共假期",
    "Birthday of Martin Luther King, Jr.": "马丁·路德·金诞辰",
    "Washington's Birthday": "华盛顿诞辰",
    "Memorial Day": "阵亡将士纪念日",
    "Juneteenth National Independence Day": "六月节国家独立日",
    "Independence Day": "独立日",
    "Columbus Day": "哥伦布日",
    "Veterans Day": "退伍军人节",
    "Thanksgiving Day": "感恩节",
}
ADDED: Mapping[str, str] = {
    " (observed)": "（补假）",
    " (Second Day)": "第二日",
    " (Second Day) (observed)": "第二日（补假）",
    " (additional holiday)": "（加假）",
}
FOLLOWING: Mapping[str, str] = {"The day following ": "翌日", "The Second Day following ": "后第二日"}


@dataclass(frozen=True, kw_only=True)
class Filled:
    """A calendar to be written: its name, published years by their sources, days off, days made up, and settings."""

    name: str
    published: Mapping[tuple[int, int], str]
    off: Holidays
    worked: Holidays
    settings: tuple[tuple[str, str, str], ...] = ()


def rows(calendar: Filled) -> Iterator[tuple[str, ...]]:
    """Yields a calendar's rows in the order of COLUMNS; days of one name that follow each other are one row."""
    for (first, last), source in calendar.published.items():
        yield "PUBLISHED", "", "", "", source, f"{first}-01-01", f"{last}-12-31"
    for code, value, source in (("WEEKEND", "SATURDAY", ""), ("WEEKEND", "SUNDAY", ""), *calendar.settings):
        yield code, value, "", "", source, datetime.date.min.isoformat(), ""
    for code, days in (("OFF", calendar.off), ("WORKED", calendar.worked)):
        for first_day, last_day, (english, chinese) in spans(days):
            yield code, "", english, chinese, "", first_day.isoformat(), last_day.isoformat()


def spans(days: Holidays) -> Iterator[tuple[datetime.date, datetime.date, Name]]:
    """Yields first and last day of each run of days of one name: National Day from 1 to 7 October."""
    ordered = sorted(days)
    ends = [day for day, after in pairwise([*ordered, datetime.date.max]) if not _is_run(days, day, after)]
    starts = [day for before, day in pairwise([datetime.date.min, *ordered]) if not _is_run(days, before, day)]
    for first, last in zip(starts, ends, strict=True):
        yield first, last, days[first]


def _is_run(days: Holidays, day: datetime.date, after: datetime.date) -> bool:
    return after - day == DAY and days.get(day) == days.get(after)


def of_china(folder: pathlib.Path) -> Filled:
    """Returns China's working days: off and made up as the State Council's notices say, each year by its own."""
    off: Holidays = {}
    worked: Holidays = {}
    published: dict[tuple[int, int], str] = {}
    for year in range(FIRST, LAST + 1):
        notice = json.loads((folder / "cn_state_council" / f"{year}.json").read_text("utf-8"))
        published[year, year] = " ".join(notice["papers"])
        for entry in notice["days"]:
            day = datetime.date.fromisoformat(entry["date"])
            if entry["isOffDay"]:
                off[day] = name_in_china(entry["name"])
            elif day.weekday() >= SATURDAY:
                worked[day] = name_in_china(entry["name"])
    return Filled(name="CN.working", published=published, off=off, worked=worked)


def name_in_china(chinese: str) -> Name:
    """Returns a holiday in both languages: 国庆节、中秋节 is National Day and Mid-Autumn Festival."""
    return " and ".join(OF_CHINA[part] for part in re.split("[、及]", chinese)), chinese


def of_chinese_banks(working: Filled) -> Iterator[Filled]:
    """Yields a bank's days, where it opens on make-up days and where it doesn't, and those of foreign exchange.

    Notices bind offices; a bank says itself whether its counters open on make-up days, and CFETS never does.
    """
    counter = (("ZONE", "Asia/Shanghai", ""), ("CUT_OFF", "17:00", "A usual hour; a bank's own table says its own"))
    yield replace(working, name="CN.banking", worked={}, settings=counter)
    yield replace(working, name="CN.banking.make_up_days", settings=counter)
    yield replace(working, name="CN.foreign_exchange", worked={})


def of_snapshot(folder: pathlib.Path, name: str, file: str, source: str, names: Iterable[str] = CHINESE) -> Filled:
    """Returns a place's days off by its snapshot, those of the names that count there."""
    snapshot = json.loads((folder / "vacanza" / f"{file}.json").read_text("utf-8"))
    counting = set(names)
    off: Holidays = {}
    for text, english in snapshot.items():
        day = datetime.date.fromisoformat(text)
        holidays = [part for part in english.split("; ") if plain(part)[0] in counting]
        if holidays and FIRST <= day.year <= LAST:
            off[day] = "; ".join(holidays), "；".join(in_chinese(part) for part in holidays)
    source = f"{source}; vacanza/holidays snapshot {file}"
    return Filled(name=name, published={(FIRST, LAST): source}, off=off, worked={})


def plain(english: str) -> tuple[str, str, str]:
    """Returns a holiday's own name, what stands before it and what is added: Vesak Day, "", " (observed)"."""
    before = next((start for start in FOLLOWING if english.lower().startswith(start.lower())), "")
    name = english[len(before) :]
    added = max((end for end in ADDED if name.endswith(end)), key=len, default="")
    return name.removesuffix(added), before, added


def in_chinese(english: str) -> str:
    """Returns a holiday's name in Chinese: 佛诞翌日 for The day following the Buddha's Birthday."""
    name, before, added = plain(english)
    return CHINESE[name] + FOLLOWING.get(before, "") + ADDED.get(added, "")


def nth(year: int, month: int, weekday: int, number: int) -> datetime.date:
    """Returns a weekday of a month by its number: the third Monday of January 2026 is the 19th."""
    first = datetime.date(year, month, 1)
    return first + DAY * ((weekday - first.weekday()) % 7 + 7 * (number - 1))


def last_monday(year: int, month: int) -> datetime.date:
    """Returns the last Monday of a month that has 31 days: 2026-05-25."""
    last = datetime.date(year, month, 31)
    return last - DAY * last.weekday()


# The holidays of the Federal Reserve Banks: day by year, and the first year.
OF_FED: Mapping[str, tuple[Callable[[int], datetime.date], int]] = {
    "New Year's Day": (lambda year: datetime.date(year, 1, 1), FIRST),
    "Birthday of Martin Luther King, Jr.": (lambda year: nth(year, 1, MONDAY, 3), FIRST),
    "Washington's Birthday": (lambda year: nth(year, 2, MONDAY, 3), FIRST),
    "Memorial Day": (lambda year: last_monday(year, 5), FIRST),
    "Juneteenth National Independence Day": (lambda year: datetime.date(year, 6, 19), 2021),
    "Independence Day": (lambda year: datetime.date(year, 7, 4), FIRST),
    "Labor Day": (lambda year: nth(year, 9, MONDAY, 1), FIRST),
    "Columbus Day": (lambda year: nth(year, 10, MONDAY, 2), FIRST),
    "Veterans Day": (lambda year: datetime.date(year, 11, 11), FIRST),
    "Thanksgiving Day": (lambda year: nth(year, 11, THURSDAY, 4), FIRST),
    "Christmas Day": (lambda year: datetime.date(year, 12, 25), FIRST),
}


def of_fed() -> Filled:
    """Returns the days of the Federal Reserve: a Sunday's holiday is kept on Monday too, a Saturday's isn't moved.

    2027-07-04 is a Sunday: 2027-07-05 is off. 2026-07-04 is a Saturday: Friday 2026-07-03 is open.
    """
    off: Holidays = {}
    for english, (day_of, first) in OF_FED.items():
        for day in (day_of(year) for year in range(first, LAST_OF_FED + 1)):
            off[day] = english, in_chinese(english)
            if day.weekday() == SUNDAY:
                off[day + DAY] = f"{english} (observed)", in_chinese(f"{english} (observed)")
    source = (
        "Federal Reserve Banks, holiday schedules: www.frbservices.org/about/holiday-schedules, www.richmondfed.org"
    )
    return Filled(name="US.payment_system", published={(FIRST, LAST_OF_FED): source}, off=off, worked={})


def easter(year: int) -> datetime.date:
    """Returns Easter Sunday of the Gregorian calendar, by Gauss as Butcher has it: 2026-04-05."""
    golden, (century, rest) = year % 19, divmod(year, 100)
    leaps, century_rest = divmod(century, 4)
    moon = (century - (century + 8) // 25 + 1) // 3
    epact = (19 * golden + century - leaps - moon + 15) % 30
    weekday = (32 + 2 * century_rest + 2 * (rest // 4) - epact - rest % 4) % 7
    late = (golden + 11 * epact + 22 * weekday) // 451
    month, day = divmod(epact + weekday - 7 * late + 114, 31)
    return datetime.date(year, month, day + 1)


OF_TARGET: Mapping[Name, Callable[[int], datetime.date]] = {
    ("New Year's Day", "元旦"): lambda year: datetime.date(year, 1, 1),
    ("Good Friday", "耶稣受难日"): lambda year: easter(year) - 2 * DAY,
    ("Easter Monday", "复活节星期一"): lambda year: easter(year) + DAY,
    ("Labour Day", "劳动节"): lambda year: datetime.date(year, 5, 1),
    ("Christmas Day", "圣诞节"): lambda year: datetime.date(year, 12, 25),
    ("26 December", "圣诞节次日"): lambda year: datetime.date(year, 12, 26),
}


def of_target() -> Filled:
    """Returns the days of TARGET: six closing days beside weekends, none moved."""
    years = range(FIRST, LAST_OF_TARGET + 1)
    off = {day_of(year): name for name, day_of in OF_TARGET.items() for year in years}
    source = "ECB, 14 December 2000: long-term calendar for TARGET closing days, until further notice"
    return Filled(name="EU.payment_system", published={(FIRST, LAST_OF_TARGET): source}, off=off, worked={})


def calendars(folder: pathlib.Path) -> Iterator[Filled]:
    """Yields all calendars from the folder of kept sources."""
    working = of_china(folder)
    yield working
    yield from of_chinese_banks(working)
    yield of_fed()
    yield of_target()
    general = "General Holidays Ordinance (Cap. 149); CHATS runs from Monday to Friday except on general holidays"
    yield of_snapshot(folder, "HK.payment_system", "HK_COMMON", general)
    yield of_snapshot(folder, "US.working", "US_COMMON", "5 U.S.C. 6103", OF_FED)
    yield of_snapshot(folder, "DE.working", "DE_COMMON", "Holidays of all German states")
    yield of_snapshot(folder, "MY.working", "MY_COMMON", "Holidays of the Malaysian federation")


def text(calendar: Filled) -> str:
    """Returns a calendar as CSV."""
    written = io.StringIO()
    csv.writer(written, lineterminator="\n").writerows([COLUMNS, *rows(calendar)])
    return written.getvalue()


def main() -> None:
    """Writes all calendars of this VERSION."""
    TARGET.mkdir(parents=True, exist_ok=True)
    for calendar in calendars(pathlib.Path(os.environ["AVAL_DATA"]) / "codelists" / "holidays"):
        (TARGET / f"{calendar.name}.{VERSION}.csv").write_text(text(calendar), encoding="utf-8", newline="")


if __name__ == "__main__":
    main()
