"""A document behind a financing, as it is compared: its issuer, number, parties, date and amount."""

import datetime
import enum
from collections.abc import Iterable
from dataclasses import dataclass, replace

from chassis.money import Money
from services.declarations.fingerprint import canonical


class Kind(enum.StrEnum):
    """The document's kind; names of the proto's enum. Documents of two kinds never match."""

    DECLARATION = "DECLARATION"
    INVOICE = "INVOICE"
    TRANSPORT_DOCUMENT = "TRANSPORT_DOCUMENT"
    ORDER = "ORDER"


# Customs numbers run on: the neighbour of a declaration is simply another one.
WITHOUT_NEIGHBOURS = frozenset({Kind.DECLARATION})


@dataclass(frozen=True, slots=True)
class Document:
    """A document in the clear: it lives as long as the call.

    `issuers`: the canonical identities of the one whose numbers these are (an invoice's seller, an order's
    buyer or platform), each of which alone is enough; none where numbers are everyone's (declarations,
    transport documents). `parties`: those of the other side (buyer, seller, carrier). Both have the names in every
    version of their normal form, by which a document is looked for; `kept` has the newest alone.
    """

    kind: Kind
    issuers: tuple[str, ...]
    number: str
    parties: tuple[str, ...] = ()
    date: datetime.date | None = None
    amount: Money | None = None

    @property
    def scopes(self) -> tuple[str, ...]:
        """Returns the scopes within which its number is unique: each issuer, or everything."""
        return self.issuers or ("",)

    @property
    def skeletons(self) -> frozenset[str]:
        """Returns the folded forms of its number; none where a folded number proves nothing."""
        return frozenset() if self.kind in WITHOUT_NEIGHBOURS else canonical.skeletons(self.number)

    def kept(self) -> "Document":
        """Returns the document as it is registered: its parties by their codes and the newest forms of their names."""
        issuers, parties = (tuple(filter(canonical.is_kept, identities)) for identities in (self.issuers, self.parties))
        return replace(self, issuers=issuers, parties=parties)

    def contenders(self) -> Iterable[str]:
        """Returns names of which any two documents that may match have one in common: whoever registers locks them.

        An issuer's documents match only among themselves. Others match by the same number, or by an edited one of the
        same party.
        """
        if self.issuers:
            return self.issuers
        return (*self.parties, *(self.skeletons or {canonical.number(self.number)}))
