"""Goods that a permit covers, and the use that a declaration makes of a permit."""

import datetime
from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple


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
