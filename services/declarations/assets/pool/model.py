"""A pool of lists and its borrowing base: pure rules, exact in minor units.

A list's term is its outstanding value times the eligibility of its standing, rounded down. The base follows from totals
of these terms alone, so that it moves by a batch's changes and never needs the lists again; adding up all lists anew
gives the same (invariant P1):

    eligible = Σ terms
    excess   = Σ over countries and platforms of what exceeds their limit × eligible
    base     = advance rate × max(eligible − excess, 0), rounded down; nothing with too few lists
"""

import enum
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import ROUND_FLOOR, Decimal
from functools import lru_cache

from chassis.money import EXACT, Money
from services.declarations.customs.code_tables import code_table
from services.declarations.window.retail.list.model import RetailList

DAY_US = 86_400_000_000
GATHERED = "~"
JOINED, AMENDED = "JOINED", "AMENDED"
POOL_CLOSED = "POOL_CLOSED"
SUMMARISED, AGED, SETTLED, UNFIT = "SUMMARISED", "AGED", "SETTLED", "UNFIT"
STANDING, COUNTRY, PLATFORM = "STANDING", "COUNTRY", "PLATFORM"
NOTHING = Decimal(0)


class State(enum.StrEnum):
    """The states of a pool; names of the proto's enum."""

    OPEN = "OPEN"
    CLOSED = "CLOSED"


class Verb(enum.StrEnum):
    """The verbs that change a pool."""

    CLOSE = "close"


TRANSITIONS: Mapping[tuple[State, Verb], State] = {(State.OPEN, Verb.CLOSE): State.CLOSED}


@dataclass(frozen=True, slots=True)
class Terms:
    """The terms of a day, from data/pool_terms.csv."""

    advance_rate: Decimal
    eligibility: Mapping[str, Decimal]
    limits: Mapping[str, Decimal]
    ageing_days: int
    minimum_lists: int


@lru_cache(maxsize=64)
def terms(on: date) -> Terms:
    """Returns the terms of a day."""
    table = code_table("pool_terms")

    def parts(prefix: str) -> dict[str, Decimal]:
        codes = (code for code in table.periods if code.startswith(prefix))
        return {code.removeprefix(prefix): Decimal(table.value(code, on)) for code in codes if table.row(code, on)}

    return Terms(
        Decimal(table.value("advance_rate", on)),
        parts("eligibility_"),
        parts("concentration_"),
        int(table.value("ageing_days", on)),
        int(table.value("minimum_lists", on)),
    )


def part(minor_units: int, rate: Decimal) -> int:
    """Returns the part of an amount, rounded down to the minor unit.

    For example 0.85 of 101 is 85.
    """
    return int(EXACT.multiply(Decimal(minor_units), rate).to_integral_value(ROUND_FLOOR))


@dataclass(frozen=True, slots=True)
class Pool:
    """A pool. `base` is as of `base_on`, by that day's terms; `gathered` is how far the sweep of older lists came."""

    id: str
    enterprise: str
    display_name: str
    currency: str
    trade_modes: tuple[str, ...]
    platform_code: str
    beneficiary: str
    base: Money
    base_on: date
    settled: Money
    movements: int
    gathered: str
    state: State
    create_us: int
    revision: int

    @property
    def name(self) -> str:
        """Returns its resource name."""
        return f"pools/{self.id}"

    def fits(self, retail_list: RetailList) -> bool:
        """Returns whether the pool takes lists of this kind, however they stand."""
        return (
            retail_list.enterprise == self.enterprise
            and retail_list.value.currency == self.currency
            and (not self.trade_modes or retail_list.trade_mode in self.trade_modes)
            and self.platform_code in ("", retail_list.platform_code)
        )


@dataclass(frozen=True, slots=True)
class Member:
    """A list in a pool: its term, and what was paid for it. `id` is the list's, which joins one pool ever."""

    id: str
    pool: str
    country: str
    platform_code: str
    value_minor_units: int
    paid_minor_units: int
    standing: str
    term_minor_units: int
    ages_us: int

    @property
    def outstanding_minor_units(self) -> int:
        """Returns the amount that nobody has paid yet."""
        return max(self.value_minor_units - self.paid_minor_units, 0)


def choice(pools: Iterable[Pool], retail_list: RetailList) -> Pool | None:
    """Returns the pool that a list joins: a pool of its platform before a pool of all, then the oldest."""
    fitting = [pool for pool in pools if pool.state is State.OPEN and pool.fits(retail_list)]
    return min(fitting, key=lambda pool: (not pool.platform_code, pool.create_us, pool.id), default=None)


def standing(
    retail_list: RetailList, paid_minor_units: int, is_summarised: bool, ages_us: int, now_us: int, on: Terms
) -> str:
    """Returns how a list stands in its pool: by its status, then as settled, aged or summarised."""
    if retail_list.status not in on.eligibility:
        return retail_list.status
    if paid_minor_units >= retail_list.value.minor_units:
        return SETTLED
    if now_us >= ages_us:
        return AGED
    return SUMMARISED if is_summarised else retail_list.status


def member(
    retail_list: RetailList, before: Member | None, pool: Pool, is_summarised: bool, now_us: int, on: Terms
) -> Member:
    """Returns a list as it counts in its pool now: for nothing once amended to what the pool doesn't take."""
    paid = before.paid_minor_units if before else 0
    ages_us = (retail_list.release_us if retail_list.release_us is not None else now_us) + on.ageing_days * DAY_US
    fits = pool.fits(retail_list)
    # Its amount may be of another currency than the pool's.
    value = retail_list.value.minor_units if fits else 0
    stands = standing(retail_list, paid, is_summarised, ages_us, now_us, on) if fits else UNFIT
    outstanding = max(value - paid, 0)
    return Member(
        id=retail_list.id,
        pool=pool.id,
        country=retail_list.country,
        platform_code=retail_list.platform_code,
        value_minor_units=value,
        paid_minor_units=paid,
        standing=stands,
        term_minor_units=part(outstanding, on.eligibility.get(stands, NOTHING)),
        ages_us=ages_us,
    )


@dataclass(slots=True)
class Total:
    """The total of lists of a pool that have something in common."""

    lists: int = 0
    outstanding_minor_units: int = 0
    term_minor_units: int = 0

    def add(self, member: Member, sign: int) -> None:
        """Counts a member in, or out."""
        self.lists += sign
        self.outstanding_minor_units += sign * member.outstanding_minor_units
        self.term_minor_units += sign * member.term_minor_units


Key = tuple[str, str]


@dataclass(slots=True)
class Totals:
    """A pool's totals by standing, country and platform; the last two count eligible lists alone."""

    by: dict[Key, Total] = field(default_factory=dict)
    changed: set[Key] = field(default_factory=set)

    def add(self, member: Member, sign: int) -> None:
        """Counts a member in (1) or out (-1)."""
        keys = [(STANDING, member.standing)]
        if member.term_minor_units:
            keys += [(COUNTRY, member.country), (PLATFORM, member.platform_code)]
        for key in keys:
            self.by.setdefault(key, Total()).add(member, sign)
        self.changed.update(keys)

    def of(self, dimension: str) -> dict[str, Total]:
        """Returns the totals of one dimension, by code."""
        return {code: total for (kind, code), total in sorted(self.by.items()) if kind == dimension}

    @property
    def eligible(self) -> int:
        """Returns the sum of all terms, in minor units."""
        return sum(total.term_minor_units for total in self.of(STANDING).values())

    def eligible_lists(self, on: Terms) -> int:
        """Returns how many lists count."""
        return sum(total.lists for code, total in self.of(STANDING).items() if code in on.eligibility)


@dataclass(frozen=True, slots=True)
class Excess:
    """The amount of a country or a platform beyond its limit; minor units."""

    dimension: str
    code: str
    eligible: int
    limit: int

    @property
    def minor_units(self) -> int:
        """Returns the amount that doesn't count."""
        return self.eligible - self.limit


def excesses(totals: Totals, pool: Pool, on: Terms) -> list[Excess]:
    """Returns every concentration beyond its limit. A pool of one platform has no concentration by platform.

    For example of 1000 eligible with 700 to one country and a limit of 0.5, 200 are excess.
    """
    eligible, excesses_found = totals.eligible, []
    for dimension, rate in on.limits.items():
        if dimension == PLATFORM and pool.platform_code:
            continue
        limit = part(eligible, rate)
        for code, total in totals.of(dimension).items():
            if total.term_minor_units > limit:
                excesses_found.append(Excess(dimension, code, total.term_minor_units, limit))
    return excesses_found


def base(totals: Totals, pool: Pool, on: Terms) -> int:
    """Returns the amount that may be financed, in minor units: nothing for a pool that is closed.

    For example 1000 eligible, 200 of them excess, at an advance rate of 0.8: 640.
    """
    if pool.state is State.CLOSED or totals.eligible_lists(on) < on.minimum_lists:
        return 0
    counted = totals.eligible - sum(excess.minor_units for excess in excesses(totals, pool, on))
    return part(max(counted, 0), on.advance_rate)


@dataclass(frozen=True, slots=True)
class Movement:
    """A step of a pool's base. `id` sorts by pool and number."""

    id: str
    pool: str
    number: int
    cause: str
    lists: int
    eligible_change: int
    base: Money
    create_us: int


def movement_id(pool: str, number: int) -> str:
    """Returns the id of a movement; ids sort as the numbers do."""
    return f"{pool}/{number:019d}"


Change = tuple[Member | None, Member]


def cause_of(change: Change) -> str:
    """Returns why a list moved: it joined, stands otherwise, or was amended."""
    before, after = change
    if before is None:
        return JOINED
    return after.standing if before.standing != after.standing else AMENDED


def by_cause(changes: Sequence[Change]) -> dict[str, list[Change]]:
    """Groups changes by their cause, in a fixed order of the causes."""
    changes_by_cause: dict[str, list[Change]] = {}
    for change in changes:
        changes_by_cause.setdefault(cause_of(change), []).append(change)
    return dict(sorted(changes_by_cause.items()))


@dataclass(frozen=True, slots=True)
class Step:
    """A pool after a movement."""

    pool: Pool
    movement: Movement


def moved(pool: Pool, totals: Totals, cause: str, changes: Sequence[Change], now_us: int, on: date) -> Step:
    """Returns the pool after the changes of one cause; the totals are changed in place."""
    before = totals.eligible
    for old, new in changes:
        if old is not None:
            totals.add(old, -1)
        totals.add(new, 1)
    return _step(pool, totals, cause, len(changes), totals.eligible - before, now_us, on)


def closed(pool: Pool, totals: Totals, now_us: int, on: date) -> Step:
    """Returns the pool once it is closed: its lists stay, its base is nothing."""
    return _step(replace(pool, state=State.CLOSED), totals, POOL_CLOSED, 0, 0, now_us, on)


def _step(pool: Pool, totals: Totals, cause: str, lists: int, change: int, now_us: int, on: date) -> Step:
    """Returns the pool after a movement of so many lists and so much eligible value, in minor units.

    The base follows.
    """
    number = pool.movements + 1
    after = replace(pool, base=Money(pool.currency, base(totals, pool, terms(on))), base_on=on, movements=number)
    return Step(
        after,
        Movement(
            id=movement_id(pool.id, number),
            pool=pool.id,
            number=number,
            cause=cause,
            lists=lists,
            eligible_change=change,
            base=after.base,
            create_us=now_us,
        ),
    )
