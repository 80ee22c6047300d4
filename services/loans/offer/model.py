"""A bank's offer: prepared by one person, approved by another, costed to the last minor unit."""

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from chassis.errors import Problem
from chassis.money import Money
from chassis.participants import Participant
from services.loans import products
from services.loans.application.model import Application
from services.loans.offer.costs import Costs, costs
from trade import annual_rates, checks, day_count_bases
from trade.roles import Role

# A rate has at most so many decimals, for example 0.04350000.
RATE_DECIMALS_MAX = 8


class State(enum.StrEnum):
    """Where an offer stands; names of the proto's enum."""

    PENDING_APPROVAL = "PENDING_APPROVAL"
    OFFERED = "OFFERED"
    RETURNED = "RETURNED"
    ACCEPTED = "ACCEPTED"
    DECLINED = "DECLINED"
    EXPIRED = "EXPIRED"


class Verb(enum.StrEnum):
    """A step of its life."""

    APPROVE = "approve"
    RETURN = "return"
    ACCEPT = "accept"
    DECLINE = "decline"
    EXPIRE = "expire"


TRANSITIONS: Mapping[tuple[State, Verb], State] = {
    (State.PENDING_APPROVAL, Verb.APPROVE): State.OFFERED,
    (State.PENDING_APPROVAL, Verb.RETURN): State.RETURNED,
    (State.PENDING_APPROVAL, Verb.DECLINE): State.DECLINED,
    (State.PENDING_APPROVAL, Verb.EXPIRE): State.EXPIRED,
    (State.OFFERED, Verb.ACCEPT): State.ACCEPTED,
    (State.OFFERED, Verb.DECLINE): State.DECLINED,
    (State.OFFERED, Verb.EXPIRE): State.EXPIRED,
}
OPEN = (State.PENDING_APPROVAL, State.OFFERED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """An offer of a bank. `application` is a resource name; costs are over the whole tenor."""

    id: str
    application: str
    bank: str
    enterprise: str
    amount: Money
    annual_rate: Decimal
    fee: Money
    tenor_days: int
    day_count_basis: int
    interest: Money
    all_in_cost: Money
    simple_rate: Decimal
    expire_us: int
    state: State = State.PENDING_APPROVAL
    maker: str
    checker: str = ""
    note: str = ""
    revision: int = 1
    create_us: int

    @property
    def name(self) -> str:
        """Its resource name."""
        return f"offers/{self.id}"

    @property
    def day_count(self) -> str:
        """The convention of its basis, which the loan's contract fixes: ACT_365F of 365."""
        return day_count_bases.of_basis(self.day_count_basis)

    @property
    def effective_rate(self) -> Decimal | None:
        """The annual rate that its lender's charges come to, compounded; None where they are beyond any rate."""
        return annual_rates.effective_rate(self.amount - self.fee, self.amount + self.interest, self.tenor_days)

    @property
    def participants(self) -> tuple[Participant, ...]:
        """Its bank, and the exporter from the moment it is offered."""
        exporter = [Participant(self.enterprise, Role.ENTERPRISE)] if self.checker else []
        return Participant(self.bank, Role.BANK), *exporter


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """The terms that a maker puts into an offer; `annual_rate` is None where it is no number."""

    amount: Money
    annual_rate: Decimal | None
    fee: Money
    tenor_days: int
    expire_us: int


def prepared(
    application: Application, terms: Terms, owed: Costs, *, identifier: str, bank: str, maker: str, now_us: int
) -> Offer:
    """Returns the offer of checked terms that a bank's maker prepares, with what it costs (costs_of).

    USD 80,000.00 at 4.35 % for 90 days of 360, with a fee of USD 100.00: interest USD 870.00, in all USD 970.00.
    """
    return Offer(
        id=identifier,
        application=application.name,
        bank=bank,
        enterprise=application.enterprise,
        amount=terms.amount,
        annual_rate=_checked(terms.annual_rate),
        fee=terms.fee,
        tenor_days=terms.tenor_days,
        day_count_basis=owed.day_count_basis,
        interest=owed.interest.money,
        all_in_cost=owed.all_in_cost.money,
        simple_rate=owed.simple_rate.number,
        expire_us=terms.expire_us,
        maker=maker,
        create_us=now_us,
    )


def costs_of(offer: str, terms: Terms, on: date) -> Costs:
    """Returns the costs of an offer (its name) of checked terms on a business date, and how each comes about."""
    return costs(offer, terms.amount, _checked(terms.annual_rate), terms.fee, terms.tenor_days, on)


def _checked(rate: Decimal | None) -> Decimal:
    assert rate is not None, "the terms weren't checked"
    return rate


def problems(terms: Terms, application: Application, now_us: int, on: date) -> list[Problem]:
    """Returns everything wrong with an offer's terms, as far as they can be compared."""
    return [
        *_amount_problems(terms, application),
        *day_count_bases.problems("offer.amount", application.amount.currency, on),
        *_rate_problems(terms.annual_rate, products.product(application.product, on).annual_rate_max),
        *_time_problems(terms, application, now_us),
    ]


def _amount_problems(terms: Terms, application: Application) -> list[Problem]:
    amount, fee, asked = terms.amount, terms.fee, application.amount
    differing = [
        *checks.in_currency("offer.amount", amount.currency, asked.currency, checks.APPLICATION),
        *checks.in_currency("offer.fee", fee.currency, asked.currency, checks.APPLICATION),
    ]
    if differing:
        return differing
    too_much = Problem("offer.amount", "AMOUNT_ABOVE_APPLICATION", f"Offer at most {asked}.", f"报价金额最高 {asked}。")
    wrong_fee = Problem(
        "offer.fee", "FEE_OUT_OF_RANGE", "Keep back zero or more, and less than the amount.", "费用须不为负且小于金额。"
    )
    tests = (
        (amount > asked, too_much),
        (fee.minor_units < 0 or (amount.minor_units > 0 and fee >= amount), wrong_fee),
    )
    positive = checks.positive("offer.amount", amount.minor_units)
    return [*positive, *(problem for is_wrong, problem in tests if is_wrong)]


def _rate_problems(rate: Decimal | None, highest: Decimal) -> list[Problem]:
    """Returns what is wrong with a rate: it is from zero to the highest, with as many decimals as are kept at most."""
    if rate is not None and 0 <= rate <= highest and rate == round(rate, RATE_DECIMALS_MAX):
        return []
    return [
        Problem(
            "offer.annual_rate",
            "RATE_OUT_OF_RANGE",
            f"Give a rate from 0 to {highest} with at most {RATE_DECIMALS_MAX} decimals.",
            f"利率须在 0 至 {highest} 之间，小数不超过 {RATE_DECIMALS_MAX} 位。",
        )
    ]


def _time_problems(terms: Terms, application: Application, now_us: int) -> list[Problem]:
    longest = application.tenor_days
    too_long = Problem(
        "offer.tenor_days", "TENOR_ABOVE_APPLICATION", f"Offer at most {longest} days.", f"期限最长 {longest} 天。"
    )
    past = Problem(
        "offer.expire_time", "EXPIRE_TIME_PAST", "Choose a time that is still to come.", "请选择未来的到期时间。"
    )
    tests = ((terms.tenor_days > longest, too_long), (terms.expire_us <= now_us, past))
    return [problem for is_wrong, problem in tests if is_wrong]
