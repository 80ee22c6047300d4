"""The limits of pages and JSON API: data/limits.toml, or what a file of the same form says instead."""

import pathlib
import tomllib
from dataclasses import dataclass, fields

DEFAULTS = pathlib.Path(__file__).parent / "data" / "limits.toml"


class UnknownLimit(ValueError):
    """A file of limits names one that there isn't, or gives it no whole number above zero."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Each limit in the unit that its name ends with; docs/limits.md says what each is for."""

    connections_in_all: int
    connections_per_source: int
    head_bytes: int
    head_seconds: int
    body_seconds: int
    upload_seconds: int
    idle_seconds: int
    unread_answer_seconds: int
    form_bytes: int
    form_fields: int
    sign_in_bytes: int
    json_bytes: int
    blob_bytes: int
    json_values: int
    query_parameters: int
    free_attempts_per_login: int
    free_attempts_per_source: int
    longest_delay_seconds: int
    attempts_window_minutes: int
    waiting_sign_ins_per_source: int
    waiting_sign_ins_in_all: int
    session_hours: int
    session_idle_minutes: int
    password_characters_at_least: int
    password_characters_at_most: int
    span_days: int
    spans_in_all: int

    @classmethod
    def load(cls, file: pathlib.Path | None = None) -> "Limits":
        """The defaults, with those of a file in place of theirs. UnknownLimit, OSError."""
        values = tomllib.loads(DEFAULTS.read_text(encoding="utf-8"))
        if file is not None:
            values |= tomllib.loads(file.read_text(encoding="utf-8"))
        names = {field.name for field in fields(cls)}
        wrong = sorted(name for name, value in values.items() if name not in names or not _is_limit(value))
        if wrong:
            raise UnknownLimit(f"{file}: {', '.join(wrong)}: see {DEFAULTS.name} for the limits, whole numbers from 1")
        return cls(**values)


def _is_limit(value: object) -> bool:
    return type(value) is int and value > 0


LIMITS = Limits.load()
