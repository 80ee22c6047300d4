"""Pools: thousands of lists are one base, exact to the fen, whatever becomes of them."""

import dataclasses
import random
import time
from collections.abc import Sequence

import pytest
from aval.declarations.v1 import pool_pb2

from services.declarations.service import SERVICE
from tests.service.retail_lists_world import (
    DAY_US,
    NOW_US,
    RetailRegister,
    cny,
    list_number,
    list_row,
    receipt_row,
)
from tests.support import Stores

# Written anew, in parts of a hundred, of what data/pool_terms.csv says today.
ELIGIBILITY = {"RELEASED": 70, "CLOSED": 90, "SUMMARISED": 100}
ADVANCE, COUNTRY_LIMIT, PLATFORM_LIMIT, FEWEST = 80, 60, 90, 100


@pytest.fixture
def register(store: Stores) -> RetailRegister:
    """A register on a fresh store, on each dialect in turn."""
    return RetailRegister(store("declarations", SERVICE.migrations))


@dataclasses.dataclass
class Plain:
    """A list as the recomputation knows it."""

    value: int
    country: str
    platform: str
    standing: str = "DRAFT"
    paid: int = 0


def plain_base(lists: Sequence[Plain]) -> int:
    """The base of all lists, by the definition, from nothing but the lists; in fen."""
    terms = [max(one.value - one.paid, 0) * ELIGIBILITY.get(one.standing, 0) // 100 for one in lists]
    eligible = sum(terms)
    if sum(one.standing in ELIGIBILITY for one in lists) < FEWEST:
        return 0
    excess = 0
    for limit, key in ((COUNTRY_LIMIT, "country"), (PLATFORM_LIMIT, "platform")):
        sums: dict[str, int] = {}
        for one, term in zip(lists, terms, strict=True):
            sums[getattr(one, key)] = sums.get(getattr(one, key), 0) + term
        excess += sum(max(total - eligible * limit // 100, 0) for total in sums.values())
    return max(eligible - excess, 0) * ADVANCE // 100


def play(register: RetailRegister, count: int, batch: int = 1000) -> None:
    """Declares, releases, returns and settles lists in batches, and compares the base with plain Python."""
    chance = random.Random(7)
    pool = register.pool()
    plain, rows = {}, 0
    started = time.perf_counter()
    for first in range(0, count, batch):
        numbers = range(first, first + batch)
        values = {number: chance.randrange(20_00, 250_00) for number in numbers}
        lists = [list_row(number, values[number]) for number in numbers]
        plain |= {n: Plain(values[n], row.country, row.platform_code) for n, row in zip(numbers, lists, strict=True)}
        assert set(register.lists(*lists)) == {"ACCEPTED"}
        told = [receipt_row(number, chance.choice(["800", "899"])) for number in numbers]
        register.receipts(*told)
        for number, receipt in zip(numbers, told, strict=True):
            plain[number].standing = {"800": "RELEASED", "899": "CLOSED"}[receipt.status_code]
        back = [number for number in numbers if chance.random() < 0.05]
        register.receipts(*(receipt_row(number, "700", NOW_US - DAY_US // 2) for number in back))
        for number in back:
            plain[number].standing = "RETURNED"
        paid = [number for number in numbers if plain[number].standing != "RETURNED" and chance.random() < 0.3]
        receipts = []
        for number in paid:
            part = plain[number].value if chance.random() < 0.8 else plain[number].value // 3
            plain[number].paid = part
            if part == plain[number].value:
                plain[number].standing = "SETTLED"
            receipts.append(pool_pb2.PoolReceipt(list_number=list_number(number), amount=cny(part)))
        answer = register.settle(pool, f"batch-{first}", *receipts)
        assert answer.applied.minor_units == sum(receipt.amount.minor_units for receipt in receipts)
        assert not answer.unknown
        rows += len(lists) + len(told) + len(back) + len(receipts)
    seconds = time.perf_counter() - started
    found = register.get_pool(pool)
    assert found.base.minor_units == plain_base(list(plain.values()))
    assert sum(one.lists for one in found.derivation.standings) == count
    assert register.violations() == []


def test_many_lists_make_one_base(register: RetailRegister) -> None:
    play(register, 5_000)
