"""Identifiers that standards give institutions, accounts, countries and enterprises, and whether a text is one."""

from functools import lru_cache

from stdnum import bic, iban, lei
from stdnum.cn import uscc


def is_bic(text: str) -> bool:
    """Returns whether a text is a business identifier code (ISO 9362): BKCHCNBJ and BKCHCNBJ300 are."""
    return text == bic.compact(text) and bool(bic.is_valid(text))


def is_iban(text: str) -> bool:
    """Returns whether a text is an account number (ISO 13616) without blanks: DE89370400440532013000 is."""
    return text == iban.compact(text) and bool(iban.is_valid(text))


def is_lei(text: str) -> bool:
    """Returns whether a text is a legal entity identifier (ISO 17442), by its check digits: 213800KUD8LAJWSQ9D15 is."""
    return text == lei.compact(text) and bool(lei.is_valid(text))


def is_country(code: str) -> bool:
    """Returns whether a text is an ISO 3166-1 alpha-2 code, or XK, which ISO 9362 takes for Kosovo.

    "CN" and "XK" are; "ZZ", "cn" and "CHN" aren't. A BIC's country says it: the list is the library's.
    """
    return len(code) == 2 and is_bic(f"AVAL{code}00")


@lru_cache(maxsize=65536)
def is_social_credit_code(code: str) -> bool:
    """Returns whether a text is a unified social credit code (GB 32100): 18 characters, the last checks the others.

    91110000600037341L is; 91110000600037341X isn't.
    """
    return len(code) == 18 and code == code.upper() and bool(uscc.is_valid(code))
