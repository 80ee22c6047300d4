"""Declarations as permits and holds see them, the goods that a permit covers, and the use made of it."""

import datetime
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple, Protocol


class Goods(NamedTuple):
    """Controlled goods: the place of their line from 0, HS code (10 digits), how many, customs code of that unit."""

    line: int
    commodity_code: str
    quantity: Decimal
    unit: str


class Declared(Protocol):
    """A declaration as far as eligibility looks at it."""

    @property
    def id(self) -> str:
        """Its customs number."""
        ...

    @property
    def name(self) -> str:
        """Its resource name."""
        ...

    @property
    def enterprise(self) -> str:
        """The exporter or importer."""
        ...

    @property
    def status(self) -> str:
        """The status that its receipts left it in."""
        ...

    @property
    def body(self) -> bytes:
        """The declaration as it came, serialised."""
        ...


class DeclaredGoods(Protocol):
    """The content of a declaration as far as permits look at it."""

    @property
    def id(self) -> str:
        """Its customs number."""
        ...

    @property
    def enterprise(self) -> str:
        """The exporter or importer."""
        ...

    @property
    def declared_on(self) -> datetime.date | None:
        """The day of exit, None where it isn't known."""
        ...

    @property
    def controlled(self) -> Sequence[Goods]:
        """The goods that need a permit on some day."""
        ...


@dataclass(frozen=True, slots=True)
class PermitUse:
    """One line's use of a permit of a kind; `permit` is a record's id, empty while the use waits.

    Uses of an enterprise are numbered by `position` as they are written; waiting uses are served by `place`.
    `declaration` is a number, `day` the day of exit, None where it isn't known. A use counts from `since_us` until
    `until_us`, which is 0 while it does.
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
        """The goods that the use takes."""
        return Goods(self.line, self.commodity_code, self.quantity, self.unit)
