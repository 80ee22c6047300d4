"""Field rules of the protos (protovalidate), enforced once for every request, all violations at once."""

from functools import cache

from google.protobuf.descriptor import Descriptor
from google.protobuf.message import Message
from protovalidate import Validator, Violation

from chassis import storable
from chassis.acceptors import Acceptor, UnknownRule, acceptor
from chassis.errors import InvalidFields, Problem

# What to say in Chinese for each kind of rule; the English text is the validator's.
CHINESE = {
    "required": "必填。",
    "string.pattern": "格式不符合要求。",
    "string.uuid": "必须是 UUID。",
    "string.min_len": "长度不足。",
    "string.max_len": "长度超限。",
    "bytes.min_len": "内容为空。",
    "bytes.max_len": "内容超过大小限制。",
    "repeated.min_items": "条目太少。",
    "repeated.max_items": "条目太多。",
    "repeated.unique": "条目重复。",
    "enum.defined_only": "未知的取值。",
    "enum.not_in": "必须选择一个取值。",
}
validator = Validator()


def problems(message: Message, prefix: str = "") -> list[Problem]:
    """Returns every violation of the message's own rules, and every value that can't be stored."""
    violations = [_problem(violation, prefix) for violation in validator.collect_violations(message)]
    return [*violations, *storable.problems(message, prefix)]


@cache
def _acceptor(descriptor: Descriptor) -> Acceptor:
    try:
        return acceptor(descriptor)
    except UnknownRule:
        return lambda _message: False


def row_problems(row: Message, raw: bytes | None = None) -> list[Problem]:
    """Returns every violation of a request or of a row of a bulk message: as `problems`, and fast where there is none.

    `raw`: the message's bytes, where they are at hand.
    """
    may_hold_nul = storable.may_hold_nul(row.SerializeToString() if raw is None else raw)
    return [] if not may_hold_nul and _acceptor(row.DESCRIPTOR)(row) else problems(row)


def check(message: Message, raw: bytes | None = None) -> None:
    """Raises InvalidFields with every violation. `raw`: the message's bytes, where they are at hand."""
    if violations := row_problems(message, raw):
        raise InvalidFields(violations)


def _problem(violation: Violation, prefix: str) -> Problem:
    proto = violation.proto
    elements = proto.field.elements if proto.field else []
    path = prefix
    for element in elements:
        path = f"{path}.{element.field_name}" if path else element.field_name
        if element.subscript and element.subscript.field == "index":
            path += f"[{element.subscript.value}]"
    rule = proto.rule_id
    reason = rule.upper().replace(".", "_")
    return Problem(path, f"FIELD_{reason}", proto.message, CHINESE.get(rule, "取值不符合规则。"))
