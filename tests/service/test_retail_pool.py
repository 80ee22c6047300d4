"""Pools: thousands of lists are one base, exact to the fen, whatever becomes of them."""

import dataclasses
import logging
import random
import time
import uuid
from collections.abc import Sequence
from typing import Any

import pytest
import sqlalchemy as sa
from aval.declarations.v1 import declarations_pb2, pool_pb2, retail_list_pb2, retail_pb2

from chassis import eventlog
from chassis.errors import EtagMismatch, InvalidFields, NotFound, WrongState
from chassis.identity import Caller
from chassis.money import Money, to_proto
from chassis.service import Reading
from services.declarations.assets import errors as assets_errors
from services.declarations.assets.pool import commands as pool_commands
from services.declarations.assets.pool import reads as pool_reads
from services.declarations.explaining import EXPLAINING
from services.declarations.privacy import errors as privacy_errors
from services.declarations.register import errors as register_errors
from services.declarations.register.value import store as value_store
from services.declarations.register.value.model import Value
from services.declarations.service import SERVICE
from tests.service.retail_lists_world import (
    DAY_US,
    EXPORTER,
    NOW_US,
    PLATFORMS,
    RetailRegister,
    cny,
    list_number,
    list_row,
    receipt_row,
)
from tests.service.test_retail_summary import summary_row
from tests.support import Stores
from trade.derivations import rpc
from trade.derivations.recomputing import recompute

logger = logging.getLogger(__name__)
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
    terms = [max(plain.value - plain.paid, 0) * ELIGIBILITY.get(plain.standing, 0) // 100 for plain in lists]
    eligible = sum(terms)
    if sum(plain.standing in ELIGIBILITY for plain in lists) < FEWEST:
        return 0
    excess = 0
    for limit, key in ((COUNTRY_LIMIT, "country"), (PLATFORM_LIMIT, "platform")):
        sums: dict[str, int] = {}
        for each_plain, term in zip(lists, terms, strict=True):
            sums[getattr(each_plain, key)] = sums.get(getattr(each_plain, key), 0) + term
        excess += sum(max(total - eligible * limit // 100, 0) for total in sums.values())
    return max(eligible - excess, 0) * ADVANCE // 100


def play(register: RetailRegister, count: int, batch: int = 1000) -> float:
    """Declares, releases, returns and settles lists in batches, and compares the base with plain Python.

    The rows that were taken a second.
    """
    chance = random.Random(7)
    pool = register.pool()
    plain: dict[int, Plain] = {}
    rows = 0
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
    assert sum(pool_standing.lists for pool_standing in found.derivation.standings) == count
    assert register.violations() == []
    return rows / seconds


def test_many_lists_make_one_base(register: RetailRegister) -> None:
    """P1: totals and base are what plain Python adds up, over 20,000 lists."""
    logger.info("%s: %.0f rows/s", register.database.dialect, play(register, 20_000))


@pytest.mark.volume
def test_a_hundred_thousand_lists_make_one_base(register: RetailRegister) -> None:
    """P1: totals and base are what plain Python adds up, over 100,000 lists."""
    logger.info("%s: %.0f rows/s", register.database.dialect, play(register, 100_000))


BANK = Caller("banks/LMHFCNB0/system", "banks/LMHFCNB0", frozenset({"BANK_SYSTEM"}))
OTHER_BANK = Caller("banks/YUHECNB0/system", "banks/YUHECNB0", frozenset({"BANK_SYSTEM"}))
COUNT = 200


def closed(register: RetailRegister, first: int, count: int = COUNT, value: int = 100_00, **fields: Any) -> None:
    """Lists that left the country: each counts 90 %."""
    numbers = range(first, first + count)
    register.lists(*(list_row(number, value, **fields) for number in numbers))
    register.receipts(*(receipt_row(number, "899") for number in numbers))


def standings(register: RetailRegister, pool: str) -> dict[str, tuple[int, int]]:
    """Lists and eligible fen of a pool by how they stand."""
    found = register.get_pool(pool).derivation.standings
    return {
        pool_standing.standing: (pool_standing.lists, pool_standing.eligible.minor_units) for pool_standing in found
    }


def movements(register: RetailRegister, pool: str) -> list[tuple[int, str, int, int, int]]:
    """The steps of a pool's base, oldest first."""
    with register.database.read() as connection:
        reading = Reading(connection, EXPORTER, register.now_us)
        found = pool_reads.list_movements(
            reading, pool_pb2.ListPoolMovementsRequest(name=pool, page_size=500)
        ).pool_movements
    return [(m.number, m.cause, m.lists, m.eligible_change.minor_units, m.base.minor_units) for m in reversed(found)]


def test_lists_join_once_released_and_leave_when_they_come_back(register: RetailRegister) -> None:
    pool = register.pool()
    register.lists(*(list_row(number) for number in range(COUNT)))
    assert register.base(pool) == 0
    register.receipts(*(receipt_row(number, "800") for number in range(COUNT)))
    assert register.base(pool) == COUNT * 70_00 * 80 // 100
    register.receipts(*(receipt_row(number, "899", NOW_US) for number in range(COUNT)))
    assert register.base(pool) == COUNT * 90_00 * 80 // 100
    register.receipts(receipt_row(0, "700", NOW_US + 1), receipt_row(1, "500", NOW_US + 1))
    # A parcel that has left isn't inspected any more.
    assert standings(register, pool) == {"CLOSED": (COUNT - 1, (COUNT - 1) * 90_00), "RETURNED": (1, 0)}
    deleted = list_row(2, send_us=NOW_US, change=retail_pb2.DELETE)
    cheaper = list_row(3, 70_00, send_us=NOW_US, change=retail_pb2.MODIFY)
    register.lists(deleted, cheaper)
    assert register.base(pool) == ((COUNT - 3) * 90_00 + 63_00) * 80 // 100
    causes = [(cause, lists) for _, cause, lists, _, _ in movements(register, pool)]
    assert causes == [("JOINED", 200), ("CLOSED", 200), ("RETURNED", 1), ("AMENDED", 1), ("CANCELLED", 1)]
    assert register.violations() == []


def test_an_inspection_stops_a_list_until_it_is_released(register: RetailRegister) -> None:
    pool = register.pool()
    register.lists(*(list_row(number) for number in range(COUNT)))
    register.receipts(*(receipt_row(number, "800") for number in range(COUNT)))
    register.receipts(receipt_row(5, "500", NOW_US))
    assert standings(register, pool)["HELD"] == (1, 0)
    register.receipts(receipt_row(5, "800", NOW_US + 1))
    assert standings(register, pool) == {"RELEASED": (COUNT, COUNT * 70_00)}


def test_what_joins_where(register: RetailRegister) -> None:
    """P2: a list that is in a pool stays in it, whatever pools are made later."""
    closed(register, 0, 4)
    # Older lists join once there is a pool.
    everything = register.pool(trade_modes=["9610", "1210"])
    assert standings(register, everything)["CLOSED"][0] == 4
    of_platform = register.pool(platform_code=PLATFORMS[1])
    closed(register, 10, 4)
    # A pool of the platform before one of all; once in a pool, always in that.
    assert standings(register, of_platform)["CLOSED"][0] == 2
    assert standings(register, everything)["CLOSED"][0] == 6
    closed(register, 20, 2, trade_mode="1239", platform_code=PLATFORMS[0])
    closed(register, 30, 2, direction=retail_pb2.IMPORT)
    closed(register, 40, 2, merchant_code="91410105MAXY002277")
    assert standings(register, of_platform)["CLOSED"][0] == 2
    assert standings(register, everything)["CLOSED"][0] == 6
    assert register.violations() == []


def test_a_summary_lets_its_lists_count_in_full(register: RetailRegister) -> None:
    pool = register.pool()
    closed(register, 0)
    register.summaries(summary_row(1, range(150)))
    assert standings(register, pool) == {"CLOSED": (50, 50 * 90_00), "SUMMARISED": (150, 150 * 100_00)}
    # A list that came before its summary's other lists, and one that comes after.
    register.summaries(summary_row(2, range(150, 250)))
    closed(register, 200, 50)
    assert standings(register, pool) == {"SUMMARISED": (250, 250 * 100_00)}
    register.summaries(summary_row(1, range(100), send_us=NOW_US + 1, change=retail_pb2.MODIFY))
    assert standings(register, pool) == {"CLOSED": (50, 50 * 90_00), "SUMMARISED": (200, 200 * 100_00)}
    assert register.violations() == []


def test_lists_that_nobody_pays_for_grow_too_old(register: RetailRegister) -> None:
    pool = register.pool()
    closed(register, 0)
    assert register.run(pool_commands.age, None) is False
    register.now_us = NOW_US - DAY_US + 90 * DAY_US
    assert register.run(pool_commands.age, None) is True
    assert register.run(pool_commands.age, None) is False
    assert (standings(register, pool), register.base(pool)) == ({"AGED": (COUNT, 0)}, 0)
    assert register.violations() == []


def test_the_base_is_explained(register: RetailRegister) -> None:
    pool = register.pool()
    closed(register, 0, 99)
    found = register.get_pool(pool).derivation
    assert (found.too_few_lists, found.minimum_lists, found.base.minor_units) == (True, 100, 0)
    closed(register, 100, 901, value=33_33, country="USA", platform_code=PLATFORMS[0])
    found = register.get_pool(pool).derivation
    eligible = 99 * 90_00 + 901 * (33_33 * 9 // 10)
    assert (found.eligible.minor_units, found.gross.minor_units) == (eligible, 99 * 100_00 + 901 * 33_33)
    assert {(concentration.dimension, concentration.code) for concentration in found.concentrations} == {
        ("COUNTRY", "USA")
    }
    (country,) = found.concentrations
    assert country.limit.minor_units == eligible * 60 // 100
    assert country.excess.minor_units == country.eligible.minor_units - country.limit.minor_units
    assert found.base.minor_units == (eligible - country.excess.minor_units) * 80 // 100
    (closed_lists,) = found.standings
    assert (closed_lists.standing, closed_lists.reason.reason) == ("CLOSED", "NOT_SUMMARISED")
    assert closed_lists.eligibility.value == "0.90"
    # The same as a tree, of the totals as they are.
    with register.database.read() as connection:
        (told,) = EXPLAINING.explanations(Reading(connection, EXPORTER, register.now_us), pool, "base")
    assert told.derivation.result.money == found.base
    assert "concentration_COUNTRY" in told.text
    assert recompute(rpc.from_proto(told.derivation), EXPLAINING.rules) == []


def receipt(number: int, units: int, **fields: Any) -> pool_pb2.PoolReceipt:
    """Returns what was paid for a list."""
    return pool_pb2.PoolReceipt(amount=cny(units), **(fields or {"list_number": list_number(number)}))


def test_settlement_by_list_and_by_order(register: RetailRegister) -> None:
    pool = register.pool()
    closed(register, 0)
    of_order = receipt(2, 100_00, order_number="ORDER000000002", platform_code=PLATFORMS[0])
    elsewhere = receipt(3, 5_00, order_number="ORDER000000003", platform_code="UNKNOWN")
    told = [receipt(0, 100_00), receipt(1, 40_00), of_order, receipt(5, 130_00), receipt(999, 7_00), elsewhere]
    answer = register.settle(pool, "incomingPayments/1", *told)
    assert (answer.applied.minor_units, answer.settled_lists, answer.excess.minor_units) == (370_00, 3, 30_00)
    assert [problem.path for problem in answer.unknown] == ["receipts[4]", "receipts[5]"]
    assert answer.unknown_amount.minor_units == 12_00
    assert standings(register, pool) == {"CLOSED": (197, 196 * 90_00 + 54_00), "SETTLED": (3, 0)}
    # The same payment again is the same answer; another pays the rest.
    assert register.settle(pool, "incomingPayments/1", *told) == answer
    assert register.settle(pool, "incomingPayments/2", receipt(1, 60_00)).settled_lists == 1
    assert standings(register, pool)["SETTLED"] == (4, 0)
    assert register.get_pool(pool).settled.minor_units == 430_00
    assert register.violations() == []
    with pytest.raises(InvalidFields):
        register.settle(pool, "incomingPayments/3", pool_pb2.PoolReceipt(amount=to_proto(Money("USD", 1))))
    with pytest.raises(NotFound):
        register.settle("pools/none", "incomingPayments/4", receipt(1, 1))


def consent(register: RetailRegister, bank: Caller) -> str:
    """The exporter lets a bank see and finance what is its own; the consent's name."""
    given = declarations_pb2.Consent(institution=bank.tenant, purpose="pool finance")
    given.expire_time.FromMicroseconds(NOW_US + 300 * DAY_US)
    request = declarations_pb2.CreateConsentRequest(consent=given)
    return str(register.call("CreateConsent", request, EXPORTER).name)


def finance(register: RetailRegister, asset: str, units: int, bank: Caller = BANK) -> str:
    """A bank reserves and confirms; the encumbrance's name."""
    item = declarations_pb2.EncumberedValue(asset=asset, amount=cny(units))
    wanted = declarations_pb2.Encumbrance(asset_class="RECEIVABLE", items=[item])
    request = declarations_pb2.ReserveEncumbranceRequest(encumbrance_id=str(uuid.uuid4()), encumbrance=wanted)
    name: str = register.call("ReserveEncumbrance", request, bank).name
    register.call("ConfirmEncumbrance", declarations_pb2.ConfirmEncumbranceRequest(name=name), bank)
    return name


def value(register: RetailRegister, asset: str) -> Value:
    """An asset's value by what stands on it."""
    with register.database.read() as connection:
        return value_store.booked(connection, [asset])[asset]


def test_a_pool_is_financed_up_to_its_base_and_by_one(register: RetailRegister) -> None:
    pool = register.pool()
    closed(register, 0)
    consent(register, BANK)
    consent(register, OTHER_BANK)
    with pytest.raises(register_errors.ValueEncumbered):
        finance(register, pool, register.base(pool) + 1)
    finance(register, pool, register.base(pool))
    with pytest.raises(register_errors.ValueEncumbered):
        finance(register, pool, 1, OTHER_BANK)
    assert register.violations() == []


def test_only_its_beneficiary_finances_a_pool(register: RetailRegister) -> None:
    pool = register.pool(beneficiary=OTHER_BANK.tenant)
    closed(register, 0)
    consent(register, BANK)
    consent(register, OTHER_BANK)
    with pytest.raises(privacy_errors.ConsentMissing):
        finance(register, pool, 1_00)
    assert finance(register, pool, 1_00, OTHER_BANK)


def close(register: RetailRegister, pool: str, caller: Caller = EXPORTER, etag: str = "") -> pool_pb2.Pool:
    """Ends a pool."""
    ended: pool_pb2.Pool = register.call("ClosePool", pool_pb2.ClosePoolRequest(name=pool, etag=etag), caller)
    return ended


def test_a_pool_is_closed_once_nothing_stands_on_it(register: RetailRegister) -> None:
    pool = register.pool()
    closed(register, 0)
    consent(register, BANK)
    held = finance(register, pool, 50_00)
    with pytest.raises(assets_errors.PoolEncumbered):
        close(register, pool)
    item = declarations_pb2.EncumberedValue(asset=pool, amount=cny(1_00))
    wanted = declarations_pb2.Encumbrance(asset_class="RECEIVABLE", items=[item])
    request = declarations_pb2.ReserveEncumbranceRequest(encumbrance_id=str(uuid.uuid4()), encumbrance=wanted)
    reserved = register.call("ReserveEncumbrance", request, BANK).name
    # What is repaid stands no more, what is reserved still does.
    register.settle(pool, "incomingPayments/1", receipt(1, 50_00))
    assert value(register, pool).financed.minor_units == 0
    with pytest.raises(assets_errors.PoolEncumbered):
        close(register, pool)
    register.call("ReleaseEncumbrance", declarations_pb2.ReleaseEncumbranceRequest(name=reserved), BANK)
    with pytest.raises(NotFound):
        close(register, pool, Caller("enterprises/91410105MAXY002277/wu", "enterprises/91410105MAXY002277"))
    with pytest.raises(EtagMismatch):
        close(register, pool, etag="1")
    ended = close(register, pool)
    assert (ended.state, ended.base) == (pool_pb2.Pool.CLOSED, cny(0))
    assert value(register, pool).declared == value(register, pool).settled
    with pytest.raises(WrongState):
        close(register, pool)
    assert held
    assert register.violations() == []


def test_a_closed_pool_takes_payments_but_nothing_else(register: RetailRegister) -> None:
    pool = register.pool()
    closed(register, 0)
    consent(register, BANK)
    finance(register, pool, 10_00)
    register.settle(pool, "incomingPayments/1", receipt(1, 10_00))
    close(register, pool)
    with pytest.raises(register_errors.ValueNotEligible):
        finance(register, pool, 1)
    # Neither lists that come later nor those that are gathered join; its own go on counting as lists.
    closed(register, COUNT, 10)
    assert standings(register, pool)["CLOSED"][0] == COUNT
    register.receipts(receipt_row(2, "700", NOW_US))
    answer = register.settle(pool, "incomingPayments/2", receipt(3, 100_00), receipt(1, 90_00))
    assert (answer.applied.minor_units, answer.settled_lists, answer.base.minor_units) == (190_00, 2, 0)
    assert {name: lists for name, (lists, _) in standings(register, pool).items()} == {
        "CLOSED": COUNT - 3, "RETURNED": 1, "SETTLED": 2
    }  # fmt: skip
    # What joined none may join the next pool.
    again = register.pool()
    assert standings(register, again)["CLOSED"][0] == 10
    assert [event for event in events_seen(register, pool, EXPORTER) if event == "pool.closed"] == ["pool.closed"]
    assert register.violations() == []


def test_a_list_tells_no_institution_of_a_pool_that_another_finances(register: RetailRegister) -> None:
    pool = register.pool(beneficiary=OTHER_BANK.tenant)
    closed(register, 0)
    for caller in (BANK, OTHER_BANK):
        consent(register, caller)
    for caller, told in ((BANK, ""), (OTHER_BANK, pool), (EXPORTER, pool)):
        everything, pooled = lists_seen(register, caller), lists_seen(register, caller, pool)
        assert {entry.pool for entry in everything} == {told}
        assert pooled == (everything if told else [])


def lists_seen(register: RetailRegister, caller: Caller, pool: str = "") -> list[Any]:
    """The lists that a caller is shown now."""
    with register.database.read() as connection:
        reading = Reading(connection, caller, register.now_us)
        answer = SERVICE.reads["ListRetailLists"](reading, retail_list_pb2.ListRetailListsRequest(pool=pool))
    return list(answer.retail_lists)  # type: ignore[attr-defined]


def events_seen(register: RetailRegister, pool: str, caller: Caller) -> list[str]:
    """The types of a pool's events that a caller is shown now."""
    with register.database.read() as connection:
        told = eventlog.read(connection, "", 0, caller.tenant, pool).events
        shown = SERVICE.visible(Reading(connection, caller, register.now_us), told)
    return [event.type for event in shown]


def test_a_bank_watches_a_pool_while_consent_stands(register: RetailRegister) -> None:
    given = consent(register, BANK)
    pool = register.pool()
    closed(register, 0)
    register.settle(pool, "incomingPayments/1", receipt(0, 100_00))
    assert events_seen(register, pool, BANK) == ["pool.created", "pool.moved", "pool.settled"]
    assert events_seen(register, pool, OTHER_BANK) == []
    register.call("RevokeConsent", declarations_pb2.RevokeConsentRequest(name=given), EXPORTER)
    assert events_seen(register, pool, BANK) == []
    assert events_seen(register, pool, EXPORTER) == ["pool.created", "pool.moved", "pool.settled"]


def test_a_base_that_shrinks_under_its_finance_is_a_breach(register: RetailRegister) -> None:
    """Lists of 800 become 700 after they were financed; new lists cure it."""
    pool = register.pool()
    closed(register, 0, value=800_00)
    consent(register, BANK)
    before = register.base(pool)
    finance(register, pool, before)
    cheaper = (list_row(n, 700_00, send_us=NOW_US, change=retail_pb2.MODIFY) for n in range(COUNT))
    register.lists(*cheaper)
    after = register.base(pool)
    assert after == COUNT * 630_00 * 80 // 100 < before
    found = value(register, pool)
    assert (found.shortfall.minor_units, found.financed.minor_units, found.free.minor_units) == (
        before - after,
        before,
        0,
    )
    assert register.violations() == []
    with pytest.raises(register_errors.ValueNotEligible):
        finance(register, pool, 1)
    closed(register, 1000, 100, value=800_00)
    found = value(register, pool)
    assert found.shortfall.minor_units == 0
    assert found.financed.minor_units + found.free.minor_units == register.base(pool)
    assert register.violations() == []


@pytest.mark.parametrize("amended", ["currency", "platform", "mode"])
def test_a_list_amended_to_what_its_pool_does_not_take_counts_for_nothing(
    register: RetailRegister, amended: str
) -> None:
    """100 yuan that became a million rupiah aren't a million yuan; amended back it counts again."""
    pool = register.pool(platform_code=PLATFORMS[0], trade_modes=["9610"])
    closed(register, 0, platform_code=PLATFORMS[0])
    before = register.base(pool)
    row = list_row(0, platform_code=PLATFORMS[0], send_us=NOW_US, change=retail_pb2.MODIFY)
    if amended == "currency":
        row.value.CopyFrom(to_proto(Money("IDR", 1_000_000_00)))
        row.lines[0].total.CopyFrom(row.value)
    elif amended == "platform":
        row.platform_code = PLATFORMS[1]
    else:
        row.trade_mode = "1210"
    assert register.lists(row) == ["ACCEPTED"]
    assert register.base(pool) == before - 72_00
    assert standings(register, pool)["UNFIT"] == (1, 0)
    assert register.violations() == []
    register.lists(list_row(0, platform_code=PLATFORMS[0], send_us=NOW_US + 1, change=retail_pb2.MODIFY))
    assert register.base(pool) == before


def test_what_is_paid_goes_to_the_financed_part_first(register: RetailRegister) -> None:
    pool = register.pool()
    closed(register, 0)
    consent(register, BANK)
    base = register.base(pool)
    finance(register, pool, base - 1_000_00)
    answer = register.settle(pool, "incomingPayments/1", *(receipt(number, 100_00) for number in range(50)))
    assert (answer.applied.minor_units, answer.settled_finance.minor_units) == (5_000_00, 5_000_00)
    found = value(register, pool)
    assert answer.base.minor_units == register.base(pool) == 150 * 90_00 * 80 // 100
    with register.database.read() as connection:
        told = connection.execute(sa.text("SELECT resource FROM events WHERE type = 'asset.settled'")).scalars().all()
    assert told == [pool]
    assert (found.financed.minor_units, found.settled.minor_units) == (base - 6_000_00, 5_000_00)
    assert found.financed.minor_units + found.free.minor_units == answer.base.minor_units
    # All is paid: more than the base ever was, and nobody is owed anything.
    register.settle(pool, "incomingPayments/2", *(receipt(number, 100_00) for number in range(50, COUNT)))
    found = value(register, pool)
    assert (found.financed.minor_units, found.free.minor_units, found.shortfall.minor_units) == (0, 0, 0)
    # A new list's value isn't eaten by what was paid beyond the base.
    closed(register, 1000, 150)
    assert value(register, pool).free.minor_units == register.base(pool) == 150 * 90_00 * 80 // 100
    assert register.violations() == []


def test_the_proof_finds_what_is_wrong(register: RetailRegister) -> None:
    """P1: a base or a total that its lists don't give is named."""
    pool = register.pool()
    closed(register, 0)
    with register.database.write() as connection:
        connection.exec_driver_sql("UPDATE pools SET base_minor_units = base_minor_units + 1")
        connection.exec_driver_sql("UPDATE pool_totals SET lists = lists + 1 WHERE code = 'CLOSED'")
    found = register.violations()
    assert len(found) == 2
    assert all(pool in name for name in found)
