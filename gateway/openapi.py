"""The OpenAPI 3.1 document of the JSON API, from the contracts' descriptors and their comments."""

import json
import pathlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from typing import Any

from aval.blobs.v1 import blobs_pb2
from google.api import field_behavior_pb2
from google.protobuf import descriptor_pb2
from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor

from chassis.blobs.media_types import declarable
from chassis.errors import NotFound
from chassis.service import UPLOAD_BLOB
from gateway import field_rules, reasons
from gateway.connections import BLOBS
from gateway.contracts import public_methods
from gateway.errors import NotSignedIn, PasswordUnfit
from gateway.field_rules import UUID
from gateway.json_api import sessions
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
SAME_SITE: Schema = {
    "name": "X-Aval-Request",
    "in": "header",
    "required": True,
    "description": "That the change comes from a program; a page of this site has its Origin for it.",
    "schema": {"type": "string", "enum": ["1"]},
}
IDEMPOTENCY_KEY: Schema = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": True,
    "description": "The request id: a new UUID for each new request.",
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
    """The component schemas that were referred to: a message as it is answered, and `NAME.Input` as it is sent."""

    def __init__(self) -> None:
        self.found: dict[str, Schema] = {"Status": STATUS}

    def of_field(self, field: FieldDescriptor) -> Schema:
        """The schema of an answer's field, with its comment."""
        if field.message_type is not None and field.message_type.GetOptions().map_entry:
            entry = self._answer_of(field.message_type.fields_by_name["value"])
            return _described(field, {"type": "object", "additionalProperties": entry})
        entry = self._answer_of(field)
        described = _described(field, {"type": "array", "items": entry} if field.is_repeated else entry)
        return {**described, "readOnly": True} if _is_output(field) else described

    def _answer_of(self, field: FieldDescriptor) -> Schema:
        if field.enum_type is not None:
            return self._reference(field.enum_type, field.enum_type.full_name, self._enum)
        if field.message_type is not None:
            return self.of_message(field.message_type)
        return dict(SCALARS[field.type])

    def of_message(self, message: Descriptor) -> Schema:
        """A reference to a message's schema, or the form JSON gives a well-known one."""
        if message.full_name in WELL_KNOWN:
            return dict(WELL_KNOWN[message.full_name])
        return self._reference(message, message.full_name, self._message)

    def of_input(self, message: Descriptor) -> Schema:
        """As `of_message`, of what is sent: with the rules of its fields."""
        if message.full_name in WELL_KNOWN:
            return dict(WELL_KNOWN[message.full_name])
        return self._reference(message, f"{message.full_name}.Input", self._input)

    def of_input_field(self, field: FieldDescriptor) -> Schema:
        """The schema of a request's field, with its rules and its comment."""
        rules = field_rules.rules_of(field)
        if field.message_type is not None and field.message_type.GetOptions().map_entry:
            value = self._input_of(field.message_type.fields_by_name["value"], rules.map.values)
            keys = {"propertyNames": {"type": "string", **field_rules.additions(rules.map.keys)}}
            schema = {"type": "object", "additionalProperties": value, **keys, **field_rules.additions(rules)}
            return _described(field, schema)
        if field.is_repeated:
            schema = {"type": "array", "items": self._input_of(field, rules.repeated.items)}
            return _described(field, {**schema, **field_rules.additions(rules)})
        return _described(field, self._input_of(field, rules))

    def _input_of(self, field: FieldDescriptor, rules: Any) -> Schema:
        if field.enum_type is not None:
            return {"type": "string", "enum": field_rules.names_of_enum(field, rules)}
        if field.message_type is not None:
            return self.of_input(field.message_type)
        schema = {**field_rules.INPUTS[field.type], **field_rules.additions(rules)}
        return {**schema, **field_rules.named(field, schema)}

    def _reference(self, descriptor: Any, name: str, build: Callable[[Any], Schema]) -> Schema:
        if name not in self.found:
            # Entered before it is built, for messages that contain themselves.
            self.found[name] = {}
            text = comments().get(descriptor.full_name)
            self.found[name] = {**build(descriptor), **({"description": text} if text else {})}
        return {"$ref": f"#/components/schemas/{name}"}

    def _message(self, message: Descriptor) -> Schema:
        return {"type": "object", "properties": {field.json_name: self.of_field(field) for field in message.fields}}

    def _input(self, message: Descriptor) -> Schema:
        fields = [field for field in message.fields if not _is_output(field)]
        schema: Schema = {"type": "object", "additionalProperties": False}
        properties = {field.json_name: self.of_input_field(field) for field in fields}
        # An answer may be sent back as it came: what only we say is passed over.
        properties |= {field.json_name: self.of_field(field) for field in message.fields if _is_output(field)}
        required = [field.json_name for field in fields if field_rules.is_required(field)]
        schema["properties"] = {
            name: found if name in required else _or_null(found) for name, found in properties.items()
        }
        return {**schema, **({"required": required} if required else {})}

    def _enum(self, enum: EnumDescriptor) -> Schema:
        return {"type": "string", "enum": [value.name for value in enum.values]}


def _described(field: FieldDescriptor, schema: Schema) -> Schema:
    text = comments().get(field.full_name)
    return {**schema, "description": text} if text else dict(schema)


def _or_null(schema: Schema) -> Schema:
    """The schema of a value that may be null, which stands for none: {"type": "string"} is ["string", "null"]."""
    if "type" not in schema:
        around = {name: value for name, value in schema.items() if name != "$ref"}
        return {"anyOf": [{"$ref": schema["$ref"]}, {"type": "null"}], **around}
    kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    return {**schema, "type": [*kinds, "null"], **({"enum": [*schema["enum"], None]} if "enum" in schema else {})}


def _is_output(field: FieldDescriptor) -> bool:
    return field_rules.behaves(field, field_behavior_pb2.OUTPUT_ONLY)


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
                "schema": _variable(route.method.descriptor.input_type, field, pattern),
            }
        )
        return str(pattern).replace("*", "{" + field + "}")

    return VARIABLE.sub(replace, route.template), parameters


def _variable(message: Descriptor, path: str, pattern: str) -> Schema:
    """The schema of what stands for * in a path: of loans/* and the rule ^loans/[a-z]{1,9}$ it is ^[a-z]{1,9}$."""
    *parents, last = path.split(".")
    for name in parents:
        inner = message.fields_by_name[name].message_type
        assert inner is not None, path
        message = inner
    rule = field_rules.additions(field_rules.rules_of(message.fields_by_name[last]))
    begin, end = f"^{pattern.partition('*')[0]}", f"{pattern.rpartition('*')[2]}$"
    whole = str(rule.get("pattern", ""))
    if whole.startswith(begin) and whole.endswith(end) and len(whole) >= len(begin) + len(end):
        return {"type": "string", "pattern": f"^{whole[len(begin) : len(whole) - len(end)]}$"}
    return {"type": "string", "pattern": "^[^/:]+$"}


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
            required = {"required": True} if not prefix and field_rules.is_required(field) else {}
            yield {"name": name, "in": "query", **required, "schema": schemas.of_input_field(field)}


def _headers(route: Route) -> Iterable[Schema]:
    if route.changes:
        yield SAME_SITE
    # Where the body is the whole request, its requestId is there; the header may stand for it.
    if REQUEST_ID in route.method.descriptor.input_type.fields_by_name and route.body != WHOLE_BODY:
        yield IDEMPOTENCY_KEY
    if route.method.policy.second_factor:
        yield SECOND_FACTOR


def _body(route: Route, schemas: Schemas) -> Schema:
    message = route.method.descriptor.input_type
    target: Any = message if route.body == WHOLE_BODY else message.fields_by_name[route.body].message_type
    return {"required": True, "content": {JSON: {"schema": schemas.of_input(target)}}}


def _operation(route: Route, schemas: Schemas, in_path: list[Schema]) -> Schema:
    method = route.method
    text = comments().get(method.descriptor.full_name, "")
    message = method.descriptor.input_type
    query = list(_query(route, schemas, message))
    operation: Schema = {
        "operationId": route.operation,
        "tags": [method.service],
        "description": f"{text} Roles: {', '.join(sorted(method.policy.roles))}.".strip(),
        "parameters": [*in_path, *query, *_headers(route)],
        "responses": {
            "200": _answer("Done.", schemas.of_message(method.descriptor.output_type)),
            **_refused(reasons.of_route(route)),
        },
    }
    return {**operation, "requestBody": _body(route, schemas)} if route.body else operation


def _answer(description: str, schema: Schema) -> Schema:
    return {"description": description, "content": {JSON: {"schema": schema}}}


def _refused(found: Mapping[int, list[str]]) -> Schema:
    """The refusals of an operation: a status each, with the reasons that it has."""
    return {
        str(status): {
            **_answer(f"Refused: {', '.join(names)}.", {"$ref": "#/components/schemas/Status"}),
            "x-aval-reasons": names,
        }
        for status, names in found.items()
    }


def _own(operation: str, verb: str, answers: Schema, refusals: reasons.Refusals, body: Schema | None = None) -> Schema:
    """An operation of a session, which no proto has."""
    changes = verb != "GET"
    schema = {
        "operationId": operation,
        "tags": ["session"],
        "parameters": [SAME_SITE] if changes else [],
        "responses": {**answers, **_refused(reasons.by_status((*reasons.ALWAYS, *refusals)))},
    }
    return {**schema, "requestBody": {"required": True, "content": {JSON: {"schema": body}}}} if body else schema


def _sessions() -> dict[str, Schema]:
    """The paths of sessions."""
    whose, ended = _answer("Whose session it is.", {"type": "object"}), {"204": {"description": "Ended."}}
    sign_in = _own("SignIn", "POST", {"201": whose}, reasons.SIGN_IN, sessions.SIGN_IN)
    changed = (*reasons.SIGN_IN, NotSignedIn, PasswordUnfit)
    return {
        "/session": {
            "post": {**sign_in, "security": []},
            "get": _own("GetSession", "GET", {"200": whose}, (NotSignedIn,)),
            "delete": {**_own("SignOut", "DELETE", ended, reasons.CHANGES), "security": []},
        },
        "/session:endAll": {"post": _own("EndSessions", "POST", ended, (*reasons.CHANGES, NotSignedIn))},
        "/session:changePassword": {
            "post": _own("ChangePassword", "POST", {"200": whose}, changed, sessions.CHANGE_PASSWORD)
        },
    }


def _blobs(schemas: Schemas) -> dict[str, Schema]:
    """Returns the paths of documents, which are sent and read as they are, of each service that takes them."""
    services = [method.service for method in public_methods() if method.descriptor.name == UPLOAD_BLOB]
    return {path: verbs for service in services for path, verbs in _blobs_of(service, schemas)}


def _blobs_of(service: str, schemas: Schemas) -> Iterator[tuple[str, Schema]]:
    blob: Any = blobs_pb2.Blob.DESCRIPTOR
    taken = {"201": _answer("Taken, now or before.", schemas.of_message(blob))}
    upload = _own(f"UploadBlob_{service}", "POST", taken, (*reasons.CHANGES, *reasons.BLOBS, *reasons.UPLOADS))
    content = {"required": True, "content": {name: {"schema": {}} for name in sorted(declarable())}}
    digest = {
        "name": "Content-Digest",
        "in": "header",
        "description": "RFC 9530, sha-256.",
        "schema": {"type": "string"},
    }
    parameters = [*upload["parameters"], digest]
    post = {**upload, "tags": [service], "parameters": parameters, "requestBody": content}
    yield f"{BLOBS}{service}", {"post": post}
    given = {"200": {"description": "The document, as a file.", "content": {"*/*": {"schema": {}}}}}
    sha256 = {"type": "string", "pattern": "^[0-9a-f]{64}$"}
    name = {"name": "sha256", "in": "path", "required": True, "schema": sha256}
    get = {
        **_own(f"GetBlob_{service}", "GET", given, (*reasons.BLOBS, NotFound)),
        "tags": [service],
        "parameters": [name],
    }
    yield f"{BLOBS}{service}/{{sha256}}", {"get": get}


@cache
def document() -> Schema:
    """The whole document."""
    schemas, paths = Schemas(), _sessions()
    paths |= _blobs(schemas)
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


@cache
def text() -> bytes:
    """The document as JSON, made once."""
    return json.dumps(document(), ensure_ascii=False).encode()
