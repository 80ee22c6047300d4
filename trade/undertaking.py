"""The pure model of an undertaking: an amount that its giver pays against a complying presentation, until it expires.

Letters of credit (UCP 600), demand guarantees and counter-guarantees (URDG 758) and duty guarantees share it: what is
still available, whether a presentation comes in time, what a payment leaves, how a reduction lowers it.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date

from chassis.errors import Problem
from chassis.money import Money
from trade import checks

UNDERTAKING = checks.Subject("undertaking", "该承诺")


@dataclass(frozen=True, slots=True, kw_only=True)
class Undertaking:
    """An undertaking: its amount with all increases, and the parts of it that were paid, claimed and reduced.

    `claimed` is presented, and neither paid nor refused yet.
    """

    amount: Money
    expiry_date: date
    paid: Money
    claimed: Money
    reduced: Money

    @property
    def available(self) -> Money:
        """Returns the amount that may still be presented: of 100, 20 paid, 30 claimed and 10 reduced it is 40."""
        return self.amount - self.reduced - self.paid - self.claimed

    @property
    def outstanding(self) -> Money:
        """Returns the giver's liability: what may still be paid, claims under way among it.

        Of 100, 20 paid, 30 claimed and 10 reduced it is 70.
        """
        return self.amount - self.reduced - self.paid


def opened(amount: Money, expiry_date: date) -> Undertaking:
    """Returns an undertaking of which nothing is paid, claimed or reduced."""
    zero = amount.zero()
    return Undertaking(amount=amount, expiry_date=expiry_date, paid=zero, claimed=zero, reduced=zero)


def presentation_problems(undertaking: Undertaking, amount: Money, on: date) -> list[Problem]:
    """Returns why a presentation on a day isn't taken: too late, too much, in another currency; empty if it is.

    On the expiry date it is in time (UCP 600 art. 6(e), URDG 758 art. 14(a)).
    """
    return [*_amount_problems(undertaking, amount), *_time_problems(undertaking, on)]


def _amount_problems(undertaking: Undertaking, amount: Money) -> Iterator[Problem]:
    currency, available = undertaking.amount.currency, undertaking.available
    if amount.currency != currency:
        yield checks.currency_differs("amount", currency, UNDERTAKING)
    elif amount.minor_units <= 0:
        yield checks.not_positive("amount")
    elif amount > available:
        english = f"At most {available} is available."
        yield Problem("amount", "AMOUNT_EXCEEDS_UNDERTAKING", english, f"可提示金额最多为 {available}。")


def _time_problems(undertaking: Undertaking, on: date) -> Iterator[Problem]:
    if on > undertaking.expiry_date:
        english = f"It expired on {undertaking.expiry_date}."
        yield Problem("expiry_date", "UNDERTAKING_EXPIRED", english, f"已于 {undertaking.expiry_date} 到期。")


def claimed(undertaking: Undertaking, amount: Money) -> Undertaking:
    """Returns the undertaking with an amount that is presented: it is available to no other presentation."""
    return replace(undertaking, claimed=undertaking.claimed + amount)


def paid(undertaking: Undertaking, amount: Money) -> Undertaking:
    """Returns the undertaking after a claim, or a part of one, is paid."""
    return replace(undertaking, claimed=undertaking.claimed - amount, paid=undertaking.paid + amount)


def refused(undertaking: Undertaking, amount: Money) -> Undertaking:
    """Returns the undertaking after a claim is refused or withdrawn: the amount is available again."""
    return replace(undertaking, claimed=undertaking.claimed - amount)


def reduced(undertaking: Undertaking, amount: Money) -> Undertaking:
    """Returns the undertaking lowered by an amount, as far as it is available (URDG 758 art. 13): claims stand.

    Of 100 with 70 claimed, a reduction by 50 lowers it by 30.
    """
    return replace(undertaking, reduced=undertaking.reduced + min(amount, undertaking.available))


def expired(undertaking: Undertaking) -> Undertaking:
    """Returns the undertaking after its last day: nothing is available, claims presented in time stand."""
    return reduced(undertaking, undertaking.available)
