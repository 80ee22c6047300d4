"""Field rules of the protos compiled into one Python function a message: for rows that come by the thousand.

An acceptor only says whether a message keeps every rule. What it doesn't accept, the validator explains
(chassis.fields); the rules stand in the protos and nowhere else, but for those of chassis.storable.
"""

import re
from collections.abc import Callable, Iterator
from functools import cache, lru_cache
from typing import Any

from buf.validate import validate_pb2
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

from chassis import storable

# Codes come again and again: it is cheaper to remember them than to match them.
MOST_REMEMBERED = 16_384
Acceptor = Callable[[Message], bool]


class UnknownRule(Exception):
    """The compiler doesn't know a rule: only the validator can judge the message."""


@cache
def acceptor(descriptor: Descriptor) -> Acceptor:
    """Returns the function that says whether a message keeps its rules.

    Raises UnknownRule where it can't be compiled.
    """
    source = _Source()
    source.message(descriptor, "m", 1)
    text = "\n".join(["def accepts(m):", *source.lines, "    return True"])
    scope: dict[str, Any] = {**storable.NAMES, **source.constants}
    exec(compile(text, f"<acceptor of {descriptor.full_name}>", "exec"), scope)  # noqa: S102 the source is made of our own descriptors
    accepts: Acceptor = scope["accepts"]
    return accepts


def _options(element: Any, extension: Any) -> Any:
    return element.GetOptions().Extensions[extension]


class _Source:
    """The function's lines, and the constants they name."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.constants: dict[str, Any] = {}

    def message(self, descriptor: Descriptor, value: str, depth: int) -> None:
        rules = _options(descriptor, validate_pb2.message)
        if rules.ByteSize():
            raise UnknownRule(descriptor.full_name)
        for is_unstorable in storable.CONDITIONS.get(descriptor.full_name, ()):
            self.refuse_if(is_unstorable.format(value), depth)
        for oneof in descriptor.oneofs:
            if _options(oneof, validate_pb2.oneof).required:
                self.refuse_if(f"{value}.WhichOneof({oneof.name!r}) is None", depth)
        for field in descriptor.fields:
            self._field(field, value, depth)

    def refuse_if(self, condition: str, depth: int) -> None:
        self._line(f"if {condition}: return False", depth)

    def _line(self, text: str, depth: int) -> None:
        self.lines.append("    " * depth + text)

    def _constant(self, value: Any) -> str:
        name = f"c{len(self.constants)}"
        self.constants[name] = value
        return name

    def _field(self, field: FieldDescriptor, value: str, depth: int) -> None:
        rules = _options(field, validate_pb2.field)
        if rules.ignore == validate_pb2.IGNORE_ALWAYS:
            return
        if rules.ignore or rules.cel or rules.cel_expression:
            raise UnknownRule(field.full_name)
        at = f"{value}.{field.name}"
        if rules.required:
            presence = field.has_presence
            self.refuse_if(f"not {value}.HasField({field.name!r})" if presence else f"not {at}", depth)
        if field.is_repeated:
            self._repeated(field, rules, at, depth)
        elif field.message_type:
            self._nested(field.message_type, f"{value}.HasField({field.name!r})", at, depth)
        else:
            self._scalar(field, rules, at, depth)

    def _nested(self, descriptor: Descriptor, present: str, at: str, depth: int) -> None:
        if _has_rules(descriptor):
            inner = f"v{depth}"
            self._line(f"if {present}:", depth)
            self._line(f"{inner} = {at}", depth + 1)
            self.message(descriptor, inner, depth + 1)

    def _repeated(self, field: FieldDescriptor, rules: Any, at: str, depth: int) -> None:
        for condition in _conditions(rules.repeated, _REPEATED, at, self._constant, skip={"items"}):
            self.refuse_if(condition, depth)
        items = rules.repeated.items
        if items.ignore == validate_pb2.IGNORE_ALWAYS:
            return
        is_ruled = _has_rules(field.message_type) if field.message_type else items.ByteSize() > 0
        if is_ruled:
            inner = f"v{depth}"
            self._line(f"for {inner} in {at}:", depth)
            if field.message_type:
                self.message(field.message_type, inner, depth + 1)
            else:
                self._scalar(field, items, inner, depth + 1)
            self._line("pass", depth + 1)

    def _scalar(self, field: FieldDescriptor, rules: Any, at: str, depth: int) -> None:
        kind = rules.WhichOneof("type")
        if kind is None:
            return
        if kind not in _SCALARS:
            raise UnknownRule(f"{field.full_name}: {kind}")
        if kind == "enum":
            self._defined_only(field, rules, at, depth)
        # What is defined only the field itself knows.
        for condition in _conditions(getattr(rules, kind), _SCALARS[kind], at, self._constant, skip={"defined_only"}):
            self.refuse_if(condition, depth)

    def _defined_only(self, field: FieldDescriptor, rules: Any, at: str, depth: int) -> None:
        assert field.enum_type is not None
        values = frozenset(value.number for value in field.enum_type.values)
        if rules.enum.defined_only:
            self.refuse_if(f"{at} not in {self._constant(values)}", depth)


Constant = Callable[[Any], str]
# By rule: the condition under which a value breaks it, of the value's expression and the rule's own value.
Breaks = dict[str, Callable[[str, Any, Constant], str]]

_UUID = re.compile("[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


def _pattern(at: str, pattern: str, constant: Constant) -> str:
    if not (pattern.startswith("^") and pattern.endswith("$")):
        raise UnknownRule(pattern)
    # The last $ would let a line break pass.
    matches = lru_cache(MOST_REMEMBERED)(re.compile(f"(?:{pattern[1:-1]})", re.ASCII).fullmatch)
    return f"{constant(matches)}({at}) is None"


_LENGTHS: Breaks = {
    "min_len": lambda at, least, _: f"len({at}) < {least}",
    "max_len": lambda at, most, _: f"len({at}) > {most}",
}
_NUMBER: Breaks = {
    "gte": lambda at, least, _: f"{at} < {least}",
    "lte": lambda at, most, _: f"{at} > {most}",
    "gt": lambda at, bound, _: f"{at} <= {bound}",
    "lt": lambda at, bound, _: f"{at} >= {bound}",
}
_SCALARS: dict[str, Breaks] = {
    "string": {
        **_LENGTHS,
        "pattern": _pattern,
        "uuid": lambda at, _, constant: f"{constant(_UUID.fullmatch)}({at}) is None",
    },
    "bytes": _LENGTHS,
    "int32": _NUMBER,
    "int64": _NUMBER,
    "enum": {
        "not_in": lambda at, numbers, constant: f"{at} in {constant(frozenset(numbers))}",
    },
}
_REPEATED: Breaks = {
    "min_items": lambda at, least, _: f"len({at}) < {least}",
    "max_items": lambda at, most, _: f"len({at}) > {most}",
    "unique": lambda at, _, __: f"len(set({at})) < len({at})",
}


def _conditions(
    rules: Any, breaks: Breaks, at: str, constant: Constant, skip: frozenset[str] | set[str] = frozenset()
) -> Iterator[str]:
    for rule, value in rules.ListFields():
        if rule.name in skip:
            continue
        if rule.name not in breaks:
            raise UnknownRule(rule.full_name)
        yield breaks[rule.name](at, value, constant)


@cache
def _has_rules(descriptor: Descriptor) -> bool:
    """Whether the message or one below it has a rule; a message that contains itself has."""
    return _find_rules(descriptor, frozenset())


def _find_rules(descriptor: Descriptor, above: frozenset[str]) -> bool:
    if descriptor.full_name in above:
        raise UnknownRule(f"{descriptor.full_name} contains itself")
    below = above | {descriptor.full_name}
    if _options(descriptor, validate_pb2.message).ByteSize() or descriptor.full_name in storable.CONDITIONS:
        return True
    if any(_options(oneof, validate_pb2.oneof).required for oneof in descriptor.oneofs):
        return True
    return any(
        _options(field, validate_pb2.field).ByteSize() > 0
        or (field.message_type is not None and _find_rules(field.message_type, below))
        for field in descriptor.fields
    )
