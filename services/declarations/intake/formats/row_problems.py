"""Tells a row's problems at the elements of the document that its fields came from."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from google.protobuf.message import Message

from chassis import storable
from chassis.errors import Problem
from chassis.fields import validator
from chassis.xml import Reader

# By the rule of the proto: reason, English and Chinese; {limit} is the rule's own value.
_FIELD_RULES: Mapping[str, tuple[str, str, str]] = {
    "string.pattern": ("FORMAT_INVALID", "The value must have the form: {limit}.", "该值须符合格式 {limit}。"),
    "string.max_len": (
        "TOO_LONG",
        "The value is too long; at most {limit} characters.",
        "该值过长；最多 {limit} 个字符。",
    ),
    "int32.gte_lte": ("OUT_OF_RANGE", "The value must be from 1 to 50.", "该值须在 1 至 50 之间。"),
    "int32.gte": ("OUT_OF_RANGE", "The value must be at least {limit}.", "该值不得小于 {limit}。"),
    "repeated.min_items": ("TOO_FEW", "At least {limit} of these are needed.", "至少须有 {limit} 项。"),
    "repeated.max_items": ("TOO_MANY", "At most {limit} of these may be sent.", "最多可有 {limit} 项。"),
    "repeated.unique": ("REPEATED", "The same one is given twice; leave one out.", "内容重复；请删除重复项。"),
}
# The form that a pattern asks for, in words, by the field's name.
_FORMS: Mapping[str, tuple[str, str]] = {
    "declaration_number": (
        "18 digits: office (4), year (4), 0 export or 1 import, sequence (9)",
        "18 位数字：关区（4）、年份（4）、0 出口或 1 进口、顺序号（9）",
    ),
    "list_number": (
        "18 to 20 characters: office (4), year (4), E export or I import, sequence (9 to 11)",
        "18 至 20 位：关区（4）、年份（4）、E 出口或 I 进口、顺序号（9 至 11）",
    ),
    "trade_mode": ("4 digits", "4 位数字"),
    "customs_office": ("4 digits", "4 位数字"),
    "commodity_code": ("10 digits", "10 位数字"),
    "status_code": ("a whole number", "整数"),
}
_ANY_RULE = ("VALUE_INVALID", "The value breaks the rule {rule}.", "该值不符合规则 {rule}。")


def field_problems(row: Message) -> Iterator[Problem]:
    """Yields the violations of the proto's own field rules by a document's row."""
    for violation in validator.collect_violations(row):
        field = violation.proto.field
        path = ".".join(_field_name(element) for element in (field.elements if field else ()))
        yield _field_problem(path, violation)
    yield from storable.problems(row)


def _field_problem(path: str, violation: Any) -> Problem:
    rule = violation.proto.rule_id
    reason, english, chinese = _FIELD_RULES.get(rule, _ANY_RULE)
    # The rule's value is dear to read, and most messages don't name it.
    limit = violation.rule_value if "{limit}" in english else ""
    form = _FORMS.get(path.rpartition(".")[2], (limit, limit))
    return Problem(path, reason, english.format(rule=rule, limit=form[0]), chinese.format(rule=rule, limit=form[1]))


def _field_name(element: Any) -> str:
    subscript = element.subscript
    return f"{element.field_name}[{subscript.value}]" if subscript else str(element.field_name)


def report_at_elements(reader: Reader, problems: Iterable[Problem], element_path: Callable[[str], str]) -> None:
    """Reports problems of a row at the elements its fields came from.

    Leaves out repetitions and those that only follow from an element that is reported already.
    """
    reported = {problem.path for problem in reader.problems}
    at_elements: dict[tuple[str, str], Problem] = {}
    for problem in problems:
        path = element_path(problem.path)
        at_elements.setdefault((path, problem.reason), replace(problem, path=path))
    reader.problems.extend(problem for problem in at_elements.values() if problem.path not in reported)
