"""CEB messages into rows: one message, many documents, each with its row or all its problems.

Messages are taken as senders really write them: with the prefix, with a default namespace or with none; a head right
under the root, or fields right in the document; no BaseTransfer; version 1.0 or v1.0. An empty element is absent, an
unknown one is passed over. The rules on the row itself are in its room's checks and in the proto's field rules.
"""

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from aval.declarations.v1 import personal_pb2
from google.protobuf.message import Message as Row
from lxml import etree

from chassis.errors import Problem
from chassis.xml import Reader, drop_namespace, local_name, namespace, parse_document, wrong_namespace
from services.declarations.intake.formats.ceb import kinds
from services.declarations.intake.formats.ceb.kinds import day_of
from services.declarations.intake.formats.ceb.message import NAMESPACE, Field, Message, PersonElements, Source
from services.declarations.intake.formats.ceb.tables import MESSAGES
from services.declarations.intake.formats.parsed import LINES_MAX, MISDECLARED, PROBLEMS_MAX, Parsed, too_many
from services.declarations.intake.formats.row_problems import field_problems, report_at_elements
from services.declarations.window.retail.checks import check

_VERSIONS = ("", "1.0", "v1.0", "V1.0")
_LINE_PATH = re.compile(r"lines\[([0-9]+)\]\.(.+)")


@dataclass(frozen=True, slots=True)
class Place:
    """The place of a document: its own reader, its head's, and its lines'."""

    document: Reader
    head: Reader
    lines: Sequence[Reader]


def parse(content: bytes) -> list[Parsed]:
    """Reads the documents of a message. Returns one Parsed without an id, with the reason, if it is none."""
    element, problems = parse_document(content, MISDECLARED)
    if element is None:
        return [Parsed("", None, problems)]
    name = local_name(element)
    if namespace(element) not in ("", NAMESPACE):
        return [Parsed("", None, [wrong_namespace(name, element.tag, f"{{{NAMESPACE}}}{name}")])]
    message = MESSAGES.get(name)
    if message is None:
        return [Parsed("", None, [_unknown_message(name)])]
    drop_namespace(element, NAMESPACE)
    return _read(Reader(element, name), message)


def _unknown_message(name: str) -> Problem:
    names = ", ".join(MESSAGES)
    return Problem(
        name,
        "MESSAGE_UNKNOWN",
        f"{name} isn't a message that is taken here; these are: {names}.",
        f"{name} 不是本平台接收的报文；可接收：{names}。",
    )


def _read(root: Reader, message: Message) -> list[Parsed]:
    version = root.attribute("version")
    if version not in _VERSIONS:
        english = f"Version {version} isn't known; send version 1.0."
        root.report("@version", "VERSION_UNSUPPORTED", english, f"报文版本 {version} 不受支持；请使用 1.0。")
    places = list(_places(root, message))
    if not places:
        root.report(message.documents[0], "NO_DOCUMENT", "The message has no document.", "报文中没有单证。")
    root.problems.extend(too_many(len(places)) or too_many(sum(len(place.lines) for place in places), LINES_MAX))
    if root.problems:
        return [Parsed("", None, root.problems)]
    return _with_ids(root, _all_parsed(places, message))


def _all_parsed(places: Sequence[Place], message: Message) -> list[tuple[Place, Parsed]]:
    """Reads each document; once there are as many problems as are told, an unreadable one isn't checked further."""
    told, documents = 0, []
    for place in places:
        parsed = _parsed(place, message, is_brief=told >= PROBLEMS_MAX)
        told += len(parsed.problems)
        documents.append((place, parsed))
    return documents


def _with_ids(root: Reader, documents: Sequence[tuple[Place, Parsed]]) -> list[Parsed]:
    """Names each document by its guid; by its place where it has none, or one that came before."""
    seen: set[str] = {""}
    named = []
    for place, parsed in documents:
        own = parsed.document_id not in seen
        seen.add(parsed.document_id)
        identifier = parsed.document_id if own else place.document.path.removeprefix(f"{root.path}/")
        named.append(replace(parsed, document_id=identifier))
    return named


def _places(root: Reader, message: Message) -> Iterator[Place]:
    for document in _apart(root, message.documents):
        heads = (document.find(name) for name in message.heads)
        head = next((child for child in heads if child is not None), document)
        yield Place(document, head, list(document.children(message.line)) if message.line else ())
    lines = _lines_by_head(root, message)
    for head in _apart(root, message.heads):
        own = [Reader(line.element, line.path, head.problems) for line in lines[head.element]]
        yield Place(head, head, own)


def _apart(root: Reader, names: Sequence[str]) -> Iterator[Reader]:
    """Yields the children of these names, each with a list of problems of its own."""
    for name in names:
        for child in root.children(name):
            yield Reader(child.element, child.path)


def _lines_by_head(root: Reader, message: Message) -> Mapping[etree._Element, list[Reader]]:
    """Returns the lines that follow each head right under the root, up to the next head."""
    lines = {line.element: line for line in root.children(message.line)} if message.line else {}
    by_head: dict[etree._Element, list[Reader]] = {}
    own: list[Reader] = []
    for element in root.element.iterchildren():
        if element.tag in message.heads:
            own = by_head[element] = []
        elif element in lines:
            own.append(lines[element])
    return by_head


def _texts(element: etree._Element) -> dict[str, str]:
    """Returns the texts of the children by name, the first of a repeated one."""
    texts: dict[str, str] = {}
    for child in element.iterchildren():
        texts.setdefault(child.tag, (child.text or "").strip())
    return texts


def _parsed(place: Place, message: Message, is_brief: bool) -> Parsed:
    texts = _texts(place.head.element)
    on = day_of(texts.get("appTime") or texts.get("returnTime", ""))
    head = Source(place.head, texts, {}, message.direction, on)
    lines = [Source(line, _texts(line.element), texts, message.direction, on) for line in place.lines]
    row = _row(head, lines, message)
    for find in () if is_brief and place.document.problems else (check, field_problems):
        report_at_elements(place.document, find(row), lambda path: _element_path(path, place, message))
    # Two amounts of one currency say the same of it.
    problems = {(problem.path, problem.reason): problem for problem in place.document.problems}
    return Parsed(texts.get("guid", ""), None if problems else row, list(problems.values()))


def _row(head: Source, lines: Sequence[Source], message: Message) -> Any:
    row: Any = message.row(**message.constants)
    _fill(row, head, message.fields)
    if hasattr(row, "envelope"):
        row.envelope.format = message.format
    for line in _until_refused(lines) if message.line_fields else ():
        _fill(row.lines.add(), line, message.line_fields)
    for line in lines:
        for field in message.references:
            getattr(row, field.path).extend(filter(None, [_value(line, field)]))
    for person in message.persons:
        row.persons.extend(_persons(head, person))
    for path, text in _exact_amounts(head, lines, message) if not head.reader.problems else ():
        row.exact_amounts.add(path=path).value.value = text
    if message.total and row.lines:
        _sum_up(row, message.total)
        _fill_charges(row, head, message)
    return row


def _until_refused(lines: Sequence[Source]) -> Iterator[Source]:
    """Yields the lines until more problems are found than are told of a document."""
    return itertools.takewhile(lambda line: len(line.reader.problems) <= PROBLEMS_MAX, lines)


def _exact_amounts(head: Source, lines: Sequence[Source], message: Message) -> Iterator[tuple[str, str]]:
    """Yields path and text of each amount that is finer than its currency, for example lines[0].total, 37.03701."""
    for field in message.fields:
        if text := kinds.exact(head, field):
            yield field.path, text
    for index, line in enumerate(lines):
        for field in message.line_fields:
            if text := kinds.exact(line, field):
                yield f"lines[{index}].{field.path}", text


def _fill_charges(row: Any, head: Source, message: Message) -> None:
    """Fills the charges that are given as a part of the total, or by weight."""
    total, kilograms = getattr(row, message.total), row.gross_weight_kilograms.value
    for field in message.fields:
        amount = kinds.charge(head, field, total, kilograms) if field.mark else None
        if amount is not None:
            _put(row, field.path, amount)


def _fill(row: Any, source: Source, fields: Sequence[Field]) -> None:
    for field in fields:
        value = _value(source, field)
        if value is not None:
            _put(row, field.path, value)


def _value(source: Source, field: Field) -> Any:
    """Returns the field's value; None where it is absent or can't be read, which is reported where it matters."""
    if field.is_required and not source.given(field)[1]:
        source.reader.required(field.element)
    return field.kind(source, field)


def _put(row: Any, path: str, value: Any) -> None:
    *way, name = path.split(".")
    for step in way:
        row = getattr(row, step)
    if isinstance(value, Row):
        getattr(row, name).CopyFrom(value)
    elif isinstance(value, list):
        getattr(row, name).extend(value)
    else:
        setattr(row, name, value)


def _persons(head: Source, person: PersonElements) -> list[personal_pb2.Person]:
    given = {name: head.texts[element] for name, element in person.elements.items() if head.texts.get(element)}
    return [personal_pb2.Person(part=person.part, **given)] if given else []


def _sum_up(row: Any, name: str) -> None:
    """Sets the total of the lines, in the currency of the first; the checks report several currencies."""
    total = getattr(row, name)
    total.currency_code = row.lines[0].total.currency_code
    total.minor_units = sum(line.total.minor_units for line in row.lines)


def _element_path(path: str, place: Place, message: Message) -> str:
    """Returns the path of the element that a row's field came from; the document's own where there is none."""
    if message.total and path == f"{message.total}.currency_code":
        path = "lines[0].total.currency_code"
    line = _LINE_PATH.fullmatch(path)
    if line and int(line[1]) < len(place.lines):
        return f"{place.lines[int(line[1])].path}/{_element(line[2], message.line_fields)}"
    if path and path.partition("[")[0] in {"lines", message.total, *(field.path for field in message.references)}:
        return f"{place.document.path}/{message.line}"
    element = _element(path, message.fields)
    return f"{place.head.path}/{element}" if element else place.document.path


def _element(path: str, fields: Sequence[Field]) -> str:
    elements: Mapping[str, str] = {field.path: field.element for field in fields if field.path}
    currencies = {f"{field.path}.currency_code": field.currency[0] for field in fields if field.currency}
    return elements.get(path) or currencies.get(path) or elements.get(path.partition(".")[0], "")
