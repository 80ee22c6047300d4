"""A payment for an order of cross-border e-commerce as the platform keeps it."""

from dataclasses import dataclass

from chassis.money import Money
from services.declarations.window.retail.versions import Change


@dataclass(frozen=True, slots=True)
class Payment:
    """The row: what is searched or matched, and the body as it came, without persons.

    platform_code: empty where the payment doesn't say it, and so are an export's payment company and transaction
    number. pay_us: when it was paid, else when it was sent.
    """

    id: str
    direction: str
    payment_company_code: str
    transaction_number: str
    order_number: str
    platform_code: str
    amount: Money
    pay_us: int
    send_us: int
    change: Change
    digest: bytes
    body: bytes
    create_us: int
    revision: int
