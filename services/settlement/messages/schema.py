"""Whether a message is as its ISO 20022 schema has it: elements, their order, lengths, forms and code lists.

The schemas are those of the ISO 20022 Registration Authority, kept in schemas/.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from itertools import islice
from threading import Lock
from typing import Any

from lxml import etree

from chassis.errors import Problem
from chassis.xml import local_name

NAMESPACE = "urn:iso:std:iso:20022:tech:xsd:"
# What a refusal's trailer has room for (gRPC, 8 KB); the rest is told when these are mended.
PROBLEMS_MAX = 20
NAMES_LISTED_MAX = 5
# The validator names a broken value twice: its rule and its type.
ENTRIES_MAX = 2 * PROBLEMS_MAX
TEXT_QUOTED_MAX = 40

# A validator keeps the errors of its last message: one message at a time.
_ONE_AT_A_TIME = Lock()
_STEP = re.compile(r"(?:[^:/]+:)?([^:/\[]+)(?:\[([0-9]+)\])?")
_EXPECTED = re.compile(r"\{[^}]*\}([^\s,)]+)")


@cache
def _schema(message: str) -> etree.XMLSchema:
    text = files("services.settlement.messages").joinpath("schemas", f"{message}.xsd").read_bytes()
    return etree.XMLSchema(etree.fromstring(text))


@dataclass(frozen=True, slots=True)
class _Break:
    """A problem, and the places of which any earlier report makes it superfluous."""

    problem: Problem
    places: tuple[str, ...]


def problems(
    element: etree._Element, path: str, messages: Sequence[str], reported: Sequence[Problem] = ()
) -> list[Problem]:
    """Every break of the schema that the element fits best, one for each path; none where it fits one of them.

    path: the element's own; messages: schemas to try in turn, for example ("pacs.008.001.08",); reported: what
    is told of the element already, which isn't told again: a missing DbtrAgt is known as
    DbtrAgt/FinInstnId/BICFI. Paths are written as chassis.xml.Reader writes them:
    Document/FIToFICstmrCdtTrf/CdtTrfTxInf[1]/PmtId/UETR.
    """
    found: list[list[_Break]] = []
    for message in messages:
        breaks = _breaks(_in_namespace(element, message), path, message)
        if not breaks:
            return []
        found.append(breaks)
    told = [_unnumbered(problem.path) for problem in reported]
    return [each_break.problem for each_break in min(found, key=len) if not _is_told(each_break, told)]


def _is_told(each_break: _Break, told: Sequence[str]) -> bool:
    places = [_unnumbered(place) for place in each_break.places]
    return any(path == place or path.startswith(f"{place}/") for path in told for place in places)


def _unnumbered(path: str) -> str:
    return path.replace("[1]", "")


def _in_namespace(element: etree._Element, message: str) -> etree._Element:
    """The element as the other version's namespace has it; itself where it is of that version."""
    if etree.QName(element).namespace == NAMESPACE + message:
        return element
    renamed = deepcopy(element)
    for each_element in renamed.iter():
        each_element.tag = f"{{{NAMESPACE}{message}}}{local_name(each_element)}"
    return renamed


def _breaks(element: etree._Element, path: str, message: str) -> list[_Break]:
    schema: Any = _schema(message)
    with _ONE_AT_A_TIME:
        if schema.validate(element):
            return []
        entries = [(entry.type_name, entry.path, entry.message) for entry in islice(schema.error_log, ENTRIES_MAX)]
    told: dict[str, _Break] = {}
    for kind, where, detail in entries:
        place = _at(element, where)
        each_break = _break(kind, place, _path(place, element, path), detail, message)
        told.setdefault(each_break.problem.path, each_break)
    return list(told.values())[:PROBLEMS_MAX]


def _at(root: etree._Element, where: str | None) -> etree._Element:
    """The element that a validator's path names, such as /*/*[1]/*[3] or /p:Document/p:GrpHdr."""
    element = root
    for step in (where or "").strip("/").split("/")[1:]:
        matched = _STEP.fullmatch(step)
        if matched is None:
            break
        name, number = matched.groups()
        fitting = element.iterchildren() if name == "*" else element.iterchildren(f"{{*}}{name}")
        element = next(islice(fitting, int(number or 1) - 1, None))
    return element


def _path(element: etree._Element, root: etree._Element, path: str) -> str:
    """The element's path below the root's, numbered where several of its name stand side by side."""
    steps: list[str] = []
    parent = element.getparent()
    while element is not root and parent is not None:
        steps.append(f"{local_name(element)}{_number(element)}")
        element, parent = parent, parent.getparent()
    return "/".join((path, *reversed(steps)))


def _number(element: etree._Element) -> str:
    before = sum(1 for _ in element.itersiblings(element.tag, preceding=True))
    is_single = not before and next(element.itersiblings(element.tag), None) is None
    return "" if is_single and local_name(element) != "CdtTrfTxInf" else f"[{before + 1}]"


def _break(kind: str, element: etree._Element, where: str, detail: str, message: str) -> _Break:
    if kind == "SCHEMAV_ELEMENT_CONTENT":
        return _misplaced(element, where, detail, message)
    reason, told = _KINDS.get(kind, ("SCHEMA_VIOLATION", _told_value))
    return _Break(Problem(where, reason, *told(element, message)), (where,))


def _misplaced(element: etree._Element, where: str, detail: str, message: str) -> _Break:
    """Tells an element that is missing below another, or that stands in a place where it may not.

    `Missing child element(s). Expected is ( {…}CreDtTm ).` names what is missing below the element;
    `This element is not expected. Expected is ( {…}MsgId ).` what stands in its place, and may be missing.
    """
    expected = _EXPECTED.findall(detail.partition("Expected is")[2])
    if "Missing child" in detail and expected:
        return _missing(where, expected)
    name, parent = local_name(element)[:TEXT_QUOTED_MAX], where.rpartition("/")[0]
    names = ", ".join(expected[:NAMES_LISTED_MAX]) + (" …" if len(expected) > NAMES_LISTED_MAX else "")
    english = f"{name} isn't expected here; {message} has in its place: {names or 'nothing more'}."
    chinese = f"此处不应出现 {name}；按 {message} 此处应为：{names or '无'}。"
    problem = Problem(where, "ELEMENT_UNEXPECTED", english, chinese)
    return _Break(problem, (where, *(f"{parent}/{entry}" for entry in expected)))


def _missing(parent: str, expected: Sequence[str]) -> _Break:
    english = f"{' or '.join(expected)} is missing or empty; it is required."
    chinese = f"缺少 {' 或 '.join(expected)} 或其为空；该元素必填。"
    places = tuple(f"{parent}/{name}" for name in expected)
    return _Break(Problem(places[0], "MISSING_ELEMENT", english, chinese), places)


def _told_value(element: etree._Element, message: str) -> tuple[str, str]:
    text, name = (element.text or "").strip()[:TEXT_QUOTED_MAX], local_name(element)
    return f"{text or name} is no {name} that {message} has.", f"{text or name} 不是 {message} 允许的 {name}。"


def _told_length(element: etree._Element, message: str) -> tuple[str, str]:
    name, length = local_name(element), len(element.text or "")
    english = f"{name} has {length} characters; {message} has room for fewer."
    return english, f"{name} 有 {length} 个字符，超过 {message} 允许的长度。"


def _told_empty(element: etree._Element, _message: str) -> tuple[str, str]:
    name = local_name(element)
    return f"{name} is missing or empty; fill it in or leave it out.", f"{name} 为空；请填写或删除该元素。"


def _told_attribute(element: etree._Element, message: str) -> tuple[str, str]:
    name = local_name(element)
    return f"{name} hasn't the attributes that {message} has.", f"{name} 的属性不符合 {message}。"


# By the validator's name of a break: the reason, and how it is told.
_KINDS: Mapping[str, tuple[str, Callable[[etree._Element, str], tuple[str, str]]]] = {
    "SCHEMAV_CVC_MAXLENGTH_VALID": ("TOO_LONG", _told_length),
    "SCHEMAV_CVC_MINLENGTH_VALID": ("MISSING_ELEMENT", _told_empty),
    "SCHEMAV_CVC_PATTERN_VALID": ("VALUE_INVALID", _told_value),
    "SCHEMAV_CVC_ENUMERATION_VALID": ("VALUE_INVALID", _told_value),
    "SCHEMAV_CVC_DATATYPE_VALID_1_2_1": ("VALUE_INVALID", _told_value),
    "SCHEMAV_CVC_MININCLUSIVE_VALID": ("VALUE_INVALID", _told_value),
    "SCHEMAV_CVC_FRACTIONDIGITS_VALID": ("VALUE_INVALID", _told_value),
    "SCHEMAV_CVC_TOTALDIGITS_VALID": ("VALUE_INVALID", _told_value),
    "SCHEMAV_CVC_COMPLEX_TYPE_3_2_1": ("ATTRIBUTE_INVALID", _told_attribute),
    "SCHEMAV_CVC_COMPLEX_TYPE_3_2_2": ("ATTRIBUTE_INVALID", _told_attribute),
    "SCHEMAV_CVC_COMPLEX_TYPE_4": ("ATTRIBUTE_INVALID", _told_attribute),
}
