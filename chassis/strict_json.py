"""JSON from strangers: what json takes, but for what readers understand differently or can't carry."""

import json
from collections.abc import Callable, Sequence
from typing import Any


def loads(text: str | bytes, parse_number: Callable[[str], Any] | None = None) -> Any:
    """What the text says. ValueError also for nesting beyond any message, for a name that is given twice in an
    object, in whichever spelling of the two that messages have, and for halves of a surrogate pair.

    `parse_number`: makes a value of a number's text, instead of the int or float that it would be.
    """
    try:
        data = json.loads(text, object_pairs_hook=_object, parse_int=parse_number, parse_float=parse_number)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    if (b"\\u" if isinstance(text, bytes) else "\\u") in text:  # type: ignore[operator]
        json.dumps(data, ensure_ascii=False).encode()
    return data


def _object(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    data = dict(pairs)
    if len({name.replace("_", "").lower() for name in data}) < len(pairs):
        raise ValueError("a name is given twice in an object")
    return data
