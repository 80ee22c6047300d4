"""The lists that a batch may touch, found by any of their numbers, kept up as the batch goes on."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import sqlalchemy as sa

from services.declarations.window.retail.list import store as list_store
from services.declarations.window.retail.list.model import Notice, RetailList

NUMBERS = ("list_number", "pre_number", "enterprise_number", "waybill")


@dataclass(slots=True)
class Register:
    """Lists by id, and their ids by each kind of number."""

    lists: dict[str, RetailList] = field(default_factory=dict)
    by_list_number: dict[str, str] = field(default_factory=dict)
    by_pre_number: dict[str, str] = field(default_factory=dict)
    by_enterprise_number: dict[str, dict[str, None]] = field(default_factory=dict)
    by_waybill: dict[str, dict[str, None]] = field(default_factory=dict)
    # The lists as they were before the batch; a new one isn't there.
    before: dict[str, RetailList] = field(default_factory=dict)

    def put(self, retail_list: RetailList) -> None:
        """Puts a list in as it is now."""
        self.lists[retail_list.id] = retail_list
        if retail_list.list_number:
            self.by_list_number[retail_list.list_number] = retail_list.id
        if retail_list.pre_number:
            self.by_pre_number[retail_list.pre_number] = retail_list.id
        self.by_enterprise_number.setdefault(retail_list.enterprise_number, {})[retail_list.id] = None
        if retail_list.waybill:
            self.by_waybill.setdefault(retail_list.waybill, {})[retail_list.id] = None

    def load(self, lists: dict[str, RetailList]) -> None:
        """Puts lists in as the store has them, unless the batch has them already."""
        for identifier, retail_list in lists.items():
            if identifier not in self.lists:
                self.before[identifier] = retail_list
                self.put(retail_list)

    def load_numbers(self, connection: sa.Connection, numbers: Mapping[str, Iterable[str]]) -> None:
        """Loads the lists that have one of these numbers."""
        for column, values in numbers.items():
            self.load(list_store.with_numbers(connection, column, values))

    def owner(self, notice: Notice) -> str | None:
        """Returns the list of a notice, by the strongest number it names; None where none or several fit."""
        if by_number := self.by_list_number.get(notice.list_number) or self.by_pre_number.get(notice.pre_number):
            return by_number
        named = self.by_enterprise_number.get(notice.enterprise_number) or self.by_waybill.get(notice.waybill) or ()
        fitting = [identifier for identifier in named if _fits(self.lists[identifier], notice)]
        return fitting[0] if len(fitting) == 1 else None

    def learn(self, identifier: str, notice: Notice) -> bool:
        """Gives the list the numbers of a notice, unless another has them. Returns whether any was new."""
        retail_list = self.lists[identifier]
        list_number = notice.list_number if notice.list_number not in self.by_list_number else ""
        pre_number = notice.pre_number if notice.pre_number not in self.by_pre_number else ""
        after = retail_list.numbered(list_number, pre_number)
        if after is retail_list:
            return False
        self.put(after)
        return True

    def changed(self) -> Sequence[tuple[RetailList, RetailList]]:
        """Returns the lists that were stored and are other now, with how they were."""
        return [
            (was, self.lists[identifier])
            for identifier, was in self.before.items()
            if self.lists[identifier] is not was and self.lists[identifier] != was
        ]

    def added(self) -> list[RetailList]:
        """Returns the lists that this batch brought."""
        return [retail_list for identifier, retail_list in self.lists.items() if identifier not in self.before]


def _fits(retail_list: RetailList, notice: Notice) -> bool:
    """Tells whether nothing in the notice contradicts the list."""
    return (
        notice.merchant_code in ("", retail_list.merchant_code)
        and (not notice.list_number or retail_list.list_number in (None, notice.list_number))
        and (not notice.pre_number or retail_list.pre_number in (None, notice.pre_number))
    )


def numbers_of(notices: Iterable[Notice]) -> dict[str, set[str]]:
    """Returns every number that these notices name, by kind."""
    by_kind: dict[str, set[str]] = {column: set() for column in NUMBERS}
    for notice in notices:
        for column, values in by_kind.items():
            values.add(getattr(notice, column))
    return by_kind
