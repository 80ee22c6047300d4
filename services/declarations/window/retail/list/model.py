"""A list (the declaration of one parcel) as the platform keeps it, and how notices of it move it.

A notice is whatever is said of a list: a receipt of customs (604, 622), an application to cancel or
return it (605, 623, 213, 625) and the answer to that (606, 624, 214, 626), its departure (607), its deletion by the
declarant. All count alike, by data/list_receipt_codes.csv and data/list_statuses.csv, in any order and however often
they come. An application that was refused or withdrawn later counts for nothing.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date

from chassis import ids
from chassis.errors import Problem
from chassis.money import Money
from services.declarations.customs.code_tables import code_table
from services.declarations.customs.receipt_machine import ReceiptMachine
from services.declarations.window.retail.versions import Change, Step, Version, step

MACHINE = ReceiptMachine("list_receipt_codes", "list_statuses", "DRAFT")
LOAD, DEPART, CANCEL, RETURN, DELETE = "LOAD", "DEPART", "CANCEL", "RETURN", "DELETE"
# By an application: what says that it was refused or withdrawn.
VOIDS: Mapping[str, str] = {CANCEL: "CANCEL_VOID", RETURN: "RETURN_VOID"}
RELEASING = ("RELEASED", "CLOSED")
# Facts of a list: code and notice time in microseconds.
Fact = tuple[str, int]


@dataclass(frozen=True, slots=True)
class RetailList:
    """The row: what is searched or judged, and the newest body as it came (a serialised RetailList)."""

    id: str
    direction: str
    merchant_code: str
    enterprise_number: str
    list_number: str | None
    pre_number: str | None
    enterprise: str
    order_number: str
    platform_code: str
    waybill: str
    trade_mode: str
    country: str
    value: Money
    status: str
    release_us: int | None
    departure_us: int | None
    send_us: int
    change: Change
    body: bytes
    digest: bytes
    create_us: int
    revision: int

    @property
    def name(self) -> str:
        """Its resource name."""
        return f"retailLists/{self.id}"

    def numbered(self, list_number: str, pre_number: str) -> "RetailList":
        """With the numbers that somebody gave it, where it has none yet."""
        if (self.list_number or not list_number) and (self.pre_number or not pre_number):
            return self
        return replace(
            self, list_number=self.list_number or list_number or None, pre_number=self.pre_number or pre_number or None
        )


@dataclass(frozen=True, slots=True)
class Notice:
    """What is said of a list, and by which of its numbers; those that it doesn't say are empty."""

    list_number: str
    pre_number: str
    merchant_code: str
    enterprise_number: str
    waybill: str
    notice_us: int
    code: str
    note: str

    @property
    def fact(self) -> Fact:
        """What it says of the list."""
        return self.code, self.notice_us

    @property
    def key(self) -> str:
        """The same for the same notice: how one that waits is known."""
        return ids.derived(
            "notice",
            self.list_number,
            self.pre_number,
            self.merchant_code,
            self.enterprise_number,
            self.waybill,
            self.notice_us,
            self.code,
        )


def waybill_key(carrier_code: str, waybill_number: str) -> str:
    """A waybill as lists and departures name it; empty where there is none."""
    return f"{carrier_code}/{waybill_number}" if waybill_number else ""


def list_id(direction: str, merchant_code: str, enterprise_number: str) -> str:
    """The id of a list: its number by customs comes later, so it can't be that."""
    return ids.derived("retail list", direction, merchant_code, enterprise_number)


def is_known_code(code: str, notice_us: int) -> bool:
    """Whether the code is known at that time (microseconds since 1970 UTC)."""
    return MACHINE.row(code, notice_us) is not None


def with_facts(retail_list: RetailList, facts: Iterable[Fact]) -> RetailList:
    """The list as all that was said of it leaves it."""
    known = standing(facts)
    return replace(
        retail_list,
        status=MACHINE.status_after(known),
        release_us=_first(known, lambda code, us: (MACHINE.row(code, us) or {}).get("status") in RELEASING),
        departure_us=_first(known, lambda code, _us: code == DEPART),
    )


def standing(facts: Iterable[Fact]) -> list[Fact]:
    """The facts without the applications that were refused or withdrawn at the same time or later.

    {(RETURN, 1), (RETURN_VOID, 2), (RETURN, 3)} leaves the return of 3.
    """
    known = list(facts)
    void_us = {
        application: max((us for code, us in known if code == void), default=None)
        for application, void in VOIDS.items()
    }

    def stands(code: str, us: int) -> bool:
        until_us = void_us.get(code)
        return until_us is None or us > until_us

    return [(code, us) for code, us in known if stands(code, us)]


def _first(facts: Sequence[Fact], is_meant: Callable[[str, int], bool]) -> int | None:
    return min((us for code, us in facts if is_meant(code, us)), default=None)


def version_of(retail_list: RetailList) -> Version:
    """The version that counts."""
    return Version(retail_list.send_us, retail_list.change, retail_list.digest)


def awaiting(deleted: RetailList) -> RetailList:
    """A list of which only its deletion has come: any version of it counts more."""
    return replace(deleted, send_us=-1)


def arriving(known: RetailList | None, fresh: RetailList) -> tuple[Step, RetailList]:
    """What a version does, and the list as it is then."""
    move = step(version_of(known) if known else None, version_of(fresh))
    if known is None or move == Step.ADD:
        return move, fresh
    if move == Step.REPLACE:
        return move, versioned(known, fresh)
    numbered = known.numbered(fresh.list_number or "", fresh.pre_number or "")
    if move == Step.TOUCH:
        return move, replace(numbered, send_us=fresh.send_us, change=fresh.change)
    return move, numbered


def versioned(known: RetailList, fresh: RetailList) -> RetailList:
    """The list with a newer version's content; what notices made of it stays."""
    return replace(
        fresh.numbered(known.list_number or "", known.pre_number or ""),
        status=known.status,
        release_us=known.release_us,
        departure_us=known.departure_us,
        create_us=known.create_us,
        revision=known.revision,
    )


def in_statistics(status: str) -> bool:
    """Whether a list that stands so counts in totals."""
    row = code_table("list_statuses").row(status, date.max)
    return row is not None and row["in_statistics"] == "YES"


def counts_otherwise(before: RetailList, after: RetailList) -> bool:
    """Whether a list may count otherwise in totals than it did."""

    def counting(retail_list: RetailList) -> tuple[object, ...]:
        return retail_list.digest, retail_list.enterprise, retail_list.list_number, in_statistics(retail_list.status)

    return counting(before) != counting(after)


def reasons(status: str) -> list[Problem]:
    """Why a list counts in part or not at all."""
    row = code_table("list_statuses").row(status, date.max)
    return [Problem("status", row["reason"], row["english"], row["chinese"])] if row and row["reason"] else []
