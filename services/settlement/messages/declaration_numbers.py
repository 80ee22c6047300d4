"""Customs declarations' numbers in what a payer wrote, however they are written."""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate

LENGTH = 18
# Office (4), year (4), direction (0 or 1), sequence (9).
_NUMBER = re.compile(r"[0-9]{4}(?:19|20)[0-9]{2}[01][0-9]{9}")
# Digits of one number are parted by at most one blank or sign, or by the end of a line.
_GROUPS = re.compile(r"[0-9]+(?:(?: ?[-–—/.·_]? ?\n ?| ?[-–—/.·_] ?| {1,2})[0-9]+)*")
# What stands before a number in a creditor's reference (ISO 11649).
_REFERENCE_PREFIX = re.compile(r"RF[0-9]{2}(?=[0-9]{18}(?![0-9]))")
_DIGITS = re.compile(r"[0-9]+")


def declaration_numbers(texts: Iterable[str]) -> tuple[str, ...]:
    """The numbers that the texts name, each once, in order; texts are looked through one by one.

    A number is 18 digits: customs office, year, direction, sequence.

    - "INV 7 DECL 460120260234553775": whole, among other words and numbers
    - "4601 2026 0 234553775", "4601-2026-0-234553775", "460120260/234553775": in groups
    - "decl. 46012026" and "0234553775" on the next line: broken over two lines
    - "４６０１２０２６０２３４５５３７７５": in full-width digits
    - "RF28460120260234553775": as a creditor's reference, behind its check digits
    - not "4601202602345537751", which is one digit longer, nor "460113260234553775", whose year is none
    """
    found = (number for text in texts for number in _in_text(unicodedata.normalize("NFKC", text)))
    return tuple(dict.fromkeys(found))


def _in_text(text: str) -> Iterator[str]:
    for run in _GROUPS.finditer(_REFERENCE_PREFIX.sub("", text)):
        yield from _in_groups(_DIGITS.findall(run[0]))


def _in_groups(groups: Sequence[str]) -> Iterator[str]:
    """The numbers that whole groups make, leftmost first: of 7, 4601 and 20260234553775 the last two."""
    start = 0
    while start < len(groups):
        number, end = _number_at(groups, start)
        if number:
            yield number
        start = end


def _number_at(groups: Sequence[str], start: int) -> tuple[str, int]:
    """(number, index behind it) of the groups from start; ("", the next index) where they make none."""
    for end, digits in enumerate(accumulate(groups[start : start + LENGTH]), start + 1):
        if len(digits) >= LENGTH:
            return (digits, end) if _NUMBER.fullmatch(digits) else ("", start + 1)
    return "", start + 1
