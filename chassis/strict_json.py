"""JSON from strangers: what json takes, but for what readers understand differently or can't carry."""

import json
from collections.abc import Callable, Sequence
from typing import Any

# More digits than any number of ours has; text of thousands of them takes long to become a number.
MOST_DIGITS = 100


def loads(text: str | bytes, parse_number: Callable[[str], Any] | None = None) -> Any:
    """Parses a JSON text: '{"a": [1, 2]}' gives {"a": [1, 2]}.

    Raises ValueError, in words of our own, for what is no JSON, and also for nesting beyond any message, for a name
    that is given twice in an object, in whichever spelling of the two that messages have, for halves of a surrogate
    pair, for NaN and infinity, and for numbers of more than 100 digits.

    `parse_number`: makes a value of a number's text, instead of the int or float that it would be.
    """
    readable = text if isinstance(text, str) else _decoded(text)
    try:
        data = json.loads(
            readable,
            object_pairs_hook=_object,
            parse_int=parse_number or _integer,
            parse_float=parse_number,
            parse_constant=_constant,
        )
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    except json.JSONDecodeError as error:
        raise ValueError(f"line {error.lineno}, column {error.colno} isn't JSON") from error
    if "\\u" in readable and _has_half_pairs(data):
        raise ValueError("half of a surrogate pair stands for no sign")
    return data


def _decoded(content: bytes) -> str:
    """Returns the text of UTF-8, or UTF-16 and UTF-32 as json tells them apart."""
    try:
        return content.decode("utf-8-sig" if content.startswith(b"\xef\xbb\xbf") else json.detect_encoding(content))
    except UnicodeDecodeError as error:
        raise ValueError("the text isn't UTF-8") from error


def _object(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    data = dict(pairs)
    if len({name.replace("_", "").lower() for name in data}) < len(pairs):
        raise ValueError("a name is given twice in an object")
    return data


def _integer(digits: str) -> int:
    if len(digits) > MOST_DIGITS:
        raise ValueError(f"a number has more than {MOST_DIGITS} digits")
    return int(digits)


def _constant(name: str) -> Any:
    raise ValueError(f"{name} is no number of JSON")


def _has_half_pairs(data: Any) -> bool:
    try:
        json.dumps(data, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return True
    return False
