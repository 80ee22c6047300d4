"""A list (the declaration of one parcel) as the platform keeps it, and how notices of it move it.

A notice is any statement on a list: a receipt of customs (604, 622), an application to cancel or return it (605, 623,
213, 625) and the answer to that (606, 624, 214, 626), its departure (607), its deletion by the declarant. All count
alike, by data/list_receipt_codes.csv and data/list_statuses.csv, in any order and however often they come. An
application that was refused or withdrawn later counts for nothing.
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
# The code that says that an application was refused or withdrawn, by the application's.
VOIDS: Mapping[str, str] = {CANCEL: "CANCEL_VOID", RETURN: "RETURN_VOID"}
RELEASING = ("RELEASED", "CLOSED")
# Facts of a list: code and notice time in microseconds.
Fact = tuple[str, int]


@dataclass(frozen=True, slots=True)
class RetailList:
    """The row: the columns that are searched or judged, and the newest body as it came (a serialised RetailList)."""

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
        """Returns the list with the numbers that somebody gave it, where it has none yet."""
        if (self.list_number or not list_number) and (self.pre_number or not pre_number):
            return self
        return replace(
            self, list_number=self.list_number or list_number or None, pre_number=self.pre_number or pre_number or None
        )


@dataclass(frozen=True, slots=True)
class Notice:
    """A statement on a list, and the numbers by which it names the list; those that it doesn't give are empty."""

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
        """The fact that it states of the list."""
        return self.code, self.notice_us

    @property
    def _numbers(self) -> tuple[str, ...]:
        return self.list_number, self.pre_number, self.merchant_code, self.enterprise_number, self.waybill

    @property
    def key(self) -> str:
        """The key by which a waiting notice is recognised: the same for the same notice."""
        return ids.derived("notice", *self._numbers, self.notice_us, self.code)


def waybill_key(carrier_code: str, waybill_number: str) -> str:
    """Returns a waybill as lists and departures name it: SF/123; empty where there is none."""
    return f"{carrier_code}/{waybill_number}" if waybill_number else ""


def list_id(direction: str, merchant_code: str, enterprise_number: str) -> str:
    """Returns the id of a list: customs' number comes later, so it can't be that."""
    return ids.derived("retail list", direction, merchant_code, enterprise_number)


def is_known_code(code: str, notice_us: int) -> bool:
    """Tells whether the code is known at that time (microseconds since 1970 UTC)."""
    return MACHINE.row(code, notice_us) is not None


def with_facts(retail_list: RetailList, facts: Iterable[Fact]) -> RetailList:
    """Returns the list as all facts leave it."""
    counting = standing(facts)
    return replace(
        retail_list,
        status=MACHINE.status_after(counting),
        release_us=_first(counting, lambda code, us: (MACHINE.row(code, us) or {}).get("status") in RELEASING),
        departure_us=_first(counting, lambda code, _us: code == DEPART),
    )


def standing(facts: Iterable[Fact]) -> list[Fact]:
    """Returns the facts without the applications that were refused or withdrawn at the same time or later.

    {(RETURN, 1), (RETURN_VOID, 2), (RETURN, 3)} leaves the return of 3.
    """
    stated = list(facts)
    void_us = {
        application: max((us for code, us in stated if code == void), default=None)
        for application, void in VOIDS.items()
    }

    def stands(code: str, us: int) -> bool:
        until_us = void_us.get(code)
        return until_us is None or us > until_us

    return [(code, us) for code, us in stated if stands(code, us)]


def _first(facts: Sequence[Fact], is_meant: Callable[[str, int], bool]) -> int | None:
    return min((us for code, us in facts if is_meant(code, us)), default=None)


def version_of(retail_list: RetailList) -> Version:
    """Returns the version that counts."""
    return Version(retail_list.send_us, retail_list.change, retail_list.digest)


def awaiting(deleted: RetailList) -> RetailList:
    """Returns a list of which only its deletion has come: any version of it counts more."""
    return replace(deleted, send_us=-1)


def arriving(before: RetailList | None, version: RetailList) -> tuple[Step, RetailList]:
    """Returns the step that an arriving version takes, and the list after it."""
    move = step(version_of(before) if before else None, version_of(version))
    if before is None or move == Step.ADD:
        return move, version
    if move == Step.REPLACE:
        return move, versioned(before, version)
    numbered = before.numbered(version.list_number or "", version.pre_number or "")
    if move == Step.TOUCH:
        return move, replace(numbered, send_us=version.send_us, change=version.change)
    return move, numbered


def versioned(before: RetailList, version: RetailList) -> RetailList:
    """Returns the list with a newer version's content; the state that notices gave it stays."""
    return replace(
        version.numbered(before.list_number or "", before.pre_number or ""),
        status=before.status,
        release_us=before.release_us,
        departure_us=before.departure_us,
        create_us=before.create_us,
        revision=before.revision,
    )


def in_statistics(status: str) -> bool:
    """Tells whether a list of this status counts in totals."""
    row = code_table("list_statuses").row(status, date.max)
    return row is not None and row["in_statistics"] == "YES"


def counts_otherwise(before: RetailList, after: RetailList) -> bool:
    """Tells whether a list may count otherwise in totals than it did."""

    def counting(retail_list: RetailList) -> tuple[object, ...]:
        return retail_list.digest, retail_list.enterprise, retail_list.list_number, in_statistics(retail_list.status)

    return counting(before) != counting(after)


def reasons(status: str) -> list[Problem]:
    """Returns why a list counts in part or not at all."""
    row = code_table("list_statuses").row(status, date.max)
    return [Problem("status", row["reason"], row["english"], row["chinese"])] if row and row["reason"] else []
