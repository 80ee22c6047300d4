"""Who may see an enterprise's data, and writing down that it did.

Every way to an enterprise's data goes through here: `see` and `seen_together` in a read, `granted` and `note` in a
command. The answer to an institution without consent is CONSENT_MISSING whether or not what it asked for exists.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import sqlalchemy as sa

from chassis.command import Transaction
from chassis.errors import NotFound
from chassis.identity import Caller
from chassis.service import Reading
from services.declarations.privacy import callers
from services.declarations.privacy import errors as privacy_errors
from services.declarations.privacy.consent import model, store
from services.declarations.privacy.consent.model import Consent, Disclosure, Purpose

RESOURCES_MAX = 500


class Asking(Protocol):
    """A transaction or a reading."""

    @property
    def connection(self) -> sa.Connection:
        """Within which it happens."""
        ...

    @property
    def caller(self) -> Caller:
        """Who asks."""
        ...

    @property
    def now_us(self) -> int:
        """When."""
        ...


@dataclass(frozen=True, slots=True)
class Seen:
    """What a caller was let see of one enterprise's data: a disclosure before it is written down."""

    enterprise: str
    consent: Consent | None
    method: str
    resources: Sequence[str]
    purpose: Purpose | None = None
    reason: str = ""

    @property
    def purposes(self) -> tuple[Purpose, ...]:
        """What it was for."""
        if self.purpose is not None:
            return (self.purpose,)
        return self.consent.allowed if self.consent else ()


def is_institution(caller: Caller) -> bool:
    """Whether the caller needs consent."""
    return caller.tenant.startswith(("banks/", "insurers/"))


def granted(asking: Asking, enterprises: Iterable[str], purpose: Purpose | None = None) -> dict[str, Consent]:
    """The consents by which the calling institution may see these enterprises' data now, by enterprise."""
    found = store.standing(asking.connection, enterprises, asking.caller.tenant, asking.now_us)
    return model.granting(found, purpose)


def see(reading: Reading, enterprise: str, method: str, resources: Sequence[str]) -> None:
    """An institution's look at one enterprise's data: ConsentMissing, or it is written down before the answer.

    An empty enterprise is that of what doesn't exist. Others than institutions need no consent.
    """
    if is_institution(reading.caller):
        consent = granted(reading, [enterprise]).get(enterprise)
        if consent is None:
            raise privacy_errors.ConsentMissing
        reading.notes.append(Seen(enterprise, consent, method, resources))


def look(reading: Reading, enterprise: str, method: str, name: str) -> None:
    """Anybody's look at one resource: ConsentMissing for an institution without consent, NotFound for others.

    An empty enterprise is that of what doesn't exist.
    """
    see(reading, enterprise, method, [name])
    if not enterprise or not (is_institution(reading.caller) or sees_all(reading.caller, enterprise)):
        raise NotFound(resource=name)


def sees_all(caller: Caller, enterprise: str) -> bool:
    """Whether the caller needs no consent: the enterprise itself, the window, the services."""
    return caller.tenant == enterprise or callers.is_platform(caller)


def note_page(reading: Reading, method: str, page: Iterable[tuple[str, str]]) -> set[str]:
    """An institution's page, of names with their enterprises, is a disclosure; the enterprises that let it see."""
    if not is_institution(reading.caller):
        return set()
    resources: dict[str, list[str]] = {}
    for name, enterprise in page:
        resources.setdefault(enterprise, []).append(name)
    return seen_together(reading, method, resources)


def seen_together(reading: Reading, method: str, resources: Mapping[str, Sequence[str]]) -> set[str]:
    """Of an institution's look at several enterprises' resources those enterprises that let it; it is written down."""
    consents = granted(reading, resources)
    for enterprise, consent in consents.items():
        fresh = [name for name in resources[enterprise] if reading.is_fresh((method, consent.name, name))]
        if fresh:
            reading.notes.append(Seen(enterprise, consent, method, fresh))
    return set(consents)


def note(work: Sequence[tuple[Transaction, Sequence[Seen]]]) -> None:
    """Writes down what reads or commands disclosed to their callers, as one step."""
    disclosures = [disclosure for transaction, seen in work for disclosure in _disclosures(transaction, seen)]
    if disclosures:
        store.add_disclosures(work[0][0].connection, disclosures)


def _disclosures(transaction: Transaction, seen: Iterable[Seen]) -> Iterator[Disclosure]:
    caller = transaction.caller
    for each_seen in seen:
        for first in range(0, len(each_seen.resources), RESOURCES_MAX):
            yield Disclosure(
                transaction.ids.resource("disclosure"),
                each_seen.enterprise,
                caller.tenant,
                caller.principal,
                each_seen.consent.name if each_seen.consent else "",
                each_seen.purposes,
                each_seen.method,
                tuple(each_seen.resources[first : first + RESOURCES_MAX]),
                each_seen.reason,
                transaction.now_us,
            )
