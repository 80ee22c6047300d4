"""Derivations as frozen values: trees of rules, whose leaves are facts that stand somewhere. Pure.

Each node has a digest over all that it says, by the digests of the nodes below it: a changed leaf is found even where
the result stays the same, as a rate does that rounds to the same interest.
"""

import datetime
import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

from chassis.money import Money
from chassis.suites import DIGEST, DIGEST_SUITES

# An amount; a rate or another exact number; a day; a count; a word of a code table.
Value = Money | Decimal | datetime.date | int | str
# The version of the text that digests are made over.
DIGEST_VERSION = 1


@dataclass(frozen=True, slots=True)
class FieldOrigin:
    """A field of a resource as it stood: `field` is its path on the wire."""

    resource: str
    field: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RowOrigin:
    """A row of a dated table. A table of the program has no version: its rows say from when they count."""

    table: str
    code: str = ""
    column: str = ""
    version: int = 0
    effective_from: datetime.date | None = None


@dataclass(frozen=True, slots=True)
class CloseOrigin:
    """The close of a business date whose job summed many resources of a partition."""

    job: str
    date: datetime.date
    partition: str = ""


@dataclass(frozen=True, slots=True)
class Rounding:
    """A way to round, by its name in `decimal` without "ROUND_", and the decimals that it leaves."""

    mode: str
    decimals: int


@dataclass(frozen=True, slots=True)
class Input:
    """An argument of a rule, and where its value comes from; None where it is a word of the rule itself."""

    name: str
    value: Value
    origin: "Origin | None" = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Derivation:
    """A result with the rule and the arguments that gave it. Several inputs of a name are the members of a list."""

    rule: str
    source: str
    inputs: tuple[Input, ...]
    rounding: Rounding | None = None
    result: Value
    # Empty before it is `digested`.
    digest: str = field(default="")

    @property
    def money(self) -> Money:
        """Its result, where that is an amount."""
        assert isinstance(self.result, Money), f"{self.rule} gives {self.result}"
        return self.result

    @property
    def number(self) -> Decimal:
        """Its result, where that is a rate or another exact number."""
        assert isinstance(self.result, Decimal), f"{self.rule} gives {self.result}"
        return self.result

    @property
    def count(self) -> int:
        """Its result, where that is a count."""
        assert isinstance(self.result, int), f"{self.rule} gives {self.result}"
        return self.result

    @property
    def day(self) -> datetime.date:
        """Its result, where that is a day."""
        assert isinstance(self.result, datetime.date), f"{self.rule} gives {self.result}"
        return self.result

    def nodes(self, path: str = "") -> Iterator[tuple[str, "Derivation"]]:
        """Yields this derivation and all below it, each with its path: "", accrued, accrued.day_amount[0]."""
        yield path, self
        for place, argument in self.places(path):
            if isinstance(argument.origin, Derivation):
                yield from argument.origin.nodes(place)

    def leaves(self) -> Iterator[tuple[str, Input]]:
        """Yields the inputs that no other rule gave, each with its path: accrued.annual_rate."""
        for path, node in self.nodes():
            for place, argument in node.places(path):
                if not isinstance(argument.origin, Derivation):
                    yield place, argument

    def places(self, path: str = "") -> Iterator[tuple[str, Input]]:
        """Yields the inputs with their paths; those of one name are numbered from 0."""
        names = [argument.name for argument in self.inputs]
        for index, argument in enumerate(self.inputs):
            number = f"[{names[:index].count(argument.name)}]" if names.count(argument.name) > 1 else ""
            yield f"{path}.{argument.name}{number}".lstrip("."), argument


Origin = FieldOrigin | RowOrigin | CloseOrigin | Derivation


def digested(derivation: Derivation) -> Derivation:
    """Returns the derivation with the digest of what it says."""
    return replace(derivation, digest=digest(derivation))


def digest(derivation: Derivation) -> str:
    """Returns the digest over all that a derivation says, by the digests of the derivations below it."""
    text = json.dumps(_said(derivation), ensure_ascii=False, separators=(",", ":"))
    return f"{DIGEST_VERSION} {DIGEST} {DIGEST_SUITES[DIGEST](text.encode()).hex()}"


def _said(derivation: Derivation) -> list[Any]:
    """Returns all that a derivation says, as JSON data whose text is the same for the same derivation."""
    rounding = derivation.rounding
    return [
        DIGEST_VERSION,
        derivation.rule,
        derivation.source,
        [[argument.name, *_kept(argument.value), *_origin(argument.origin)] for argument in derivation.inputs],
        [rounding.mode, rounding.decimals] if rounding else [],
        _kept(derivation.result),
    ]


def _kept(value: Value) -> list[Any]:
    """Returns a value with its kind: CNY 1.50 is ["money", "CNY", 150], the rate 0.060 is ["number", "0.060"]."""
    match value:
        case Money():
            return ["money", value.currency, value.minor_units]
        case Decimal():
            return ["number", format(value, "f")]
        case datetime.date():
            return ["date", value.isoformat()]
        case int():
            return ["count", value]
        case str():
            return ["word", value]


def _origin(origin: Origin | None) -> list[Any]:
    match origin:
        case None:
            return ["rule"]
        case FieldOrigin():
            return ["field", origin.resource, origin.field]
        case RowOrigin():
            since = origin.effective_from.isoformat() if origin.effective_from else ""
            return ["row", origin.table, origin.code, origin.column, origin.version, since]
        case CloseOrigin():
            return ["close", origin.job, origin.date.isoformat(), origin.partition]
        case Derivation():
            return ["derivation", origin.digest]
