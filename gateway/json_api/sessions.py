"""The bodies of a session's operations, which no proto has: small objects of texts."""

from collections.abc import Mapping
from typing import Any

from chassis.errors import InvalidFields, Problem
from gateway.json_api import transcoding
from gateway.limits import LIMITS

LONGEST_TEXT = 1024
TEXT = {"type": "string", "maxLength": LONGEST_TEXT}
SECRET = {**TEXT, "format": "password"}
CODE = {"type": "string", "pattern": "^[0-9]{6}$", "description": "Of operators: a fresh one-time code."}


def _object(required: Mapping[str, Any], optional: Mapping[str, Any]) -> dict[str, Any]:
    properties = {**required, **optional}
    return {"type": "object", "required": [*required], "properties": properties, "additionalProperties": False}


SIGN_IN = _object({"login": TEXT, "password": SECRET}, {"oneTimeCode": CODE})
NEW_SECRET = {
    **SECRET,
    "minLength": LIMITS.password_characters_at_least,
    "maxLength": LIMITS.password_characters_at_most,
}
CHANGE_PASSWORD = _object({"password": SECRET, "newPassword": NEW_SECRET}, {})


def texts_of(body: bytes, schema: Mapping[str, Any]) -> dict[str, str]:
    """Returns the texts of an object by name, empty for missing ones. Raises InvalidFields with every problem."""
    data = transcoding.json_object(body)
    properties = schema["properties"]
    problems = [
        Problem(name, "UNKNOWN_FIELD", "There is no such field.", "没有该字段。") for name in data.keys() - properties
    ]
    problems += [
        Problem(name, "FIELD_REQUIRED", "is required", "必填。") for name in schema["required"] if name not in data
    ]
    problems += [
        Problem(name, "MALFORMED", f"must be text of at most {LONGEST_TEXT} characters", "必须是文本，且不得过长。")
        for name in data.keys() & properties
        if not _is_text(data[name])
    ]
    if problems:
        raise InvalidFields(sorted(problems, key=lambda problem: problem.path))
    return {name: data.get(name, "") for name in properties}


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and len(value) <= LONGEST_TEXT
