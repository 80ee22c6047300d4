"""JSON to a method's request and its response back to JSON, as google.api.http says."""

import uuid
from collections.abc import Iterable, Mapping
from typing import Any

from google.protobuf import json_format, message_factory
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

from chassis import strict_json
from chassis.errors import InvalidFields, Problem
from gateway.errors import IdempotencyKeyInvalid, IdempotencyKeyMissing
from gateway.json_api import values
from gateway.json_api.routes import WHOLE_BODY, Route

REQUEST_ID = "request_id"
BOOLEANS = {"true": True, "false": False}


def request_of(route: Route, variables: Mapping[str, str], query: Iterable[tuple[str, str]], body: bytes) -> Any:
    """Returns the method's request. Raises InvalidFields with what of body, query or path doesn't fit."""
    request: Any = message_factory.GetMessageClass(route.method.descriptor.input_type)()
    if route.body:
        target = request if route.body == WHOLE_BODY else getattr(request, route.body)
        # An empty body is an empty message, so that all its missing fields are told at once.
        target.SetInParent()
        _parse(json_object(body), target, "" if target is request else route.body)
    if route.body == WHOLE_BODY:
        _refuse([name for name, _ in query])
    else:
        _parse(_nested(request.DESCRIPTOR, query), request, "")
    for variable in variables.items():
        _parse(_nested(request.DESCRIPTOR, [variable]), request, "")
    return request


def json_object(body: bytes) -> Any:
    """Returns the JSON object that a body is; an empty body is an empty object. Raises InvalidFields."""
    try:
        data = strict_json.loads(body) if body.strip() else {}
    except ValueError as error:
        raise _malformed("", f"The body is no JSON: {error}.", "请求体不是有效的 JSON。") from error
    if not isinstance(data, dict):
        raise _malformed("", "The body is no JSON object.", "请求体不是 JSON 对象。")
    return data


def _repeated(path: str) -> InvalidFields:
    return _malformed(path, "The parameter is given twice; leave one out.", "参数重复；请删除重复项。")


def _unknown(path: str) -> InvalidFields:
    name = path[: values.LONGEST_NAME]
    return InvalidFields([Problem(name, values.UNKNOWN_FIELD, "There is no such field.", "没有该字段。")])


def _malformed(path: str, english: str, chinese: str) -> InvalidFields:
    return InvalidFields([Problem(path, "MALFORMED", english, chinese)])


def _parse(data: Any, target: Any, prefix: str) -> None:
    """Fills a message. Raises InvalidFields with every value that doesn't fit."""
    if problems := values.problems(data, target.DESCRIPTOR, prefix):
        raise InvalidFields(problems)
    try:
        json_format.ParseDict(data, target)
    except json_format.ParseError as error:
        raise _malformed(
            prefix, "isn't what /openapi.json describes", "取值不符合接口定义，见 /openapi.json。"
        ) from error


def _refuse(names: Iterable[str]) -> None:
    problems = [
        Problem(name, "UNKNOWN_PARAMETER", "The whole request is the body; put it there.", "该字段应放在请求体中。")
        for name in names
    ]
    if problems:
        raise InvalidFields(problems)


def _nested(descriptor: Descriptor, query: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """Returns parameters such as date.year=2026 as the JSON they stand for."""
    data: dict[str, Any] = {}
    for path, text in query:
        *parents, last = path.split(".")
        level, message = data, descriptor
        for parent in parents:
            field = values.field_of(message, parent)
            if field is None or field.message_type is None or field.is_repeated:
                raise _unknown(path)
            level, message = level.setdefault(field.name, {}), field.message_type
            if not isinstance(level, dict):
                raise _repeated(path)
        field = values.field_of(message, last)
        if field is None:
            raise _unknown(path)
        value = BOOLEANS.get(text, text) if field.type == FieldDescriptor.TYPE_BOOL else text
        if field.is_repeated:
            level.setdefault(field.name, []).append(value)
        elif field.name in level:
            raise _repeated(path)
        else:
            level[field.name] = value
    return data


def complete_request_id(request: Any, header: str | None) -> None:
    """Takes Idempotency-Key where the JSON has no request id. Raises IdempotencyKeyMissing, IdempotencyKeyInvalid."""
    if REQUEST_ID not in request.DESCRIPTOR.fields_by_name or request.request_id:
        return
    if not header:
        raise IdempotencyKeyMissing
    try:
        request.request_id = str(uuid.UUID(header.strip('"')))
    except ValueError as error:
        raise IdempotencyKeyInvalid from error


def to_json(message: Message) -> bytes:
    """Returns a response; zeros and empty fields are there too."""
    text = json_format.MessageToJson(
        message, always_print_fields_with_no_presence=True, indent=None, ensure_ascii=False
    )
    return text.encode()
