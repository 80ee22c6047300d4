"""Rebates as assets."""

import datetime
from collections.abc import Iterable

import sqlalchemy as sa
from aval.declarations.v1 import records_pb2

from chassis.errors import Problem
from services.declarations.assets.rebate import store
from services.declarations.assets.rebate.model import Rebate, identifier
from services.declarations.register.asset import FINAL, NOT_ELIGIBLE, Asset
from services.declarations.register.kind import Kind
from services.declarations.window.records import store as records_store
from services.declarations.window.records.model import Record
from services.declarations.window.records.store import record_versions

Status = records_pb2.RebateStatus
EXPECTED = (Status.APPLIED, Status.ACCEPTED)
# The claim of a rebate: enterprise, declaration (its name) and tax period, one of the last two empty.
Claim = tuple[str, str, str]
PAID = Problem(
    "rebate",
    "REBATE_PAID",
    "The rebate was paid; nothing is expected that could be financed.",
    "该笔退税已到账，不再有可供融资的预期退税。",
)


def load(connection: sa.Connection, names: Iterable[str], _on: datetime.date) -> dict[str, Asset]:
    """Returns the rebates with these names as assets, by name."""
    rebates = store.load(connection, [name.removeprefix("rebates/") for name in names])
    paid = _paid(connection, {rebate.enterprise for rebate in rebates.values()})
    return {rebate.name: as_asset(rebate, rebate.id in paid) for rebate in rebates.values()}


def as_asset(rebate: Rebate, is_paid: bool = False) -> Asset:
    """Returns a rebate as an asset: the expected amount may be financed, by the cap on rebates, until it is paid."""
    verdict, reasons = (NOT_ELIGIBLE, (PAID,)) if is_paid else (FINAL, ())
    return Asset(rebate.name, rebate.enterprise, rebate.amount, verdict, reasons)


def claim_of(record: Record, status: Status) -> Claim:
    """Returns the claim of an application."""
    return record.enterprise, f"declarations/{record.declaration}" if record.declaration else "", status.period


def _paid(connection: sa.Connection, enterprises: Iterable[str]) -> set[str]:
    """Returns the ids of these enterprises' rebates that were paid, with no application that still expects anything."""
    by_state: dict[bool, set[str]] = {True: set(), False: set()}
    for record in records_store.about(connection, "rebate_status", record_versions.c.enterprise, enterprises):
        status = record.message.rebate_status
        if status.state != Status.REFUSED:
            by_state[status.state == Status.PAID].add(identifier(*claim_of(record, status)))
    return by_state[True] - by_state[False]


KIND = Kind(load=load)
