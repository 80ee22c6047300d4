"""A record beside the declarations: one version of it, as its writer gave it at a time."""

import datetime
from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple

from aval.declarations.v1 import records_pb2

from chassis import ids


@dataclass(frozen=True, slots=True)
class Record:
    """One version. `record` says of which record; `declaration` is a number; `body` is a serialised Record.

    Of all versions of a record the one with the newest notice time counts; they are all kept.
    """

    id: str
    record: str
    kind: str
    enterprise: str
    declaration: str
    body: bytes
    digest: bytes
    writer: str
    notice_us: int
    create_us: int
    is_newest: bool

    @property
    def name(self) -> str:
        """Its resource name, the same for all versions."""
        return f"records/{self.record}"

    @property
    def message(self) -> records_pb2.Record:
        """As it came."""
        return records_pb2.Record.FromString(self.body)


class Goods(NamedTuple):
    """Controlled goods: the place of their line from 0, HS code (10 digits), how many, customs code of that unit."""

    line: int
    commodity_code: str
    quantity: Decimal
    unit: str


@dataclass(frozen=True, slots=True)
class PermitUse:
    """What one line of a declaration takes of a permit of a kind; `permit` is a record's id, empty while it waits.

    Uses of an enterprise are numbered by `position` as they are written; who waits is served by `place`. `declaration`
    is a number, `day` that of exit, None where it isn't known. A use counts from `since_us` until `until_us`, which is
    0 while it does.
    """

    enterprise: str
    position: int
    place: int
    declaration: str
    permit_kind: str
    line: int
    commodity_code: str
    quantity: Decimal
    unit: str
    day: datetime.date | None
    permit: str
    since_us: int
    until_us: int

    @property
    def goods(self) -> Goods:
        """What is taken."""
        return Goods(self.line, self.commodity_code, self.quantity, self.unit)


def identifier(kind: str, *key: str) -> str:
    """The id of the one record of a kind that a natural key names."""
    return ids.derived("record", kind, *key)
