"""Charges by a tariff, for events, terms and amendments: what is earned by a day, and who bears them. Pure rules."""

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from chassis import money
from chassis.money import EXACT, Money
from trade.charges import periods
from trade.charges.periods import Period
from trade.charges.tariff import Bearer, Earned, Tariff, Tier


@dataclass(frozen=True, slots=True, kw_only=True)
class Charge:
    """An amount charged by a tariff for a term: the periods of it that are charged, each whole; none for an event."""

    tariff: str
    amount: Money
    start: datetime.date
    end: datetime.date
    periods: Sequence[Period] = ()
    earned: Earned = Earned.AT_ONCE


def at_event(tariff: Tariff, basis: Money, day: datetime.date) -> Charge:
    """Returns the charge for an event of a day: 0.1 % of CNY 250,000.00, at least 300.00, is CNY 300.00."""
    return Charge(tariff=tariff.code, amount=_bounded(tariff, _exact(tariff, basis)), start=day, end=day)


def for_term(tariff: Tariff, basis: Money, start: datetime.date, end: datetime.date) -> Charge:
    """Returns the charge for each period that is begun from start to end.

    0.15 % of USD 180,000.00 for three months or part, from 2026-03-10 to 2026-10-15: three periods, USD 810.00.
    """
    return _of_periods(tariff, basis, periods.begun(start, end, tariff.months), end)


def for_increase(tariff: Tariff, added: Money, start: datetime.date, end: datetime.date, day: datetime.date) -> Charge:
    """Returns the charge for an amount that is added on a day: the running and the later periods.

    USD 20,000.00 more on 2026-07-01 in the term above: two periods, USD 60.00.
    """
    left = periods.running_and_later(periods.begun(start, end, tariff.months), day)
    return _of_periods(tariff, added, left, end)


def for_extension(tariff: Tariff, basis: Money, start: datetime.date, end: datetime.date, to: datetime.date) -> Charge:
    """Returns the charge for a term that is made longer: the periods that it adds, counted from the first day.

    USD 200,000.00 extended from 2026-10-15 to 2026-12-31: one period more, USD 300.00.
    """
    charged = len(periods.begun(start, end, tariff.months))
    return _of_periods(tariff, basis, periods.begun(start, to, tariff.months)[charged:], to)


def _of_periods(tariff: Tariff, basis: Money, charged: Sequence[Period], end: datetime.date) -> Charge:
    exact = _exact(tariff, basis) * len(charged)
    return Charge(
        tariff=tariff.code,
        amount=_bounded(tariff, exact) if charged else tariff.flat.zero(),
        start=charged[0].start if charged else end,
        end=end,
        periods=charged,
        earned=tariff.earned,
    )


def _exact(tariff: Tariff, basis: Money) -> Decimal:
    """Returns the charge for one time, in major units, neither bounded nor rounded."""
    parts = (EXACT.multiply(part, rate) for part, rate in _parts(tariff.tiers, basis))
    return sum(parts, start=tariff.flat.major())


def _parts(tiers: Sequence[Tier], basis: Money) -> list[tuple[Decimal, Decimal]]:
    """Returns the part of the amount in each tier, in major units, with its rate; nothing where there are no tiers."""
    bounds = [*(tier.beyond for tier in tiers[1:]), basis.minor_units]
    return [
        (Money(basis.currency, max(min(bound, basis.minor_units) - tier.beyond, 0)).major(), tier.rate)
        for tier, bound in zip(tiers, bounds, strict=False)
    ]


def _bounded(tariff: Tariff, exact: Decimal) -> Money:
    """Returns the charge, rounded once, no less than `least` and no more than `most`."""
    amount = money.rounded(exact, tariff.currency)
    amount = max(amount, tariff.least) if tariff.least else amount
    return min(amount, tariff.most) if tariff.most else amount


def earned(charge: Charge, by: datetime.date) -> Money:
    """Returns the part of a charge that is earned by a day: straight line over its term, or all at once.

    USD 810.00 from 2026-03-10 to 2026-10-15: by 2026-06-30, 112 of 219 days, USD 414.25.
    """
    term = Period(charge.start, charge.end)
    if charge.earned is Earned.AT_ONCE or not term.days:
        return charge.amount
    past = Period(charge.start, min(max(by, charge.start), charge.end)).days
    exact = Fraction(charge.amount.minor_units * past, term.days)
    return Money(charge.amount.currency, int(exact + Fraction(1, 2)))


def unearned(charge: Charge, on: datetime.date) -> Money:
    """Returns the part that a reversal on a day gives back: USD 395.75 of the charge above on 2026-06-30."""
    return charge.amount - earned(charge, on)


# By bearer (ISO 20022 ChargeBearerType1Code DEBT, SHAR, CRED): whether the ordering party bears the charges of
# its own bank, and of the beneficiary's.
_ORDERING_BEARS: Mapping[Bearer, tuple[bool, bool]] = {
    Bearer.OUR: (True, True),
    Bearer.SHA: (True, False),
    Bearer.BEN: (False, False),
}


def borne(bearer: Bearer, ordering_bank: Money, beneficiary_bank: Money) -> tuple[Money, Money]:
    """Returns what the ordering party and the beneficiary bear of both banks' charges, in one currency.

    SHA with 20.00 and 30.00: 20.00 and 30.00; OUR: 50.00 and 0.00; BEN: 0.00 and 50.00. Raises KeyError for CONTRACT,
    whose parties the contract names.
    """
    sides = list(zip(_ORDERING_BEARS[bearer], (ordering_bank, beneficiary_bank), strict=True))
    currency = ordering_bank.currency
    ordering = money.total([amount for is_ordering, amount in sides if is_ordering], currency)
    return ordering, ordering_bank + beneficiary_bank - ordering
