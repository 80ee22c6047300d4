"""A waybill of cross-border e-commerce as the platform keeps it."""

from dataclasses import dataclass

from services.declarations.window.retail.versions import Change


@dataclass(frozen=True, slots=True)
class Waybill:
    """The row: what is searched or matched, and the body as it came, without persons.

    order_number: empty where the waybill doesn't say it, and a list must.
    """

    id: str
    direction: str
    carrier_code: str
    waybill_number: str
    order_number: str
    send_us: int
    change: Change
    digest: bytes
    body: bytes
    create_us: int
    revision: int
