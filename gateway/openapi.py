"""The OpenAPI 3.1 document of the JSON API, from the contracts' descriptors and their comments."""

import pathlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from typing import Any

from google.api import field_behavior_pb2
from google.protobuf import descriptor_pb2
from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor

from chassis.identity import Policy
from gateway.json_api.routes import VARIABLE, WHOLE_BODY, Route, routes
from gateway.json_api.transcoding import REQUEST_ID

IMAGE = pathlib.Path(__file__).resolve().parent.parent / "build" / "aval.binpb"
JSON = "application/json"
Schema = dict[str, Any]

SCALARS: Mapping[int, Schema] = {
    FieldDescriptor.TYPE_STRING: {"type": "string"},
    FieldDescriptor.TYPE_BOOL: {"type": "boolean"},
    FieldDescriptor.TYPE_INT32: {"type": "integer", "format": "int32"},
    FieldDescriptor.TYPE_UINT32: {"type": "integer", "format": "int32", "minimum": 0},
    # Beyond 2^53 a JSON number would lose digits.
    FieldDescriptor.TYPE_INT64: {"type": "string", "format": "int64"},
    FieldDescriptor.TYPE_UINT64: {"type": "string", "format": "uint64"},
    FieldDescriptor.TYPE_BYTES: {"type": "string", "contentEncoding": "base64"},
}
# Messages that protobuf's JSON writes in a form of their own.
WELL_KNOWN: Mapping[str, Schema] = {
    "google.protobuf.Timestamp": {"type": "string", "format": "date-time"},
    "google.protobuf.Duration": {"type": "string", "pattern": "^-?[0-9]+(\\.[0-9]+)?s$"},
    "google.protobuf.Any": {"type": "object", "properties": {"@type": {"type": "string"}}},
}
STATUS: Schema = {
    "type": "object",
    "description": "A refusal: google.rpc.Status with its reason. The message is in the caller's language.",
    "required": ["code", "reason", "message"],
    "properties": {
        "code": {"type": "integer", "description": "The code of google.rpc.Code."},
        "reason": {"type": "string", "description": "Stable, upper snake case, for programs."},
        "message": {"type": "string"},
        "details": {"type": "array", "items": {"type": "object"}},
    },
}
UUID = {"type": "string", "format": "uuid"}
IDEMPOTENCY_KEY: Schema = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": "The request_id where the JSON has none: a new UUID for each new request.",
    "schema": UUID,
}
SECOND_FACTOR: Schema = {
    "name": "Aval-One-Time-Code",
    "in": "header",
    "required": True,
    "description": "A fresh one-time code; each counts once.",
    "schema": {"type": "string", "pattern": "^[0-9]{6}$"},
}


@cache
def comments() -> Mapping[str, str]:
    """The protos' comments by full name; empty where the image with the sources' texts isn't there."""
    if not IMAGE.exists():
        return {}
    image = descriptor_pb2.FileDescriptorSet.FromString(IMAGE.read_bytes())
    return dict(pair for file in image.file if file.package.startswith("aval.") for pair in _comments_of(file))


def _comments_of(file: descriptor_pb2.FileDescriptorProto) -> Iterator[tuple[str, str]]:
    for location in file.source_code_info.location:
        if location.leading_comments:
            name = _name_at(file, list(location.path))
            yield f"{file.package}.{name}", " ".join(location.leading_comments.split())


def _name_at(file: descriptor_pb2.FileDescriptorProto, path: list[int]) -> str:
    """The dotted name of what a source location's path leads to: pairs of field number and index."""
    element: Any = file
    names: list[str] = []
    for number, index in zip(path[::2], path[1::2], strict=False):
        field = element.DESCRIPTOR.fields_by_number[number]
        if not field.is_repeated or field.message_type is None:
            return ".".join([*names, field.name])
        element = getattr(element, field.name)[index]
        names.append(str(getattr(element, "name", "")))
    return ".".join(names)


class Schemas:
    """The component schemas that were referred to."""

    def __init__(self) -> None:
        self.found: dict[str, Schema] = {"Status": STATUS}

    def of_field(self, field: FieldDescriptor) -> Schema:
        """A field's schema with its comment."""
        one = self._one(field)
        schema = {"type": "array", "items": one} if field.is_repeated else one
        text = comments().get(field.full_name)
        described = {**schema, "description": text} if text else dict(schema)
        if _behaves(field, field_behavior_pb2.OUTPUT_ONLY):
            described["readOnly"] = True
        return described

    def _one(self, field: FieldDescriptor) -> Schema:
        if field.enum_type is not None:
            return self._reference(field.enum_type, self._enum)
        if field.message_type is not None:
            return self.of_message(field.message_type)
        return dict(SCALARS[field.type])

    def of_message(self, message: Descriptor) -> Schema:
        """A reference to a message's schema, or the form JSON gives a well-known one."""
        if message.full_name in WELL_KNOWN:
            return dict(WELL_KNOWN[message.full_name])
        return self._reference(message, self._message)

    def _reference(self, descriptor: Any, build: Callable[[Any], Schema]) -> Schema:
        name = descriptor.full_name
        if name not in self.found:
            # Entered before it is built, for messages that contain themselves.
            self.found[name] = {}
            text = comments().get(name)
            self.found[name] = {**build(descriptor), **({"description": text} if text else {})}
        return {"$ref": f"#/components/schemas/{name}"}

    def _message(self, message: Descriptor) -> Schema:
        schema: Schema = {"type": "object"}
        schema["properties"] = {field.json_name: self.of_field(field) for field in message.fields}
        required = [field.json_name for field in message.fields if _behaves(field, field_behavior_pb2.REQUIRED)]
        # The header Idempotency-Key may stand for it.
        if required := [name for name in required if name != "requestId"]:
            schema["required"] = required
        return schema

    def _enum(self, enum: EnumDescriptor) -> Schema:
        return {"type": "string", "enum": [value.name for value in enum.values]}


def _behaves(field: FieldDescriptor, behaviour: int) -> bool:
    options: Any = field.GetOptions().Extensions[field_behavior_pb2.field_behavior]
    return behaviour in options


def _path(route: Route) -> tuple[str, list[Schema]]:
    """The template as OpenAPI writes it, {name=loans/*} being loans/{name}; and its parameters."""
    parameters: list[Schema] = []

    def replace(match: Any) -> str:
        field, pattern = match["field"], match["pattern"] or "*"
        parameters.append(
            {
                "name": field,
                "in": "path",
                "required": True,
                "description": f"What follows {pattern.rstrip('*')} in {field}." if "/" in pattern else field,
                "schema": {"type": "string"},
            }
        )
        return str(pattern).replace("*", "{" + field + "}")

    return VARIABLE.sub(replace, route.template), parameters


def _query(route: Route, schemas: Schemas, message: Descriptor, prefix: str = "") -> Iterator[Schema]:
    if route.body == WHOLE_BODY:
        return
    for field in message.fields:
        name = prefix + field.name
        if name in route.variables or name == route.body or name == REQUEST_ID:
            continue
        if field.message_type is not None and field.message_type.full_name not in WELL_KNOWN:
            yield from _query(route, schemas, field.message_type, f"{name}.")
        else:
            yield {"name": name, "in": "query", "schema": schemas.of_field(field)}


def _headers(policy: Policy, message: Descriptor) -> Iterable[Schema]:
    if REQUEST_ID in message.fields_by_name:
        yield IDEMPOTENCY_KEY
    if policy.second_factor:
        yield SECOND_FACTOR


def _body(route: Route, schemas: Schemas) -> Schema:
    message = route.method.descriptor.input_type
    target: Any = message if route.body == WHOLE_BODY else message.fields_by_name[route.body].message_type
    return {"required": True, "content": {JSON: {"schema": schemas.of_message(target)}}}


def _operation(route: Route, schemas: Schemas, in_path: list[Schema]) -> Schema:
    method = route.method
    text = comments().get(method.descriptor.full_name, "")
    message = method.descriptor.input_type
    query = list(_query(route, schemas, message))
    operation: Schema = {
        "operationId": route.operation,
        "tags": [method.service],
        "description": f"{text} Roles: {', '.join(sorted(method.policy.roles))}.".strip(),
        "parameters": [*in_path, *query, *_headers(method.policy, message)],
        "responses": {
            "200": _answer("Done.", schemas.of_message(method.descriptor.output_type)),
            "default": _answer("Refused.", {"$ref": "#/components/schemas/Status"}),
        },
    }
    return {**operation, "requestBody": _body(route, schemas)} if route.body else operation


def _answer(description: str, schema: Schema) -> Schema:
    return {"description": description, "content": {JSON: {"schema": schema}}}


def _session() -> Schema:
    """The operations of a session, which no proto has."""
    properties = {"login": {"type": "string"}, "password": {"type": "string", "format": "password"}}
    sign_in = {"type": "object", "required": ["login", "password"], "properties": properties}
    refused = _answer("Refused.", {"$ref": "#/components/schemas/Status"})
    whose = _answer("Whose session it is.", {"type": "object"})
    return {
        "post": {
            "operationId": "SignIn",
            "security": [],
            "requestBody": {"required": True, "content": {JSON: {"schema": sign_in}}},
            "responses": {"201": whose, "default": refused},
        },
        "get": {"operationId": "GetSession", "responses": {"200": whose, "default": refused}},
        "delete": {"operationId": "SignOut", "responses": {"204": {"description": "Ended."}, "default": refused}},
    }


@cache
def document() -> Schema:
    """The whole document."""
    schemas, paths = Schemas(), {"/session": _session()}
    for route in routes():
        path, in_path = _path(route)
        paths.setdefault(path, {})[route.verb.lower()] = _operation(route, schemas, in_path)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Aval",
            "version": "1",
            "description": "Trade finance behind a single window. Changes need the header X-Aval-Request: 1, "
            "or must come from this site.",
        },
        "security": [{"session": []}],
        "paths": paths,
        "components": {
            "schemas": dict(sorted(schemas.found.items())),
            "securitySchemes": {"session": {"type": "apiKey", "in": "cookie", "name": "aval_session"}},
        },
    }
