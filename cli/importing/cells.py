"""A cell's text as its file has it: typed where the file says what it is, unwrapped where a spreadsheet wrapped it."""

import re
from decimal import Decimal, InvalidOperation

# As many digits as a spreadsheet keeps of a number; what it shows beyond them is lost.
SPREADSHEET_DIGITS = 15
# Far beyond any quantity or amount; a number of a longer exponent stays as it is written, and is refused.
MOST_EXPONENT = 30
WRAPPINGS = ("=", "'")
_FORMULA_TEXT = re.compile(r'="([^"]*)"')
_APOSTROPHE = re.compile(r"'(?=[0-9A-Za-z./-]*[0-9])[0-9A-Za-z./-]+", re.ASCII)
_SHORTENED = re.compile(r"[+-]?[0-9](\.[0-9]+)?E\+[0-9]{2,3}", re.ASCII)


class Number(str):
    """A number that its file knows as one, in plain notation (-1234.5) whatever the mapping's is."""

    __slots__ = ()


class Moment(str):
    """A day, or a day and a time, that its file knows as one, by ISO 8601 (2026-03-02, 2026-03-02T09:30:00)."""

    __slots__ = ()


def cleaned(cell: str) -> str:
    """A cell without the blanks around it and without what spreadsheets put around numbers that are to stay texts.

    For example ="0012" and '0012 become 0012; 's-Hertogenbosch stays.
    """
    text = cell.strip()
    if text[:1] not in WRAPPINGS or not text:
        return text
    if match := _FORMULA_TEXT.fullmatch(text):
        return match[1].strip()
    return text[1:] if _APOSTROPHE.fullmatch(text) else text


def is_shortened(text: str) -> bool:
    """Whether a spreadsheet wrote a long number short, so that its last digits are lost: 4.6042E+17."""
    return _SHORTENED.fullmatch(text) is not None


def number(text: str) -> str:
    """A Number of a text in JSON's notation, exactly: 1.5e3 becomes 1500. The text itself where it is none."""
    try:
        value = Decimal(text)
    except InvalidOperation:
        return text
    if not value.is_finite() or abs(value.adjusted()) > MOST_EXPONENT:
        return text
    return Number(format(value, "f"))


def spreadsheet_number(text: str) -> str:
    """A Number as a spreadsheet shows it, to 15 digits: 1488.6900000000001 becomes 1488.69,
    and 89128874356304.55, which the cell holds as a little less, 89128874356304.5.

    A whole number of more digits becomes 4.60420260000002E+17: its last digits are lost.
    """
    try:
        value = Decimal(text)
    except InvalidOperation:
        return text
    if not value.is_finite() or abs(value.adjusted()) > MOST_EXPONENT:
        return text
    if value.adjusted() >= SPREADSHEET_DIGITS:
        return f"{value:.{SPREADSHEET_DIGITS - 1}E}"
    # The cell's own binary value is what a spreadsheet shows: the text, of 16 or 17 digits, may lie on the other side.
    exact = Decimal.from_float(float(text))
    kept = exact.quantize(Decimal(1).scaleb(value.adjusted() - SPREADSHEET_DIGITS + 1)) if value else Decimal()
    plain = format(kept, "f")
    return Number(plain.rstrip("0").rstrip(".") if "." in plain else plain)
