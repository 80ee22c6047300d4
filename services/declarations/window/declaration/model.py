"""A customs declaration as the platform keeps it, and how its receipts move it."""

import datetime
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields, replace
from typing import NamedTuple

from aval.declarations.v1.personal_pb2 import PersonalData

from chassis.errors import Problem
from chassis.money import Money
from services.declarations.customs import receipts
from services.declarations.register.asset import VERDICTS, Hindrance
from services.declarations.window.eligibility.model import Goods


class Content(NamedTuple):
    """The content of a checked row: the columns that follow from it, and the row itself, serialised.

    `commodity_code` is that of the line with the largest total; `declared_on` is None where the row has no date;
    `amend_us` is when customs approved it as an amendment, 0 for the first content; `search_text` holds the words that
    people search for: contract, invoice and bill number and the buyer's name, each on a line, in capitals;
    `controlled` are the goods that need a permit on some day. `id` is empty before customs gave a number: of such a
    draft `client_number`, `sign_us` and `direction` (a name of Direction) tell which it is and which message counts.
    """

    id: str
    enterprise: str
    trade_mode: str
    transport_mode: str
    destination_country: str
    commodity_code: str
    declared_on: datetime.date | None
    value_currency: str
    value_minor_units: int
    body: bytes
    digest: bytes
    amend_us: int
    persons: PersonalData | None
    unified_number: str
    search_text: str
    controlled: Sequence[Goods]
    client_number: str
    sign_us: int
    direction: str


@dataclass(frozen=True, slots=True)
class Declaration:
    """The row: the columns that are searched or judged, and the body as it came (a serialised Declaration).

    `since_us` is since when the platform knows this content, `create_us` since when the declaration.
    """

    id: str
    enterprise: str
    trade_mode: str
    transport_mode: str
    destination_country: str
    commodity_code: str
    declared_on: datetime.date
    value: Money
    status: str
    body: bytes
    digest: bytes
    version: int
    amend_us: int
    since_us: int
    create_us: int
    revision: int
    unified_number: str
    search_text: str

    @property
    def name(self) -> str:
        """Its resource name."""
        return f"declarations/{self.id}"

    @property
    def place(self) -> str:
        """Its place in lists: by day and number."""
        return f"{self.declared_on}/{self.id}"

    def verdict(self, on: datetime.date, hindrances: Sequence[Hindrance] = ()) -> tuple[str, list[Problem]]:
        """Returns what finance may do with it on a business date (a name of Eligibility.Verdict), and why."""
        verdict, reasons = receipts.eligibility(
            self.status,
            declaration_number=self.id,
            trade_mode=self.trade_mode,
            transport_mode=self.transport_mode,
            on=on,
        )
        least = min([verdict, *(hindrance.at_most for hindrance in hindrances)], key=VERDICTS.index)
        return least, [*reasons, *(hindrance.problem for hindrance in hindrances)]


def with_receipts(declaration: Declaration, notices: Iterable[tuple[str, int]]) -> Declaration:
    """Returns the declaration as all its receipts (channel code, notice time in microseconds) leave it."""
    return replace(declaration, status=receipts.status_after(notices))


@dataclass(frozen=True, slots=True)
class Version:
    """A declaration's content before an amendment; times in microseconds since 1970 UTC."""

    declaration: str
    version: int
    enterprise: str
    trade_mode: str
    transport_mode: str
    destination_country: str
    commodity_code: str
    declared_on: datetime.date
    value: Money
    body: bytes
    digest: bytes
    amend_us: int
    since_us: int
    until_us: int
    unified_number: str
    search_text: str


# The searched or judged fields that an amendment may replace.
SAID = tuple(field.name for field in fields(Version) if field.name not in ("declaration", "until_us"))


def superseded(before: Declaration, until_us: int) -> Version:
    """Returns the content that an amendment replaces."""
    content = {name: getattr(before, name) for name in SAID}
    return Version(declaration=before.id, until_us=until_us, **content)


def amended(before: Declaration, content: Content, now_us: int) -> Declaration:
    """Returns the declaration with the content of an amendment."""
    return replace(
        before,
        enterprise=content.enterprise,
        trade_mode=content.trade_mode,
        transport_mode=content.transport_mode,
        destination_country=content.destination_country,
        commodity_code=content.commodity_code,
        declared_on=content.declared_on or before.declared_on,
        value=Money(content.value_currency, content.value_minor_units),
        body=content.body,
        digest=content.digest,
        version=before.version + 1,
        amend_us=content.amend_us,
        since_us=now_us,
        unified_number=content.unified_number,
        search_text=content.search_text,
    )


def as_of(declaration: Declaration, version: Version | None, notices: Iterable[tuple[str, int]]) -> Declaration:
    """Returns the declaration as it stood with an older content (None: the present content) and these receipts."""
    earlier = with_receipts(declaration, notices)
    if version is None:
        return earlier
    return replace(earlier, **{name: getattr(version, name) for name in SAID})
