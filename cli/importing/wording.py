"""Forms of fields in words: the contracts have them as regular expressions, which whoever has a table doesn't read."""

import re
from collections.abc import Mapping

_PATTERN = re.compile(r"does not match regex pattern `(.*)`")
_DECLARATION = "18 digits: 4 of the customs office, 4 of the year, then 0 or 1 and 9 more"
# By the contract's form, but for the parts around it that say that it may be empty.
FORMS: Mapping[str, str] = {
    "-?[0-9]{1,9}": "a whole number of at most 9 digits",
    "20[0-9]{2}(0[1-9]|1[0-2])": "a year and a month: 202603",
    "[0-9A-Z]{10}": "10 digits or capital letters",
    "[0-9A-Z]{18}": "18 digits or capital letters",
    "[0-9A-Z]{2}": "2 digits or capital letters",
    "[0-9A-Za-z-]{1,32}": "at most 32 digits, letters or hyphens",
    "[0-9A-Za-z]": "one digit or letter",
    "[0-9]{10}": "10 digits",
    "[0-9]{2,10}": "2 to 10 digits",
    "[0-9]{4}": "4 digits",
    "[0-9]{4}(19|20)[0-9]{2}1[0-9]{9}": "18 digits: 4 of the customs office, 4 of the year, then 1 and 9 more",
    "[0-9]{4}(19|20)[0-9]{2}[01][0-9]{9}": _DECLARATION,
    "[0-9]{6,10}": "6 to 10 digits",
    "[0-9]{8,10}": "8 to 10 digits",
    "[0-9]{8}[0-9EI][0-9]{9,11}": "18 to 20 digits, the ninth of which may be E or I",
    "[235]": "2, 3 or 5",
    "[A-Z0-9]{3,5}": "3 to 5 digits or capital letters",
    "[A-Z]{2}[A-Z0-9]{3}": "2 capital letters of the country, and 3 digits or capital letters",
    "[A-Z]{3}": "3 capital letters",
    "[a-z0-9][a-z0-9-]{0,63}": "at most 64 digits, small letters or hyphens, with no hyphen first",
    "declarations/[0-9]{18}": "declarations/ and 18 digits",
    "enterprises/[0-9A-Z]{18}": "enterprises/ and a social credit code of 18 digits or capital letters",
    "treasuries/[0-9]{4}|enterprises/[0-9A-Z]{18}": "treasuries/ and 4 digits, or enterprises/ and a code of 18 signs",
}


def plain(message: str) -> str:
    """Returns a problem's message with the field's form in words.

    Example: "is not of the form wanted: 10 digits; correct it".
    """
    match = _PATTERN.fullmatch(message)
    words = FORMS.get(form(match[1])) if match else None
    return f"The value is not of the form wanted: {words}; correct it." if words else message


def form(pattern: str) -> str:
    """Returns a pattern without the parts around it: ^([0-9]{4})?$ is [0-9]{4}."""
    inner = pattern.removeprefix("^").removesuffix("$")
    whole = re.fullmatch(r"\((.*)\)\??", inner)
    return whole[1] if whole and inner.count("(") <= whole[1].count("(") + 1 else inner
