"""JSON Lines as rows of texts by dotted names: one object a line."""

import functools
import json
from collections.abc import Callable, Iterator, Sequence
from typing import IO, Any

from chassis import strict_json
from cli.importing import cells
from cli.importing.entries import Entry, Pieces, Raw
from cli.importing.files import FILE_ENCODING, FILE_SHAPE, LARGEST_DOCUMENT, Opened, RefusedFile
from cli.importing.mapping import ColumnMapping
from services.declarations.intake.formats.json_lines import line_malformed

UTF_8 = "utf-8-sig"


def lines(opened: Opened, encoding: str = "") -> Iterator[tuple[int, str]]:
    """Yields the lines that aren't blank, with their numbers from 1.

    Raises RefusedFile where they are in another encoding, a line is longer than a document, or objects don't stand one
    a line.
    """
    text, name = opened.text(encoding or UTF_8), opened.source.name
    number, is_first = 0, True
    while line := _next(text, number, name, encoding or "utf-8"):
        number += 1
        if not line.strip():
            continue
        if is_first:
            _check_shape(line, name)
        is_first = False
        yield number, line


def _next(text: IO[str], number: int, name: str, encoding: str) -> str:
    try:
        line = text.readline(LARGEST_DOCUMENT + 1)
    except UnicodeError as error:
        raise RefusedFile(FILE_ENCODING, f"{name} is no {encoding} after line {number} ({error}).") from error
    if len(line) > LARGEST_DOCUMENT:
        raise RefusedFile(FILE_SHAPE, f"{name}: line {number + 1} has more than 3 MiB; write one object a line.")
    return line


def _check_shape(line: str, name: str) -> None:
    """Raises RefusedFile, once for the whole file, where its first line shows that it isn't one object a line."""
    if line.lstrip().startswith("["):
        raise RefusedFile(FILE_SHAPE, f"{name} is an array; write one object a line (JSON Lines).")
    if _goes_on(line.strip()):
        raise RefusedFile(FILE_SHAPE, f"{name} has an object over several lines; write one object a line (JSON Lines).")


def _goes_on(text: str) -> bool:
    """Whether the text is the beginning of an object: nothing is wrong with it but that it ends."""
    try:
        json.loads(text)
    except json.JSONDecodeError as error:
        return text.startswith("{") and error.pos >= len(text)
    except RecursionError:
        return False
    return False


def names(opened: Opened, mapping: ColumnMapping) -> set[str]:
    """Returns the names in the first object; none where it can't be read. Raises RefusedFile."""
    _, line = next(lines(opened, mapping.encoding), (0, ""))
    try:
        return {name for row in _rows(line, mapping) for name in row}
    except ValueError:
        return set()


def pieces(opened: Opened, mapping: ColumnMapping) -> Pieces:
    """Returns the objects of a file, lazily, each on its line. Raises RefusedFile."""

    def joined(raws: Sequence[Raw]) -> bytes:
        return "".join(line if line.endswith("\n") else f"{line}\n" for (line,) in raws).encode(
            mapping.encoding or "utf-8", "replace"
        )

    return Pieces(_entries(opened, mapping, joined), joined)


def _entries(opened: Opened, mapping: ColumnMapping, joined: Callable[[Sequence[Raw]], bytes]) -> Iterator[Entry]:
    names = dict.fromkeys(sorted(mapping.columns), "")
    for number, line in lines(opened, mapping.encoding):
        cut = functools.partial(joined, [[line]])
        try:
            yield Entry(number, [{**names, **row} for row in _rows(line, mapping)], (), [line], cut)
        except ValueError as error:
            yield Entry(number, [], [line_malformed(str(error))], [line], cut)


def _rows(line: str, mapping: ColumnMapping) -> list[dict[str, str]]:
    """Returns an object as rows of texts by dotted names: one, or one for each element of the list at `mapping.lines`.

    For example {"no": "A", "buyer": {"country": "US"}} is {"no": "A", "buyer.country": "US"}. Raises ValueError.
    """
    try:
        data = strict_json.loads(line, parse_number=cells.number)
        return _rows_of(data, mapping)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def _rows_of(data: Any, mapping: ColumnMapping) -> list[dict[str, str]]:
    if not isinstance(data, dict):
        raise ValueError("it is no object")
    if not mapping.lines:
        return [_flat(data, mapping)]
    elements = _taken_out(data, mapping.lines.split("."))
    if not isinstance(elements, list) or not elements:
        raise ValueError(f"it has no list {mapping.lines!r}")
    if len(elements) > mapping.most_rows:
        raise ValueError(f"its list {mapping.lines!r} has {len(elements)} elements, more than {mapping.most_rows}")
    head = _flat(data, mapping)
    return [_joined(head, _flat(element, mapping, f"{mapping.lines}.")) for element in elements]


def _taken_out(data: Any, way: Sequence[str]) -> Any:
    for name in way[:-1]:
        data = data.get(name, {}) if isinstance(data, dict) else {}
    return data.pop(way[-1], None) if isinstance(data, dict) else None


def _flat(data: Any, mapping: ColumnMapping, above: str = "") -> dict[str, str]:
    """Returns the texts of an object by their dotted names. Raises ValueError for a name that is given twice."""
    texts: dict[str, str] = {}
    for name, text in _texts(data, mapping, above):
        if texts.setdefault(name, text) is not text:
            raise ValueError(f"{name!r} is given twice")
    return texts


def _joined(first: dict[str, str], second: dict[str, str]) -> dict[str, str]:
    """Joins two objects' texts. Raises ValueError for a name that both have: {"a.b": 1, "a": {"b": 2}}."""
    if twice := first.keys() & second.keys():
        raise ValueError(f"{min(twice)!r} is given twice")
    return first | second


def _texts(data: Any, mapping: ColumnMapping, above: str) -> Iterator[tuple[str, str]]:
    """Yields each value that is no object or list with its dotted name.

    Raises ValueError where a mapped column is an object or list.
    """
    name = above.removesuffix(".")
    if isinstance(data, dict | list) and name in mapping.columns:
        raise ValueError(f"{name!r} is no single value")
    if isinstance(data, dict):
        for inner, value in data.items():
            yield from _texts(value, mapping, f"{above}{inner}.")
    elif data is not None and not isinstance(data, list):
        yield name, _text(data)


def _text(value: Any) -> str:
    """Returns a text without the blanks around it; a number as its file has it; true and false as JSON writes them."""
    if isinstance(value, bool):
        return json.dumps(value)
    return value if isinstance(value, cells.Number) else str(value).strip()
