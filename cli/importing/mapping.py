"""A mapping file: which column fills which field of which kind of row, declared once and checked as a whole.

docs/import-mapping.md describes the file. All its errors are reported at once, before any row is read.
"""

import re
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from aval.declarations.v1 import personal_pb2
from google.protobuf.descriptor import FieldDescriptor

from chassis.errors import Problem
from cli.importing import encodings, wording
from cli.importing.targets import LINES, TARGETS, Target, names_enterprise
from cli.importing.transforms import (
    BOOL,
    ENUM,
    INTEGER,
    KINDS_OF_MESSAGES,
    TEXT,
    TRANSFORMS,
    Convert,
    MappingError,
    Row,
    Unmappable,
    enterprise,
    whole,
)

PERSONS = "persons"
# A path to a person says which part the person has in the document: persons.BUYER.name.
PARTS = frozenset(personal_pb2.Person.Part.keys()) - {"PART_UNSPECIFIED"}
EXTRA, IGNORE, REFUSE = UNMAPPED = ("extra", "ignore", "refuse")
TOP = ("target", "unmapped", "file", "key", "constants", "fields")
FILE = {"encoding": str, "delimiter": str, "lines": str, "sheet": str}
KEY = {"columns": list}
COMMON = {"path": str, "column": str, "transform": str, "absent": list, "absent_pattern": str, "required": bool}
WORDS = {str: "text", list: "list of texts", bool: "flag", int: "whole number", dict: "table"}
NO_DELIMITERS = '"\r\n\0'
SCALARS = {
    FieldDescriptor.TYPE_STRING: TEXT,
    FieldDescriptor.TYPE_ENUM: ENUM,
    FieldDescriptor.TYPE_INT32: INTEGER,
    FieldDescriptor.TYPE_INT64: INTEGER,
    FieldDescriptor.TYPE_BOOL: BOOL,
}


class InvalidMapping(Exception):
    """The mapping can't be used; the errors say everything that is wrong with it."""

    def __init__(self, errors: Sequence[str]) -> None:
        self.errors = errors
        super().__init__("; ".join(errors))


@dataclass(frozen=True, slots=True)
class Place:
    """A field of the target by its path: the messages on the way and the field itself."""

    path: str
    way: tuple[str, ...]
    leaf: FieldDescriptor
    kind: str

    @property
    def in_lines(self) -> bool:
        """Whether each row of the file has one of its own."""
        return self.way[:1] == (LINES,)

    @property
    def part(self) -> str:
        """Of a natural person's field: which part the person has; else empty."""
        return self.way[1] if self.way[:1] == (PERSONS,) else ""

    def set(self, row: Any, value: Any) -> None:
        """Puts a value there; in the last of the row's lines where it is in a line, in the person of its part."""
        if self.part:
            setattr(person(row, self.part) or row.persons.add(part=self.part), self.leaf.name, value)
            return
        for name in self.way:
            row = getattr(row, name)[-1] if name == LINES else getattr(row, name)
        if self.leaf.message_type:
            getattr(row, self.leaf.name).CopyFrom(value)
        else:
            setattr(row, self.leaf.name, value)


def person(row: Any, part: str) -> personal_pb2.Person | None:
    """The person of a row that has this part, if it names any."""
    number = personal_pb2.Person.Part.Value(part)
    return next((entry for entry in row.persons if entry.part == number), None)


@dataclass(frozen=True, slots=True)
class Field:
    """One column into one field."""

    place: Place
    column: str
    columns: tuple[str, ...]
    convert: Convert
    absent: frozenset[str]
    absent_pattern: re.Pattern[str] | None
    required: bool

    def is_absent(self, text: str) -> bool:
        """Whether the column's text means that there is no value."""
        if text in self.absent:
            return True
        return self.absent_pattern is not None and self.absent_pattern.fullmatch(text) is not None

    def problem(self, row: Row, message: Any) -> Problem | None:
        """Fills the message's field from a row, or says why it can't."""
        if self.is_absent(row[self.column]):
            return (
                _problem(self.column, "COLUMN_EMPTY", "The column has no value; fill it in.") if self.required else None
            )
        try:
            self.place.set(message, self.convert(row))
        except Unmappable as error:
            return self._told(error.rule, error.message)
        except (ArithmeticError, ValueError):
            return self._told("VALUE_INVALID", f"{row[self.column]!r} is out of the field's range; correct it.")
        return None

    def _told(self, reason: str, message: str) -> Problem:
        """What is a person's is never quoted: reports go further than the row."""
        unquoted = "The value isn't as the mapping says; correct it, or map it."
        return _problem(self.column, reason, unquoted if self.place.part else message)


def _problem(path: str, rule: str, message: str) -> Problem:
    # The command speaks English only.
    return Problem(path, rule, message, message)


@dataclass(frozen=True, slots=True)
class ColumnMapping:
    """A whole mapping. An encoding, a delimiter or a sheet that it doesn't say is empty: the file tells it."""

    target: Target
    encoding: str
    delimiter: str
    lines: str
    sheet: str
    unmapped: str
    key: tuple[str, ...]
    constants: Sequence[tuple[Place, Any]]
    fields: Sequence[Field]
    columns: frozenset[str] = field(default=frozenset())

    @property
    def noun(self) -> str:
        """What a row becomes, in words: declaration, retail order."""
        return next(name for name, target in TARGETS.items() if target is self.target).replace("_", " ")

    @property
    def most_rows(self) -> int:
        """How many rows or lines a document may have."""
        return self.target.most_lines

    @property
    def groups(self) -> bool:
        """Whether several rows of the file become lines of one document."""
        return any(each_field.place.in_lines for each_field in self.fields)

    def key_of(self, row: Row) -> tuple[str, ...]:
        """What identifies the row's document."""
        return tuple(row[column] for column in self.key)

    def unfit(self, columns: Sequence[str]) -> list[str]:
        """What is wrong with a file of these columns."""
        missing = sorted(self.columns - set(columns))
        errors = [f"the file has no column {name!r}" for name in missing]
        if self.unmapped == REFUSE:
            errors += [f"the mapping says nothing of column {name!r}" for name in columns if name not in self.columns]
        return errors

    def repeated(self, columns: Sequence[str]) -> list[str]:
        """The columns that are there more than once, of those that a row is made of."""
        taken = self.columns if self.unmapped != EXTRA else {name for name in columns if name}
        return sorted(name for name in taken if columns.count(name) > 1)

    def column_of(self, path: str) -> str:
        """The column that a field of the target came from; the path itself where there is none."""
        path = path.removeprefix(self.target.prefix)
        plain = re.sub(r"\[[0-9]+\]", "", path)
        for each_field in self.fields:
            if plain == each_field.place.path or plain.startswith(f"{each_field.place.path}."):
                return each_field.column
        return "+".join(self.key) if path and path == self.target.key else path

    def apply(self, rows: Sequence[Row]) -> tuple[Any, list[Problem]]:
        """The message of a document's rows, and all problems, by column; with problems it isn't to be sent."""
        message: Any = self.target.message()
        for place, value in self.constants:
            if not place.in_lines and not place.part:
                place.set(message, value)
        if self.target.key and self.key:
            setattr(message, self.target.key, "/".join(self.key_of(rows[0])))
        problems = list(self._shortened(rows[0]))
        problems += [
            found
            for each_field in self.fields
            if not each_field.place.in_lines
            if (found := each_field.problem(rows[0], message))
        ]
        for place, value in self.constants:
            # What is the same of all persons makes none where the row names none.
            if place.part and person(message, place.part):
                place.set(message, value)
        problems += self._disagreements(rows)
        for row in rows if self.groups else ():
            problems += self._line(row, message)
        if self.unmapped == EXTRA:
            message.extra.update(self._extra(rows[0]))
        mapped = {field.name for field, _ in message.ListFields()} if problems else set()
        self.target.finish(message)
        return message, [*problems, *self._further(message, problems, mapped)] if problems else problems

    def _shortened(self, row: Row) -> Iterator[Problem]:
        """The key columns, but those that a field reads too, whose numbers a spreadsheet shortened."""
        for column in set(self.key) - {each_field.column for each_field in self.fields}:
            try:
                whole(row[column])
            except Unmappable as error:
                yield _problem(column, error.rule, error.message)

    def _line(self, row: Row, message: Any) -> Iterator[Problem]:
        message.lines.add()
        for place, value in self.constants:
            if place.in_lines:
                place.set(message, value)
        for each_field in self.fields:
            if each_field.place.in_lines and (found := each_field.problem(row, message)):
                yield found

    def _extra(self, row: Row) -> Mapping[str, str]:
        """What no field takes: columns that aren't mapped, and texts that were mapped as absent but say something."""
        absent = {each_field.column for each_field in self.fields if each_field.is_absent(row[each_field.column])}
        return {name: text for name, text in row.items() if text and (name not in self.columns or name in absent)}

    def _disagreements(self, rows: Sequence[Row]) -> Iterator[Problem]:
        """Rows of one document say the same of it."""
        for each_field in self.fields:
            if not each_field.place.in_lines and len({row[each_field.column] for row in rows}) > 1:
                yield _problem(
                    each_field.column, "ROWS_DISAGREE", "The rows of one document differ in this; correct them."
                )

    def _further(self, message: Any, problems: Sequence[Problem], mapped: set[str]) -> Iterator[Problem]:
        """What the service would refuse beside what couldn't be mapped, and beside what is summed up of that."""
        reported = {problem.path for problem in problems}
        summed = {field.name for field, _ in message.ListFields()} - mapped
        for problem in self.target.check(message):
            column = self.column_of(problem.path)
            if column not in reported and problem.path.partition(".")[0].partition("[")[0] not in {LINES, *summed}:
                yield _problem(column, problem.reason, wording.plain(problem.english))


def load(text: str) -> ColumnMapping:
    """The mapping of a file's text. InvalidMapping with everything that is wrong."""
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InvalidMapping([f"no TOML: {error}"]) from error
    reader = _Reader(data)
    found = reader.mapping()
    if reader.errors or found is None:
        raise InvalidMapping(reader.errors)
    return found


class _Reader:
    """Reads a mapping and gathers its errors."""

    def __init__(self, data: Mapping[str, Any]) -> None:
        self.data = data
        self.errors: list[str] = []

    def mapping(self) -> ColumnMapping | None:
        self._known(self.data, TOP, "the mapping")
        target = TARGETS.get(str(self.data.get("target")))
        if target is None:
            self.errors.append(f"target {self.data.get('target')!r} is none of {', '.join(TARGETS)}")
            return None
        file, key = self._table("file", FILE), self._table("key", KEY)
        constants = list(self._constants(target))
        fields = [
            each_field for index, data in enumerate(self._fields()) if (each_field := self._field(target, index, data))
        ]
        columns = {*self._key(key), *(name for other_field in fields for name in other_field.columns)}
        found = ColumnMapping(
            target=target,
            encoding=self._encoding(file.get("encoding", "")),
            delimiter=self._delimiter(file.get("delimiter", "")),
            lines=file.get("lines", ""),
            sheet=file.get("sheet", ""),
            unmapped=self._unmapped(target),
            key=self._key(key),
            constants=constants,
            fields=fields,
            columns=frozenset(columns),
        )
        self._check_whole(found)
        return found

    def _known(self, table: Mapping[str, Any], names: Sequence[str], where: str) -> None:
        self.errors += [f"{where} knows no {name!r}; it has {', '.join(names)}" for name in table if name not in names]

    def _table(self, name: str, types: Mapping[str, type]) -> Mapping[str, Any]:
        table = self.data.get(name, {})
        if not isinstance(table, dict):
            self.errors.append(f"[{name}] is no table")
            return {}
        self._known(table, tuple(types), f"[{name}]")
        return self._typed(table, types, f"[{name}]")

    def _typed(self, table: Mapping[str, Any], types: Mapping[str, type], where: str) -> Mapping[str, Any]:
        wrong = {name for name, value in table.items() if name in types and not _is_of(value, types[name])}
        self.errors += [f"{where}: {name} must be a {WORDS[types[name]]}" for name in sorted(wrong)]
        return {name: value for name, value in table.items() if name not in wrong}

    def _encoding(self, name: str) -> str:
        if name and not encodings.is_text_encoding(name):
            self.errors.append(f"[file]: encoding {name!r} is unknown")
        return name

    def _delimiter(self, text: str) -> str:
        if "delimiter" in self.data.get("file", {}) and (len(text) != 1 or text in NO_DELIMITERS):
            self.errors.append(f"[file]: delimiter {text!r} must be one character, and no quotation mark or line's end")
        return text

    def _key(self, key: Mapping[str, Any]) -> tuple[str, ...]:
        return tuple(name for name in key.get("columns", ()) if isinstance(name, str))

    def _unmapped(self, target: Target) -> str:
        name = self.data.get("unmapped", REFUSE)
        if name not in UNMAPPED:
            self.errors.append(f"unmapped {name!r} is none of {', '.join(UNMAPPED)}")
        elif name == EXTRA and EXTRA not in target.message.DESCRIPTOR.fields_by_name:
            self.errors.append(f"unmapped: {self.data['target']} has no extra fields; ignore or refuse")
        return str(name)

    def _fields(self) -> Sequence[Any]:
        fields = self.data.get("fields", [])
        if isinstance(fields, list) and fields:
            return fields
        self.errors.append("there are no [[fields]]")
        return []

    def _constants(self, target: Target) -> Iterator[tuple[Place, Any]]:
        for path, value in self._flat(self.data.get("constants", {})):
            place = self._place(target, path, "[constants]")
            if place is None:
                continue
            if names_enterprise(place.leaf):
                value = self._enterprise(path, value)
            expected = {TEXT: str, INTEGER: int, BOOL: bool, ENUM: str}.get(place.kind)
            if expected is None or not isinstance(value, expected):
                self.errors.append(f"[constants]: {path} takes no {value!r}")
            elif (fitting := self._enum_number(place, value, "[constants]")) is not None:
                yield place, fitting

    def _enterprise(self, path: str, value: Any) -> Any:
        """A constant that names an enterprise by its plain code is that name."""
        try:
            return enterprise(value) if isinstance(value, str) else value
        except Unmappable as error:
            self.errors.append(f"[constants]: {path}: {error.message}")
            return value

    def _flat(self, table: Any, above: str = "") -> Iterator[tuple[str, Any]]:
        for name, value in table.items() if isinstance(table, dict) else ():
            if isinstance(value, dict):
                yield from self._flat(value, f"{above}{name}.")
            else:
                yield f"{above}{name}", value

    def _place(self, target: Target, path: str, where: str) -> Place | None:
        """The field at a path. None, reported, where there is none that a mapping can fill."""
        *way, leaf = path.split(".")
        descriptor: Any = target.message.DESCRIPTOR
        if way[:1] == [PERSONS] and PERSONS in descriptor.fields_by_name:
            return self._person_place(path, way, leaf, where)
        for name in way:
            found = descriptor.fields_by_name.get(name) if descriptor else None
            descriptor = found.message_type if found and (not found.is_repeated or name == LINES) else None
        last = descriptor.fields_by_name.get(leaf) if descriptor else None
        kind = _kind(last) if last is not None and not last.is_repeated else ""
        if last is None or not kind:
            self.errors.append(f"{where}: {path!r} is no field of {self.data['target']} that a mapping can fill")
            return None
        return Place(path, tuple(way), last, kind)

    def _person_place(self, path: str, way: Sequence[str], leaf: str, where: str) -> Place | None:
        descriptor: Any = personal_pb2.Person.DESCRIPTOR
        last = descriptor.fields_by_name.get(leaf)
        if len(way) == 2 and way[1] in PARTS and last is not None and _kind(last) == TEXT:
            return Place(path, tuple(way), last, TEXT)
        names = ", ".join(entry.name for entry in descriptor.fields if _kind(entry) == TEXT)
        self.errors.append(f"{where}: {path!r} must be {PERSONS}.PART.FIELD: {', '.join(sorted(PARTS))}; {names}")
        return None

    def _enum_number(self, place: Place, value: Any, where: str) -> Any:
        """The value as the field takes it: an enumeration's by name. None, reported, where it has no such one."""
        if place.kind != ENUM or place.leaf.enum_type is None:
            return value
        if value not in place.leaf.enum_type.values_by_name:
            self.errors.append(f"{where}: {place.path} has no value {value!r}")
            return None
        return place.leaf.enum_type.values_by_name[value].number

    def _field(self, target: Target, index: int, data: Any) -> Field | None:
        where = f"[[fields]] {index + 1}"
        if not isinstance(data, dict):
            self.errors.append(f"{where} is no table")
            return None
        where += f" ({data.get('column')!r} to {data.get('path')!r})"
        before = len(self.errors)
        name = data.get("transform", "text")
        transform = TRANSFORMS.get(name) if isinstance(name, str) else None
        if transform is None:
            self.errors.append(f"{where}: transform {name!r} is none of {', '.join(TRANSFORMS)}")
            return None
        types = {**COMMON, **transform.options}
        self._known(data, tuple(types), where)
        self._typed(data, types, where)
        self.errors += [
            f"{where}: {text} is missing" for text in ("path", "column", *transform.needed) if text not in data
        ]
        if len(self.errors) > before:
            return None
        place = self._place(target, data["path"], where)
        if place is not None and place.kind not in transform.fills:
            self.errors.append(f"{where}: {name} makes {', '.join(sorted(transform.fills))}, the field is {place.kind}")
        if place is not None and name == "text" and names_enterprise(place.leaf):
            transform = TRANSFORMS["enterprise"]
        convert = self._convert(transform.make, data, place, where)
        if place is None or convert is None or len(self.errors) > before:
            return None
        columns = (data["column"], *(data[option] for option in transform.columns if option in data))
        absent = frozenset(data.get("absent", [""]))
        pattern = re.compile(data["absent_pattern"]) if "absent_pattern" in data else None
        return Field(place, data["column"], columns, convert, absent, pattern, data.get("required", False))

    def _convert(
        self,
        make: Callable[[str, Mapping[str, Any]], Convert],
        data: Mapping[str, Any],
        place: Place | None,
        where: str,
    ) -> Convert | None:
        options = dict(data)
        if place is not None and "values" in options:
            numbers = {text: self._enum_number(place, value, where) for text, value in options["values"].items()}
            options["values"] = numbers
        try:
            re.compile(data.get("absent_pattern", ""))
            return make(data["column"], options)
        except (MappingError, re.error, ArithmeticError, ValueError) as error:
            self.errors.append(f"{where}: {error}")
            return None

    def _check_whole(self, found: ColumnMapping) -> None:
        paths = [place.path for place, _ in found.constants] + [each_field.place.path for each_field in found.fields]
        self.errors += [f"{path!r} is filled twice" for path in sorted({p for p in paths if paths.count(p) > 1})]
        if found.groups and not found.key and not found.lines:
            self.errors.append("rows become lines of one document: [key] columns must say which belong together")
        if found.target.key and not found.key and found.target.key not in paths:
            self.errors.append(f"[key] columns must say what identifies a {self.data['target']}")


def _is_of(value: Any, kind: type) -> bool:
    """Whether a value of a mapping is of a kind; a list has texts only, and a flag is no number."""
    if isinstance(value, list):
        return kind is list and all(isinstance(text, str) for text in value)
    return isinstance(value, kind) and isinstance(value, bool) == (kind is bool)


def _kind(field: FieldDescriptor) -> str:
    if field.message_type is not None:
        return KINDS_OF_MESSAGES.get(field.message_type.full_name, "")
    return SCALARS.get(field.type, "")
