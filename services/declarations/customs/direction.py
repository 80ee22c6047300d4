"""The direction of trade in a customs number: its ninth digit."""

DIGITS = {"EXPORT": "0", "IMPORT": "1"}

_DIRECTIONS = {digit: name for name, digit in DIGITS.items()}
