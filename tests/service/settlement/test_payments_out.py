"""Payments out that don't go out: withdrawn, rejected, ended by themselves, or refused; the money is free again."""

import asyncio
import re
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from aval.settlement.v1 import settlement_pb2
from aval.type.v1 import money_pb2

from chassis.identity import Caller
from ledger import tables as ledger_tables
from services.settlement.tables import outgoing_payments

BANK, OTHER = "banks/LMHFCNB0", "banks/YUHECNB0"
PATIENCE_SECONDS = 20
OutgoingPayment = settlement_pb2.OutgoingPayment


def caller(tenant: str, role: str) -> Caller:
    return Caller(f"{tenant}/{role.lower()}", tenant, frozenset({role}), second_factor=True)


CHECKER, MAKER, SYSTEM = (caller(BANK, role) for role in ("BANK_CHECKER", "BANK_MAKER", "BANK_SYSTEM"))


def money(units: int) -> money_pb2.Money:
    return money_pb2.Money(currency_code="USD", minor_units=units)


async def opened(world: Any, owner: str, kind: str = "CURRENT") -> settlement_pb2.Account:
    asked = settlement_pb2.Account(owner=owner, currency_code="USD", kind=kind)
    found: settlement_pb2.Account = await world.ask(
        "OpenAccount", settlement_pb2.OpenAccountRequest(account=asked), SYSTEM
    )
    return found


async def seller(world: Any, units: int = 1000) -> tuple[settlement_pb2.Account, Caller]:
    """A fresh exporter with money on an account."""
    owner = f"enterprises/{uuid.uuid4().hex[:18].upper()}"
    nostro, current = await opened(world, BANK, "NOSTRO"), await opened(world, owner)
    transfer = settlement_pb2.Transfer(debit_account=nostro.name, credit_account=current.name, amount=money(units))
    await world.ask("CreateTransfer", settlement_pb2.CreateTransferRequest(transfer=transfer), SYSTEM)
    return current, caller(owner, "EXPORTER")


def asked(account: settlement_pb2.Account, **changes: Any) -> settlement_pb2.CreateOutgoingPaymentRequest:
    fields: dict[str, Any] = {
        "debit_account": account.name,
        "amount": money(800),
        "creditor_name": "Mill",
        "creditor_account": "DE02120300000000202051",
        "creditor_agent_bic": "BYLADEM1001",
        "creditor_town": "Berlin",
        "creditor_country": "DE",
        "remittance_information": "Yarn",
    }
    return settlement_pb2.CreateOutgoingPaymentRequest(payment=OutgoingPayment(**(fields | changes)))


async def available(world: Any, account: settlement_pb2.Account) -> int:
    read = settlement_pb2.GetAccountRequest(name=account.name)
    return int((await world.ask("GetAccount", read, SYSTEM)).available.minor_units)


def state(payment: OutgoingPayment) -> str:
    return OutgoingPayment.State.Name(payment.state)


async def listed(world: Any, name: str, by: Caller) -> OutgoingPayment:
    page = await world.ask("ListOutgoingPayments", settlement_pb2.ListOutgoingPaymentsRequest(page_size=500), by)
    found: OutgoingPayment = next(payment for payment in page.outgoing_payments if payment.name == name)
    return found


async def test_the_exporter_withdraws(world: Any) -> None:
    account, by = await seller(world)
    prepared = await world.ask("CreateOutgoingPayment", asked(account), by)
    withdraw = settlement_pb2.WithdrawOutgoingPaymentRequest(name=prepared.name, etag=prepared.etag)
    stranger = caller("enterprises/91410105MAXY002277", "EXPORTER")
    assert (await world.refused("WithdrawOutgoingPayment", withdraw, stranger)).reason == "NOT_FOUND"
    withdraw.request_id = ""
    assert (await world.refused("WithdrawOutgoingPayment", withdraw, CHECKER)).reason == "ACCESS_DENIED"
    withdraw.request_id = str(uuid.uuid4())
    ended = await world.ask("WithdrawOutgoingPayment", withdraw, by)
    assert (state(ended), ended.message) == ("WITHDRAWN", b"")
    assert await world.ask("WithdrawOutgoingPayment", withdraw, by) == ended
    assert await available(world, account) == 1000
    approve = settlement_pb2.ApproveOutgoingPaymentRequest(name=prepared.name)
    assert (await world.refused("ApproveOutgoingPayment", approve, CHECKER)).reason == "WRONG_STATE"
    assert world.violations() == []


@pytest.mark.parametrize("role", ["BANK_MAKER", "BANK_CHECKER"])
async def test_the_bank_rejects_and_says_why(world: Any, role: str) -> None:
    account, by = await seller(world)
    prepared = await world.ask("CreateOutgoingPayment", asked(account), by)
    reject = settlement_pb2.RejectOutgoingPaymentRequest(name=prepared.name, reason="The contract is missing.")
    foreign = caller(OTHER, role)
    assert (await world.refused("RejectOutgoingPayment", reject, foreign)).reason == "NOT_FOUND"
    reject.request_id, reject.etag = "", "99"
    assert (await world.refused("RejectOutgoingPayment", reject, caller(BANK, role))).reason == "ETAG_MISMATCH"
    reject.request_id, reject.etag = "", prepared.etag
    ended = await world.ask("RejectOutgoingPayment", reject, caller(BANK, role))
    assert (state(ended), ended.reason) == ("REJECTED", "The contract is missing.")
    assert (await listed(world, prepared.name, by)).reason == "The contract is missing."
    assert await available(world, account) == 1000
    withdraw = settlement_pb2.WithdrawOutgoingPaymentRequest(name=prepared.name)
    assert (await world.refused("WithdrawOutgoingPayment", withdraw, by)).reason == "WRONG_STATE"


async def test_a_rejection_needs_a_reason(world: Any) -> None:
    account, by = await seller(world)
    prepared = await world.ask("CreateOutgoingPayment", asked(account), by)
    reject = settlement_pb2.RejectOutgoingPaymentRequest(name=prepared.name)
    refusal = await world.refused("RejectOutgoingPayment", reject, CHECKER)
    assert [problem.path for problem in refusal.problems] == ["reason"]


async def test_what_is_sent_neither_withdraws_nor_is_rejected(world: Any) -> None:
    account, by = await seller(world)
    prepared = await world.ask("CreateOutgoingPayment", asked(account), by)
    sent = await world.ask("ApproveOutgoingPayment", settlement_pb2.ApproveOutgoingPaymentRequest(name=prepared.name),
                           CHECKER)  # fmt: skip
    created = datetime.fromisoformat(re.search(rb"<CreDtTm>(.*?)</CreDtTm>", sent.message)[1].decode())  # type: ignore[index]
    assert abs(datetime.now(UTC) - created) < timedelta(minutes=1)
    withdraw = settlement_pb2.WithdrawOutgoingPaymentRequest(name=prepared.name)
    assert (await world.refused("WithdrawOutgoingPayment", withdraw, by)).reason == "WRONG_STATE"
    reject = settlement_pb2.RejectOutgoingPaymentRequest(name=prepared.name, reason="late")
    assert (await world.refused("RejectOutgoingPayment", reject, CHECKER)).reason == "WRONG_STATE"
    assert await available(world, account) == 200


def change(world: Any, table: sa.Table, identifier: str, **values: Any) -> None:
    """A row changed by hand."""
    with world.node.store.write() as connection:
        connection.execute(sa.update(table).where(table.c.id == identifier).values(values))


async def ended_by_itself(world: Any, name: str) -> OutgoingPayment:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while state(payment := await listed(world, name, CHECKER)) == "PENDING_APPROVAL":
            await asyncio.sleep(0.1)
    return payment


async def test_what_nobody_decides_on_ends_by_itself(world: Any) -> None:
    account, by = await seller(world)
    prepared = await world.ask("CreateOutgoingPayment", asked(account), by)
    assert prepared.expire_time.ToDatetime() - prepared.create_time.ToDatetime() == timedelta(days=7)
    identifier = prepared.name.removeprefix("outgoingPayments/")
    change(world, outgoing_payments, identifier, expire_us=prepared.create_time.ToMicroseconds() + 1)
    approve = settlement_pb2.ApproveOutgoingPaymentRequest(name=prepared.name)
    refusal = await world.refused("ApproveOutgoingPayment", approve, CHECKER)
    assert refusal.reason in ("OUTGOING_PAYMENT_OVER", "WRONG_STATE")
    assert state(await ended_by_itself(world, prepared.name)) == "EXPIRED"
    assert await available(world, account) == 1000
    assert world.violations() == []


@pytest.mark.parametrize(
    ("changes", "field", "reason"),
    [
        ({"creditor_name": "AC\x01ME"}, "payment.creditor_name", "CHARACTERS_NOT_TAKEN"),
        ({"remittance_information": "Invoice\ufffe 7"}, "payment.remittance_information", "CHARACTERS_NOT_TAKEN"),
        ({"creditor_town": "\x1fAtlanta"}, "payment.creditor_town", "CHARACTERS_NOT_TAKEN"),
        ({"creditor_account": "1\x7f2"}, "payment.creditor_account", "CHARACTERS_NOT_TAKEN"),
        ({"creditor_country": "ZZ"}, "payment.creditor_country", "COUNTRY_UNKNOWN"),
        ({"creditor_account": "DE03120300000000202051"}, "payment.creditor_account", "IBAN_INVALID"),
    ],
)
async def test_what_can_not_be_sent_is_not_prepared(
    world: Any, changes: dict[str, str], field: str, reason: str
) -> None:
    account, by = await seller(world)
    refusal = await world.refused("CreateOutgoingPayment", asked(account, **changes), by)
    assert refusal.reason == "INVALID_FIELDS"
    assert [(problem.path, problem.reason) for problem in refusal.problems] == [(field, reason)]
    assert await available(world, account) == 1000


async def test_what_was_prepared_when_fewer_rules_counted_is_refused_plainly(world: Any) -> None:
    account, by = await seller(world)
    prepared = await world.ask("CreateOutgoingPayment", asked(account), by)
    change(world, outgoing_payments, prepared.name.removeprefix("outgoingPayments/"), creditor_name="AC\x01ME")
    approve = settlement_pb2.ApproveOutgoingPaymentRequest(name=prepared.name)
    refusal = await world.refused("ApproveOutgoingPayment", approve, CHECKER)
    assert [problem.path for problem in refusal.problems] == ["payment.creditor_name"]
    reject = settlement_pb2.RejectOutgoingPaymentRequest(name=prepared.name, reason="Its name can't be sent.")
    assert state(await world.ask("RejectOutgoingPayment", reject, CHECKER)) == "REJECTED"
    assert await available(world, account) == 1000


async def test_verify_names_a_payment_that_outlived_its_limit(world: Any) -> None:
    """M4: a payment that is prepared longer than its limit is named."""
    account, by = await seller(world)
    prepared = await world.ask("CreateOutgoingPayment", asked(account), by)
    identifier = prepared.name.removeprefix("outgoingPayments/")
    # As if the sweep had never seen it: another state while the limit moves.
    change(world, outgoing_payments, identifier, expire_us=1, state="SENT")
    found = world.violations()
    assert f"{prepared.name} is SENT: its hold is open, not posted" in found
    with world.node.store.write() as connection:
        connection.execute(sa.update(outgoing_payments).where(outgoing_payments.c.id == identifier)
                           .values(state="PENDING_APPROVAL"))  # fmt: skip
        planted = list(world.violations_of(connection))
        connection.execute(sa.update(outgoing_payments).where(outgoing_payments.c.id == identifier)
                           .values(expire_us=prepared.expire_time.ToMicroseconds()))  # fmt: skip
    assert planted == [f"{prepared.name} is prepared longer than its limit"]
    assert world.violations() == []


async def test_verify_names_a_payment_whose_hold_is_gone(world: Any) -> None:
    """M4: a payment that waits for approval without an open hold is named."""
    account, by = await seller(world)
    prepared = await world.ask("CreateOutgoingPayment", asked(account), by)
    with world.node.store.write() as connection:
        row = ledger_tables.transfers
        query = sa.select(row.c.id).where(row.c.reference == prepared.name)
        hold = connection.execute(query).scalar()
    change(world, ledger_tables.holds, hold, state="voided")
    assert f"{prepared.name} is PENDING_APPROVAL: its hold is voided, not open" in world.violations()
    change(world, ledger_tables.holds, hold, state="open")
    assert world.violations() == []
