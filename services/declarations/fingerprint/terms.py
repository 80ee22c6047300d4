"""The document register's terms as effective on a day: tolerances, points, limits (data/*.csv)."""

from datetime import date
from decimal import Decimal

from services.declarations.customs.code_tables import Row, code_table
from services.declarations.fingerprint.document import Kind
from services.declarations.fingerprint.tokens import Tolerance


def number(code: str, on: date) -> int:
    """Returns a whole number of data/document_terms.csv. Raises KeyError if there is none on the day."""
    return int(code_table("document_terms").value(code, on))


def tolerance(on: date) -> Tolerance:
    """Returns how near amounts and days count as near."""
    amount = Decimal(code_table("document_terms").value("amount_tolerance", on))
    return Tolerance(amount, number("date_tolerance_days", on))


def points(kind: Kind, reason: str, on: date) -> int:
    """Returns what a reason adds to the score of documents of a kind: all that is the same adds up to 100."""
    return int(code_table("match_points").value(f"{kind}/{reason}", on))


def reason(code: str, on: date) -> Row:
    """Returns what a reason is about (`aspect`) and says (`english`, `chinese`). Raises KeyError if there is none."""
    row = code_table("match_reasons").row(code, on)
    if row is None:
        raise KeyError(f"{code} on {on}")
    return row
