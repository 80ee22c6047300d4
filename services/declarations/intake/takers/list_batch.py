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
    # As they were before the batch; a fresh one isn't there.
    before: dict[str, RetailList] = field(default_factory=dict)

    def put(self, one: RetailList) -> None:
        """A list as it is now."""
        self.lists[one.id] = one
        if one.list_number:
            self.by_list_number[one.list_number] = one.id
        if one.pre_number:
            self.by_pre_number[one.pre_number] = one.id
        self.by_enterprise_number.setdefault(one.enterprise_number, {})[one.id] = None
        if one.waybill:
            self.by_waybill.setdefault(one.waybill, {})[one.id] = None

    def load(self, found: dict[str, RetailList]) -> None:
        """Lists as the store has them, unless the batch knows them already."""
        for identifier, one in found.items():
            if identifier not in self.lists:
                self.before[identifier] = one
                self.put(one)

    def load_numbers(self, connection: sa.Connection, numbers: Mapping[str, Iterable[str]]) -> None:
        """The lists that have one of these numbers."""
        for column, values in numbers.items():
            self.load(list_store.with_numbers(connection, column, values))

    def owner(self, notice: Notice) -> str | None:
        """The list that a notice is of, by the strongest number it names; None: none known, or several alike."""
        if found := self.by_list_number.get(notice.list_number) or self.by_pre_number.get(notice.pre_number):
            return found
        named = self.by_enterprise_number.get(notice.enterprise_number) or self.by_waybill.get(notice.waybill) or ()
        fitting = [identifier for identifier in named if _fits(self.lists[identifier], notice)]
        return fitting[0] if len(fitting) == 1 else None

    def learn(self, identifier: str, notice: Notice) -> bool:
        """The list takes the numbers that a notice gives it, unless another has them; whether any was new."""
        one = self.lists[identifier]
        list_number = notice.list_number if notice.list_number not in self.by_list_number else ""
        pre_number = notice.pre_number if notice.pre_number not in self.by_pre_number else ""
        after = one.numbered(list_number, pre_number)
        if after is one:
            return False
        self.put(after)
        return True

    def changed(self) -> Sequence[tuple[RetailList, RetailList]]:
        """Those known before that are other now, with how they were."""
        return [
            (was, self.lists[identifier])
            for identifier, was in self.before.items()
            if self.lists[identifier] is not was and self.lists[identifier] != was
        ]

    def fresh(self) -> list[RetailList]:
        """Those that this batch brought."""
        return [one for identifier, one in self.lists.items() if identifier not in self.before]


def _fits(one: RetailList, notice: Notice) -> bool:
    """Whether nothing that the notice says contradicts the list."""
    return (
        notice.merchant_code in ("", one.merchant_code)
        and (not notice.list_number or one.list_number in (None, notice.list_number))
        and (not notice.pre_number or one.pre_number in (None, notice.pre_number))
    )


def numbers_of(notices: Iterable[Notice]) -> dict[str, set[str]]:
    """Every number that these name, by kind."""
    found: dict[str, set[str]] = {column: set() for column in NUMBERS}
    for notice in notices:
        for column, values in found.items():
            values.add(getattr(notice, column))
    return found
