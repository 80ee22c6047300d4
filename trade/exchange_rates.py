"""Exchange rates of a day, by the dated table exchange_rates."""

from datetime import date
from decimal import ROUND_HALF_EVEN, Decimal

from chassis.codetables import CodeTable

TABLE = "exchange_rates"
RATE_DECIMALS = Decimal("1e-10")


def exchange_rate(table: CodeTable, base: str, quote: str, on: date) -> Decimal | None:
    """Returns the units of `quote` for a unit of `base`, both major, to 10 decimals; None where a rate is missing.

    With 1.172 USD and 8.397 CNY for a euro, USD to CNY is 7.1646757679.
    """
    rows = [table.row(currency, on) for currency in (quote, base)]
    quoted, based = (Decimal(row["value"]) if row else None for row in rows)
    if quoted is None or based is None:
        return None
    return (quoted / based).quantize(RATE_DECIMALS, ROUND_HALF_EVEN)
