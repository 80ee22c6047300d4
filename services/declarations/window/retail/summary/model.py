"""A summary declaration (mode 9610 export) and the lists that back it: one-to-many, each list once, ever.

A summary is sent whole or in parts (msgCount, msgSeqNo), each of which may be changed by itself; its lists are those
of all its parts. A deletion takes back everything that was sent before it. A summary by time (startTime, endTime)
names no lists: they are those that customs' results (CEB 792) name.

A list that can never back the summary refuses it whole: one that backs another, or is another
merchant's, of another mode or currency. Anything that may still come right is a difference: a list that isn't stored
or not released yet, a total that the lists don't add up to. Its value is the sum of the lists that
are released, so that one that comes back reduces it.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from chassis.currencies import to_text
from chassis.errors import Problem
from chassis.money import Money
from services.declarations.window.retail.list import model as list_model
from services.declarations.window.retail.list.model import RetailList
from services.declarations.window.retail.versions import Change, Version

MODE, DIRECTION = "9610", "EXPORT"
UNKNOWN_CURRENCY = ""
# So many missing parts are told by number.
PARTS_TOLD = 20
# The part number of a deletion, whichever part it names.
TAKEN_BACK = 0


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a summary as it was sent last: its number, from 1, of how many, and the row as it came."""

    summary: str
    number: int
    count: int
    send_us: int
    change: Change
    digest: bytes
    body: bytes

    @property
    def version(self) -> Version:
        """The version that counts."""
        return Version(self.send_us, self.change, self.digest)


def measure(parts: Mapping[int, Part], number: int) -> Part | None:
    """Returns the version that an arriving part of a number is measured by: its last one, or a deletion above that."""
    standing, deletion = parts.get(number), parts.get(TAKEN_BACK)
    if standing is None or deletion is None:
        return standing or deletion
    return deletion if deletion.version.comes_after(standing.version) else standing


def counting(parts: Mapping[int, Part]) -> list[Part]:
    """Returns the parts that make the summary, by number: none sent before a deletion, none beyond the last's count.

    Where 1 of 2 and 2 of 2 came, and then 1 of 1, only the last counts.
    """
    deletion = parts.get(TAKEN_BACK)
    alive = [
        part
        for number, part in sorted(parts.items())
        if number != TAKEN_BACK and (deletion is None or part.version.comes_after(deletion.version))
    ]
    return [part for part in alive if part.number <= newest(alive).count]


def newest(parts: Iterable[Part]) -> Part:
    """Returns the part that counts above all others."""
    return max(parts, key=_moment)


def _moment(part: Part) -> tuple[object, ...]:
    return part.version.order


@dataclass(frozen=True, slots=True)
class RetailSummary:
    """The row; `value` is the sum of its released lists, in the currency of the first thing that had one.

    `declaration` is the number of the goods declaration that it became; empty until it did.
    """

    id: str
    merchant_code: str
    enterprise_number: str
    enterprise: str
    declaration: str
    value: Money
    send_us: int
    change: Change
    body: bytes
    digest: bytes
    create_us: int
    revision: int

    @property
    def name(self) -> str:
        """Its resource name."""
        return f"retailSummaries/{self.id}"


def counted(summary: RetailSummary, retail_list: RetailList | None) -> int:
    """Returns the amount that a list adds to the summary's value, in minor units."""
    if (
        retail_list is None
        or retail_list.status not in list_model.RELEASING
        or next(_misfits("", summary, retail_list), None)
    ):
        return 0
    return retail_list.value.minor_units


def misfits(path: str, summary: RetailSummary, retail_list: RetailList | None) -> list[Problem]:
    """Returns why a list can never back the summary."""
    return [] if retail_list is None else list(_misfits(path, summary, retail_list))


def _misfits(path: str, summary: RetailSummary, retail_list: RetailList) -> Iterator[Problem]:
    if retail_list.merchant_code != summary.merchant_code:
        yield Problem(
            path,
            "LIST_OF_ANOTHER_MERCHANT",
            f"List {retail_list.list_number} isn't this merchant's; take it out.",
            f"清单 {retail_list.list_number} 不属于该电商企业；请移除。",
        )
    if (retail_list.trade_mode, retail_list.direction) != (MODE, DIRECTION):
        yield Problem(
            path,
            "LIST_MODE_DIFFERS",
            f"List {retail_list.list_number} is no export of mode 9610; only those are summed up.",
            f"清单 {retail_list.list_number} 不是 9610 出口清单；仅此类清单可汇总。",
        )
    number, currency = retail_list.list_number, retail_list.value.currency
    if summary.value.currency not in (UNKNOWN_CURRENCY, currency):
        yield Problem(
            path,
            "LIST_CURRENCY_DIFFERS",
            f"List {number} is in {currency}, not {summary.value.currency}; sum it up apart.",
            f"清单 {number} 币制为 {currency}，而非 {summary.value.currency}；请另行汇总。",
        )


def differences(path: str, list_number: str, retail_list: RetailList | None) -> list[Problem]:
    """Returns why a list of the summary doesn't count now."""
    if retail_list is None:
        return [
            Problem(
                path,
                "LIST_UNKNOWN",
                f"List {list_number} hasn't come yet; it counts once it is released.",
                f"清单 {list_number} 尚未收到；放行后计入。",
            )
        ]
    if retail_list.status in list_model.RELEASING:
        return []
    return [
        Problem(path, "LIST_NOT_RELEASED", f"{english} ({list_number})", f"{chinese}（{list_number}）")
        for english, chinese in ((reason.english, reason.chinese) for reason in list_model.reasons(retail_list.status))
    ]


def taken(path: str, list_number: str) -> Problem:
    """Returns the problem that a list backs another summary: it backs one, ever."""
    return Problem(
        path,
        "LIST_SUMMED_ALREADY",
        f"List {list_number} backs another summary; a list is summed up once, ever.",
        f"清单 {list_number} 已计入另一汇总单；每份清单只能汇总一次。",
    )


def missing_parts(parts: Sequence[Part]) -> list[Problem]:
    """Returns the problem that parts haven't come: 2 of 2 alone lacks 1."""
    count = newest(parts).count if parts else 0
    missing = sorted({*range(1, count + 1)} - {part.number for part in parts})
    if not missing:
        return []
    told = ", ".join(map(str, missing[:PARTS_TOLD])) + (", …" if len(missing) > PARTS_TOLD else "")
    return [
        Problem(
            "part_count",
            "PARTS_MISSING",
            f"Of {count} parts these haven't come: {told}; send them.",
            f"共 {count} 份报文，尚缺：{told}；请补发。",
        )
    ]


RESULTS_MISSING = Problem(
    "start_time",
    "RESULTS_MISSING",
    "Customs sums up the lists of this time itself and hasn't told which; they come with its results (CEB 792).",
    "海关按时间范围汇总清单，尚未反馈汇总结果；待收到汇总结果单（CEB 792）后列明。",
)


def total_difference(total: int, value: int, currency: str) -> Problem:
    """Returns the difference between a summary's own total and its lists', in minor units of its currency."""
    return Problem(
        "total",
        "TOTAL_DIFFERS",
        f"The summary declares {to_text(total, currency)}, its released lists add up to {to_text(value, currency)}.",
        f"汇总单申报 {to_text(total, currency)}，其已放行清单合计为 {to_text(value, currency)}。",
    )
