"""Lets callers see an enterprise's data, and records that they did.

Every way to an enterprise's data goes through here: `see` and `seen_together` in a read, `granted` and `note` in a
command. The answer to an institution without consent is CONSENT_MISSING whether or not the resource exists.
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
        """Returns the connection of the transaction."""
        ...

    @property
    def caller(self) -> Caller:
        """Returns the caller."""
        ...

    @property
    def now_us(self) -> int:
        """Returns the instant of the call."""
        ...


@dataclass(frozen=True, slots=True)
class PendingDisclosure:
    """A look that a caller was granted at one enterprise's data: a disclosure before it is written down."""

    enterprise: str
    consent: Consent | None
    method: str
    resources: Sequence[str]
    purpose: Purpose | None = None
    reason: str = ""

    @property
    def purposes(self) -> tuple[Purpose, ...]:
        """Returns the purposes of the disclosure."""
        if self.purpose is not None:
            return (self.purpose,)
        return self.consent.allowed if self.consent else ()


def is_institution(caller: Caller) -> bool:
    """Returns whether the caller needs consent."""
    return caller.tenant.startswith(("banks/", "insurers/"))


def granted(asking: Asking, enterprises: Iterable[str], purpose: Purpose | None = None) -> dict[str, Consent]:
    """Returns the consents by which the calling institution may see these enterprises' data now, by enterprise."""
    consents = store.standing(asking.connection, enterprises, asking.caller.tenant, asking.now_us)
    return model.granting(consents, purpose)


def see(reading: Reading, enterprise: str, method: str, resources: Sequence[str]) -> None:
    """Records an institution's look at one enterprise's data, before the answer. Raises ConsentMissing.

    `enterprise` is empty where the resource doesn't exist. Others than institutions need no consent.
    """
    if is_institution(reading.caller):
        consent = granted(reading, [enterprise]).get(enterprise)
        if consent is None:
            raise privacy_errors.ConsentMissing
        reading.notes.append(PendingDisclosure(enterprise, consent, method, resources))


def look(reading: Reading, enterprise: str, method: str, name: str) -> None:
    """Checks and records a look at one resource. Raises ConsentMissing for an institution, NotFound for others.

    `enterprise` is empty where the resource doesn't exist.
    """
    see(reading, enterprise, method, [name])
    if not enterprise or not (is_institution(reading.caller) or sees_all(reading.caller, enterprise)):
        raise NotFound(resource=name)


def sees_all(caller: Caller, enterprise: str) -> bool:
    """Returns whether the caller needs no consent: the enterprise itself, the window, the services."""
    return caller.tenant == enterprise or callers.is_platform(caller)


def note_page(reading: Reading, method: str, page: Iterable[tuple[str, str]]) -> set[str]:
    """Records an institution's page of names with their enterprises. Returns the enterprises that let it see."""
    if not is_institution(reading.caller):
        return set()
    resources: dict[str, list[str]] = {}
    for name, enterprise in page:
        resources.setdefault(enterprise, []).append(name)
    return seen_together(reading, method, resources)


def seen_together(reading: Reading, method: str, resources: Mapping[str, Sequence[str]]) -> set[str]:
    """Records an institution's look at several enterprises' resources. Returns the enterprises that let it see."""
    consents = granted(reading, resources)
    for enterprise, consent in consents.items():
        new_names = [name for name in resources[enterprise] if reading.is_fresh((method, consent.name, name))]
        if new_names:
            reading.notes.append(PendingDisclosure(enterprise, consent, method, new_names))
    return set(consents)


def note(work: Sequence[tuple[Transaction, Sequence[PendingDisclosure]]]) -> None:
    """Writes down what reads or commands disclosed to their callers, as one step."""
    disclosures = [disclosure for transaction, looks in work for disclosure in _disclosures(transaction, looks)]
    if disclosures:
        store.add_disclosures(work[0][0].connection, disclosures)


def _disclosures(transaction: Transaction, looks: Iterable[PendingDisclosure]) -> Iterator[Disclosure]:
    caller = transaction.caller
    for look in looks:
        for first in range(0, len(look.resources), RESOURCES_MAX):
            yield Disclosure(
                id=transaction.ids.resource("disclosure"),
                enterprise=look.enterprise,
                reader=caller.tenant,
                principal=caller.principal,
                consent=look.consent.name if look.consent else "",
                purposes=look.purposes,
                method=look.method,
                resources=tuple(look.resources[first : first + RESOURCES_MAX]),
                reason=look.reason,
                create_us=transaction.now_us,
            )
