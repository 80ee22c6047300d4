"""Export-tax rebates: the amounts an enterprise may still expect, and the assets that follow them (I4)."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

import sqlalchemy as sa
from aval.declarations.v1 import records_pb2

from chassis import money
from chassis.command import Transaction
from chassis.money import Money
from services.declarations.assets.rebate import assets
from services.declarations.assets.rebate import store as rebate_store
from services.declarations.assets.rebate.assets import EXPECTED, Claim, claim_of
from services.declarations.assets.rebate.model import Rebate, identifier
from services.declarations.register.protocol import revaluing
from services.declarations.register.value import store as value_store
from services.declarations.window.records import store as records_store
from services.declarations.window.records.model import Record
from services.declarations.window.records.store import record_versions

Status = records_pb2.RebateStatus


def expected_rebate(connection: sa.Connection, numbers: Iterable[str]) -> dict[str, Money]:
    """Returns the rebate expected for each of these declarations, in yuan.

    Declarations without a rebate that is neither paid nor refused are left out. Several applications for one
    declaration add up.
    """
    expected: dict[str, Money] = {}
    for record in records_store.about(connection, "rebate_status", record_versions.c.declaration, numbers):
        rebate = record.message.rebate_status
        if rebate.state in EXPECTED:
            amount = money.from_proto(rebate.expected_amount)
            expected[record.declaration] = expected.get(record.declaration, amount.zero()) + amount
    return expected


def asset_of(connection: sa.Connection, enterprise: str, declaration: str) -> str:
    """Returns the name of the rebate that a declaration's applications registered, empty where there is none."""
    rebates = rebate_store.load(connection, [identifier(enterprise, declaration, "")])
    return next((rebate.name for rebate in rebates.values()), "")


def follow(transaction: Transaction, changed: Sequence[tuple[Record, Status]]) -> None:
    """Brings the assets to what all applications say: new ones are registered, others change their value.

    That includes the claim of an application before a newer version named another declaration or period.
    """
    versions = records_store.versions(transaction.connection, {record.record for record, _ in changed})
    claims = {claim_of(version, version.message.rebate_status) for version in versions}
    worth = _worth(transaction.connection, claims)
    identifiers = {identifier(*claim): claim for claim in sorted(claims)}
    standing = rebate_store.load(transaction.connection, identifiers)
    new_rebates = [
        Rebate(rebate, *claim, worth[claim], transaction.now_us, 1)
        for rebate, claim in identifiers.items()
        if rebate not in standing
    ]
    rebate_store.add(transaction, *new_rebates)
    moved = [
        replace(standing[rebate], amount=worth[claim]) for rebate, claim in identifiers.items() if rebate in standing
    ]
    _revise(transaction, [rebate for rebate in moved if rebate.amount != standing[rebate.id].amount])


def _worth(connection: sa.Connection, claims: Iterable[Claim]) -> dict[Claim, Money]:
    """Returns what each claim's applications come to: expected, or paid; a refused application is worth nothing."""
    worth = {claim: Money("CNY", 0) for claim in claims}
    for record in records_store.about(
        connection, "rebate_status", record_versions.c.enterprise, {claim[0] for claim in worth}
    ):
        status = record.message.rebate_status
        claim = claim_of(record, status)
        if claim in worth and status.state != Status.REFUSED:
            is_paid = status.state == Status.PAID
            worth[claim] += money.from_proto(status.paid_amount if is_paid else status.expected_amount)
    return worth


def _revise(transaction: Transaction, moved: Sequence[Rebate]) -> None:
    """Saves changed rebates and lets their booked value follow; a refused rebate that was financed is a breach (I7)."""
    opened = value_store.opened(transaction.connection, (rebate.name for rebate in moved)) if moved else ()
    for rebate in moved:
        saved = rebate_store.save(transaction, rebate)
        if saved.name in opened:
            revaluing.revalue(transaction, assets.as_asset(saved), saved.amount, "REVISED")
