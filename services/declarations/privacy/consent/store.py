"""The consents' rows: the only SQL of this room."""

import json
from collections.abc import Iterable, Sequence
from typing import Any

import sqlalchemy as sa

from chassis import bulk, records
from chassis.command import Transaction
from services.declarations.privacy.consent import rpc
from services.declarations.privacy.consent.model import (
    USUAL_PURPOSES,
    Consent,
    Disclosure,
    GivenConsents,
    Purpose,
    State,
)
from services.declarations.schema import metadata

consents = records.table(
    "consents",
    Consent,
    metadata,
    sa.Index("consents_enterprise", "enterprise", "institution"),
    sa.Index("consents_institution", "institution", "id"),
)

# consent: records of readers that learned something from an enterprise's data.
disclosures = records.table("disclosures", Disclosure, metadata, sa.Index("disclosures_enterprise", "enterprise", "id"))


def load(connection: sa.Connection, identifier: str) -> Consent | None:
    """Returns a consent by its id, None where there is none."""
    return records.one(connection, consents, Consent, consents.c.id == identifier)


def _standing(now_us: int) -> Any:
    return sa.and_(consents.c.state == State.ACTIVE.value, consents.c.expire_us > now_us)


def standing(connection: sa.Connection, enterprises: Iterable[str], institution: str, now_us: int) -> list[Consent]:
    """Returns the institution's consents of these enterprises that count now."""
    of = sa.and_(bulk.among(connection, consents.c.enterprise, enterprises), consents.c.institution == institution)
    return records.many(connection, sa.select(consents).where(of, _standing(now_us)), Consent)


def given(connection: sa.Connection, enterprises: Iterable[str], now_us: int) -> GivenConsents:
    """Returns all consents of these enterprises that count now."""
    query = sa.select(consents).where(bulk.among(connection, consents.c.enterprise, enterprises), _standing(now_us))
    consents_by_institution: dict[str, list[Consent]] = {}
    for consent in records.many(connection, query, Consent):
        consents_by_institution.setdefault(consent.institution, []).append(consent)
    return GivenConsents(consents_by_institution)


def consenting(institution: str, now_us: int) -> Any:
    """Returns a query of the enterprises that the institution may see now."""
    return sa.select(consents.c.enterprise).where(consents.c.institution == institution, _standing(now_us))


def consenting_to(institution: str, purpose: Purpose, now_us: int) -> Any:
    """Returns a query of the enterprises that the institution may see now for a purpose."""
    named = consents.c.purposes
    usual = sa.or_(named.is_(None), named == _json(())) if purpose in USUAL_PURPOSES else sa.false()
    return consenting(institution, now_us).where(sa.or_(usual, named.contains(f'"{purpose.value}"')))


def institutions(connection: sa.Connection, enterprises: Iterable[str], now_us: int) -> dict[str, list[str]]:
    """Returns the institutions that may see each enterprise's declarations now."""
    query = sa.select(consents.c.enterprise, consents.c.institution)
    institutions_by_enterprise: dict[str, list[str]] = {}
    for enterprise, institution in connection.execute(
        query.where(bulk.among(connection, consents.c.enterprise, enterprises), _standing(now_us))
    ):
        institutions_by_enterprise.setdefault(enterprise, []).append(institution)
    return institutions_by_enterprise


def consented(connection: sa.Connection, enterprises: Iterable[str], institution: str, now_us: int) -> set[str]:
    """Returns those of the enterprises that let the institution see now."""
    institutions_by_enterprise = institutions(connection, enterprises, now_us)
    return {enterprise for enterprise, seeing in institutions_by_enterprise.items() if institution in seeing}


def of_party(party: str) -> Any:
    """Returns a query of the consents that a party gave or was given."""
    return sa.select(consents).where(sa.or_(consents.c.enterprise == party, consents.c.institution == party))


def add(transaction: Transaction, consent: Consent) -> None:
    """Inserts a new consent, and tells its event."""
    records.insert(transaction.connection, consents, consent)
    _tell(transaction, "consent.granted", consent)


def save(transaction: Transaction, consent: Consent, event: str) -> Consent:
    """Saves a changed consent, and tells its event. Returns the saved consent."""
    saved = records.update(transaction.connection, consents, consent)
    _tell(transaction, event, saved)
    return saved


def add_disclosures(connection: sa.Connection, new_disclosures: Sequence[Disclosure]) -> None:
    """Inserts disclosures in one step."""
    bulk.insert(connection, disclosures, list(map(_disclosure_row, new_disclosures)))


def _disclosure_row(disclosure: Disclosure) -> bulk.Row:
    """Returns the row in the table's order: as records.to_row gives it, but at the pace of reservations."""
    parties = disclosure.id, disclosure.enterprise, disclosure.reader, disclosure.principal, disclosure.consent
    return (
        *parties,
        _json(disclosure.purposes),
        disclosure.method,
        _json(disclosure.resources),
        disclosure.reason,
        disclosure.create_us,
    )


def _json(texts: tuple[str, ...]) -> str:
    return json.dumps(texts, ensure_ascii=False, separators=(",", ":"))


def disclosed(enterprise: str) -> Any:
    """Returns a query of what was disclosed of an enterprise's data."""
    return sa.select(disclosures).where(disclosures.c.enterprise == enterprise)


def _tell(transaction: Transaction, event: str, consent: Consent) -> None:
    parties = (consent.enterprise, consent.institution)
    transaction.append(event, consent.name, rpc.to_proto(consent), parties)
