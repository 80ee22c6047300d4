"""An exporter's application to several banks."""

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from chassis.errors import Problem
from chassis.money import Money
from chassis.participants import Participant
from services.loans import errors, products
from trade import checks, day_count_bases
from trade.roles import Role


class State(enum.StrEnum):
    """Where an application stands; names of the proto's enum."""

    OPEN = "OPEN"
    ACCEPTED = "ACCEPTED"
    WITHDRAWN = "WITHDRAWN"


class Verb(enum.StrEnum):
    """A step of its life."""

    OFFER = "offer"
    ACCEPT = "accept"
    WITHDRAW = "withdraw"


TRANSITIONS: Mapping[tuple[State, Verb], State] = {
    (State.OPEN, Verb.OFFER): State.OPEN,
    (State.OPEN, Verb.ACCEPT): State.ACCEPTED,
    (State.OPEN, Verb.WITHDRAW): State.WITHDRAWN,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Application:
    """An exporter's request to banks. `declarations` are resource names, `banks` tenants."""

    id: str
    enterprise: str
    product: str
    declarations: tuple[str, ...]
    amount: Money
    tenor_days: int
    banks: tuple[str, ...]
    state: State = State.OPEN
    revision: int = 1
    create_us: int

    @property
    def name(self) -> str:
        """Its resource name."""
        return f"applications/{self.id}"

    @property
    def participants(self) -> tuple[Participant, ...]:
        """The exporter and the banks that it asks."""
        banks = [Participant(bank, Role.BANK) for bank in self.banks]
        return Participant(self.enterprise, Role.ENTERPRISE), *banks

    def banks_seen_by(self, tenant: str) -> list[str]:
        """Returns the banks asked that a tenant may know of: the exporter all, a bank itself alone."""
        return [bank for bank in self.banks if tenant in (self.enterprise, bank)]


def problems(application: Application, on: date) -> list[Problem]:
    """Everything wrong with the fields of a new application."""
    product = products.product(application.product, on)
    currency = application.amount.currency
    is_lent = products.amount_cap(product.code, currency, on) is not None
    tests = (
        (
            not is_lent,
            Problem(
                "application.amount",
                "CURRENCY_NOT_LENT",
                f"{currency} isn't lent with this product; choose another currency.",
                f"该产品不提供 {currency} 贷款，请选择其他币种。",
            ),
        ),
        (
            application.tenor_days > product.tenor_days_max,
            Problem(
                "application.tenor_days",
                "TENOR_ABOVE_CAP",
                f"Choose at most {product.tenor_days_max} days.",
                f"期限最长 {product.tenor_days_max} 天。",
            ),
        ),
    )
    amount_problems = [
        *checks.positive("application.amount", application.amount.minor_units),
        *(day_count_bases.problems("application.amount", currency, on) if is_lent else []),
    ]
    return [*amount_problems, *(problem for is_wrong, problem in tests if is_wrong)]


def check_cap(application: Application, on: date) -> None:
    """AmountAboveCap if it asks for more than the product lends."""
    cap = products.amount_cap(application.product, application.amount.currency, on)
    if cap is not None and application.amount > cap:
        raise errors.AmountAboveCap(cap=cap)
