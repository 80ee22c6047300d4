"""The direction of trade, which a customs number tells by its ninth digit."""

from collections.abc import Mapping

from aval.declarations.v1 import retail_pb2

# Digits of a customs number before the one that tells the direction.
DIGITS_BEFORE = 8
DIGITS: Mapping[str, str] = {"EXPORT": "0", "IMPORT": "1"}
DIRECTIONS: Mapping[str, str] = {digit: name for name, digit in DIGITS.items()}


def digit_of(number: str) -> str:
    """Returns the digit of a customs number that tells the direction: "0" of 222920260000000001; "" of 2229."""
    return number[DIGITS_BEFORE : DIGITS_BEFORE + 1]


def is_import(number: str) -> bool:
    """Returns whether a customs number declares an import: 222920261000000001 does."""
    return digit_of(number) == DIGITS["IMPORT"]


def digit(direction: int) -> str:
    """Returns the digit of a Direction of the contract: "0" for EXPORT, "" for either."""
    return DIGITS.get(retail_pb2.Direction.Name(direction), "")
