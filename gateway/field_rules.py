"""The field rules of the protos (protovalidate) as JSON schema, for the requests that OpenAPI describes."""

from collections.abc import Callable, Mapping
from typing import Any

from aval.declarations.v1 import declarations_pb2
from buf.validate import validate_pb2
from google.api import field_behavior_pb2
from google.protobuf import message_factory
from google.protobuf.descriptor import FieldDescriptor
from iso4217 import Currency

from chassis import fields
from chassis.currencies import minor_digits

Schema = dict[str, Any]
# No text with NUL is taken, whatever the field.
STORABLE = "^[^\\u0000]*$"
UUID = {"type": "string", "format": "uuid"}
INTEGER = "^-?(0|[1-9][0-9]{0,17})$"
BASE64 = "^([A-Za-z0-9+/_-]{4})*([A-Za-z0-9+/_-]{2,3})?={0,2}$"

# What JSON takes for a field without rules. Numbers come as such or as text, as protobuf's JSON has it.
INPUTS: Mapping[int, Schema] = {
    FieldDescriptor.TYPE_STRING: {"type": "string", "pattern": STORABLE},
    FieldDescriptor.TYPE_BOOL: {"type": "boolean"},
    FieldDescriptor.TYPE_INT32: {"type": "integer", "format": "int32", "minimum": -(2**31), "maximum": 2**31 - 1},
    FieldDescriptor.TYPE_INT64: {
        "type": ["string", "integer"], "format": "int64", "pattern": INTEGER,
        "minimum": 1 - 2**63, "maximum": 2**63 - 1,
    },
    FieldDescriptor.TYPE_BYTES: {"type": "string", "contentEncoding": "base64", "pattern": BASE64},
}  # fmt: skip

Add = Callable[[Any], Schema]


def _base64_characters(size: int) -> int:
    """Returns the characters that so many bytes take in base64: 3 take 4, 4 take 8."""
    return -(-size // 3) * 4


# By kind and rule: what the rule's value adds to a schema.
RULES: Mapping[tuple[str, str], Add] = {
    ("string", "min_len"): lambda least: {"minLength": least},
    ("string", "max_len"): lambda most: {"maxLength": most},
    ("string", "pattern"): lambda pattern: {"pattern": pattern},
    ("string", "uuid"): lambda _: UUID,
    ("string", "in"): lambda values: {"enum": list(values)},
    ("int32", "gte"): lambda least: {"minimum": least},
    ("int32", "lte"): lambda most: {"maximum": most},
    ("int64", "gte"): lambda least: {"minimum": least},
    ("int64", "lte"): lambda most: {"maximum": most},
    ("bytes", "min_len"): lambda least: {"minLength": _base64_characters(least) - 2},
    ("bytes", "max_len"): lambda most: {"maxLength": _base64_characters(most)},
    ("repeated", "min_items"): lambda least: {"minItems": least},
    ("repeated", "max_items"): lambda most: {"maxItems": most},
    ("repeated", "unique"): lambda is_unique: {"uniqueItems": is_unique},
    ("map", "max_pairs"): lambda most: {"maxProperties": most},
}


# Fields whose messages are of no proto of ours, or whose values are those of a table.
NAMED: Mapping[str, Schema] = {
    "google.type.Date.year": {"minimum": 1, "maximum": 9999},
    "google.type.Date.month": {"minimum": 1, "maximum": 12},
    "google.type.Date.day": {"minimum": 1, "maximum": 31},
    "aval.declarations.v1.DeclarationFilter.statuses": {"enum": declarations_pb2.Declaration.Status.keys()[1:]},
    "currency_code": {
        "enum": sorted(currency.code for currency in Currency if minor_digits(currency.code) is not None)
    },
}
DATE = "google.type.Date"


def named(field: FieldDescriptor, schema: Schema) -> Schema:
    """Returns the schema that a field's name gives its values, where its rules don't."""
    if field.name == "currency_code" and schema.get("pattern") != "^[A-Z]{3}$":
        return {}
    return NAMED.get(field.full_name) or NAMED.get(field.name, {})


def rules_of(field: FieldDescriptor) -> Any:
    """Returns a field's rules."""
    return field.GetOptions().Extensions[validate_pb2.field]  # type: ignore[index]


def additions(rules: Any) -> Schema:
    """Returns what rules add to the schema of a value: a min_len of 1 adds {"minLength": 1}."""
    kind = rules.WhichOneof("type")
    if kind is None:
        return {}
    schema: Schema = {}
    for rule, value in getattr(rules, kind).ListFields():
        schema |= RULES.get((kind, rule.name), lambda _: {})(value)
    return schema


def names_of_enum(field: FieldDescriptor, rules: Any) -> list[str]:
    """Returns the names that an enumeration's field takes."""
    assert field.enum_type is not None
    forbidden = set(rules.enum.not_in) if rules.HasField("enum") else set()
    return [value.name for value in field.enum_type.values if value.number not in forbidden]


def behaves(field: FieldDescriptor, behaviour: int) -> bool:
    """Whether a field has a behaviour, such as OUTPUT_ONLY."""
    options: Any = field.GetOptions().Extensions[field_behavior_pb2.field_behavior]
    return behaviour in options


def is_required(field: FieldDescriptor) -> bool:
    """Whether a request must have a field: it says so, or its rules refuse what stands for nothing."""
    rules = rules_of(field)
    if field.full_name.startswith(f"{DATE}.") or rules.required or behaves(field, field_behavior_pb2.REQUIRED):
        return True
    if field.has_presence or not rules.ByteSize():
        return False
    assert field.containing_type is not None
    empty = message_factory.GetMessageClass(field.containing_type)()
    return any(problem.path == field.name for problem in fields.problems(empty))
