"""Participants of each noun that has them: lists walk their rows; a store of before gets them from its columns."""

import contextlib
import dataclasses
import datetime
import enum
import types
import typing
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa
from aval.loans.v1.loans_pb2 import ListLoansRequest as Asked

from chassis import migrations, paging, participants, records
from chassis.database import Database
from chassis.money import Money
from chassis.participants import Participation
from chassis.service import Service
from services.credit_insurance.service import SERVICE as CREDIT_INSURANCE
from services.credit_insurance.verification import PARTICIPATIONS as INSURED
from services.loans.service import PARTICIPATIONS as LENT
from services.loans.service import SERVICE as LOANS
from services.settlement.service import PARTICIPATIONS as SETTLED
from services.settlement.service import SERVICE as SETTLEMENT
from tests.support import Stores, migrate_to, ring, seeded_random, walking_plan

ISSUER, ADVISER, SELLER = "banks/issuer", "banks/adviser", "enterprises/seller"


@pytest.mark.parametrize(
    ("service", "participation"),
    [
        (service, participation)
        for service, participations in ((LOANS, LENT), (SETTLEMENT, SETTLED), (CREDIT_INSURANCE, INSURED))
        for participation in participations
    ],
    ids=lambda made: made.collection if isinstance(made, Participation) else "",
)
def test_lists_of_every_noun_walk_the_key(store: Stores, service: Service, participation: Participation[Any]) -> None:
    with store(service.name, service.migrations).write() as connection:
        query = participation.of_tenant(SELLER)
        assert "participants" in walking_plan(
            connection, paging.newest_first(query, query.selected_columns.id, Asked())
        )


# Columns that had other names then.
FORMER = {"simple_rate": "all_in_rate"}
# The heads of the release before participants had rows.
BEFORE = {
    "loans": ("loans_0002", "ledger_0002", "chassis_0007"),
    "settlement": ("settlement_0006", "ledger_0002", "chassis_0007"),
    "credit_insurance": ("credit_insurance_0003", "ledger_0002", "chassis_0007"),
}
PLAIN: Mapping[type, Any] = {
    int: 1,
    bool: False,
    bytes: b"",
    Money: Money("USD", 1),
    Decimal: Decimal("0.1"),
    datetime.date: datetime.date(2026, 11, 2),
}


def value_of(annotation: Any, text: str) -> Any:
    """A value of an annotation: None where that may be, nothing of several, a table's first state, or the text."""
    if annotation is str:
        return text
    if typing.get_origin(annotation) in (types.UnionType, typing.Union):
        return None
    if typing.get_origin(annotation) is tuple:
        return ()
    return next(iter(annotation)) if issubclass(annotation, enum.Enum) else PLAIN[annotation]


def made(record: type[Any], identifier: str, **fields: Any) -> Any:
    """A record in its first state, with any values but those given."""
    hints = typing.get_type_hints(record)
    values = {field.name: value_of(hints[field.name], identifier) for field in dataclasses.fields(record)}
    return record(**{**values, "id": identifier, **{name: fields[name] for name in fields if name in values}})


def standing(participation: Participation[Any]) -> list[Any]:
    """Two records of a noun as a store of before has them: the second a bank's own account, an offer made."""
    parties = {
        "bank": ISSUER,
        "insurer": "insurers/1",
        "enterprise": SELLER,
        "owner": SELLER,
        "banks": (ISSUER, ADVISER),
        "checker": "",
    }
    second = {**parties, "owner": ISSUER, "checker": "banks/issuer/wang", "iban": "", "account_number": ""}
    return [made(participation.record, "1", **parties), made(participation.record, "2", **second)]


@pytest.mark.parametrize(
    ("service", "participations"), [(LOANS, LENT), (SETTLEMENT, SETTLED), (CREDIT_INSURANCE, INSURED)],
    ids=lambda made: made.name if isinstance(made, Service) else "",
)  # fmt: skip
def test_a_store_of_before_has_the_participants_of_its_columns(
    database_url: str, service: Service, participations: Sequence[Participation[Any]]
) -> None:
    with contextlib.closing(Database(database_url, service.name, ring())) as database:
        store_of_before(database, service, participations)
        assert migrations.upgrade(database, service.migrations, seeded_random(1), service.prepare)
        with database.read() as connection:
            for participation in participations:
                check_carried_over(connection, participation)
            assert "asked_banks" not in sa.inspect(connection).get_table_names()
        assert not migrations.upgrade(database, service.migrations, seeded_random(1), service.prepare)


def check_carried_over(connection: sa.Connection, participation: Participation[Any]) -> None:
    """The participants are those of the columns, the exporter among them."""
    assert list(participation.violations(connection)) == []
    resources = standing(participation)
    for resource in resources:
        assert participants.of(connection, resource.name) == sorted(resource.participants)
    assert SELLER in {tenant for resource in resources for tenant in participants.tenants(resource)}


def store_of_before(database: Database, service: Service, participations: Sequence[Participation[Any]]) -> None:
    """Fills a store as the release before left it."""
    migrate_to(database, service.migrations, BEFORE[service.name])
    with database.write() as connection:
        fill(connection, participations)


def fill(connection: sa.Connection, participations: Iterable[Participation[Any]]) -> None:
    """Writes the standing records as the release before did."""
    for participation in participations:
        before = sa.Table(participation.rows.name, sa.MetaData(), autoload_with=connection)
        for record in standing(participation):
            named = {FORMER.get(column, column): value for column, value in records.to_row(record).items()}
            row = {column: value for column, value in named.items() if column in before.c}
            connection.execute(sa.insert(before).values(row))
            if participation.collection == "applications":
                asked_banks = sa.Table("asked_banks", sa.MetaData(), autoload_with=connection)
                rows = [{"bank": bank, "application": record.id} for bank in record.banks]
                connection.execute(sa.insert(asked_banks), rows)
