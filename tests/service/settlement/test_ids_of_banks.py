"""A bank's transfer ids are its own: nobody occupies another's, nor one that a loan or a premium will have."""

import uuid

import pytest
from aval.settlement.v1 import settlement_pb2

from chassis import ids
from ledger import store as ledger_store
from ledger.model import Kind, Transfer
from services.settlement.transfer import rpc
from tests.service.settlement.conftest import BANK, EXPORTER, INSURER, OTHER, World, caller
from tests.service.settlement.test_settlement import account, customer, money, move, read, refused_transfer, transfer
from tests.support import transaction

SYSTEM, RIVAL = caller(BANK, "BANK_SYSTEM"), caller(OTHER, "BANK_SYSTEM")


async def _own_accounts(world: World) -> tuple[str, str]:
    """Two accounts that the rival keeps, the first with money."""
    nostro = await account(world, "NOSTRO", OTHER, by=RIVAL)
    current = await account(world, owner=f"enterprises/{uuid.uuid4().hex[:18].upper()}", by=RIVAL)
    return nostro.name, current.name


async def _occupy(world: World, identifier: str) -> None:
    """The rival uses an id alone, in a batch, and for a hold."""
    debit, credit = await _own_accounts(world)
    await move(world, transfer(debit, credit, 1), identifier, RIVAL)
    row = transfer(debit, credit, 1, transfer_id=identifier)
    request = settlement_pb2.BatchCreateTransfersRequest(transfers=[row])
    (verdict,) = (await world.ask("BatchCreateTransfers", request, RIVAL)).verdicts
    assert verdict.result == "EXISTS"


@pytest.mark.parametrize("code", ["disburse", "fee"])
async def test_a_loan_is_paid_out_whatever_ids_others_used(world: World, code: str) -> None:
    loan = f"loans/loan-{uuid.uuid4().hex[:26]}"
    await _occupy(world, ids.derived(loan, code))
    # Of the lending bank too, and one that the ledger refused.
    debit, credit = await customer(world, 0), await customer(world, 0)
    await refused_transfer(world, transfer(debit.name, credit.name, 5), ids.derived(loan, code), SYSTEM)
    order = settlement_pb2.DisburseRequest(bank=BANK, enterprise=EXPORTER, loan=loan, amount=money(900), fee=money(100))
    assert (await world.order("Disburse", order)).transfer == f"transfers/{ids.derived(loan, 'disburse')}"


async def test_a_premium_is_collected_whatever_ids_others_used(world: World) -> None:
    payer, shipment = await customer(world, 500), f"coveredShipments/{uuid.uuid4()}"
    await _occupy(world, ids.derived(shipment, "premium"))
    order = settlement_pb2.CollectPremiumRequest(
        covered_shipment=shipment, enterprise=payer.owner, insurer=INSURER, amount=money(20)
    )
    assert (await world.order("CollectPremium", order)).transfer == f"transfers/{ids.derived(shipment, 'premium')}"


async def test_two_banks_use_the_same_id(world: World) -> None:
    identifier, debit, credit = str(uuid.uuid4()), await customer(world, 100), await customer(world, 0)
    await _occupy(world, identifier)
    made = await move(world, transfer(debit.name, credit.name, 60, kind="PENDING"), identifier)
    assert await move(world, transfer(debit.name, credit.name, 60, kind="PENDING"), identifier) == made
    # The rival neither ends it nor learns that it is there, by whichever id.
    for name in (identifier, made.transfer_id):
        for kind in ("POST_PENDING", "VOID_PENDING"):
            refused = await refused_transfer(world, settlement_pb2.Transfer(kind=kind, pending_id=name), by=RIVAL)
            expected = "TRANSFER_NOT_PENDING" if name == identifier else "PENDING_NOT_FOUND"
            assert refused.metadata["result"] == expected
    await move(world, settlement_pb2.Transfer(kind="POST_PENDING", pending_id=identifier))
    assert (await read(world, credit.name)).posted.minor_units == 60


@pytest.mark.parametrize("by_answer", [True, False])
async def test_a_bank_names_its_transfer_by_the_id_it_gave_or_the_one_it_was_told(
    world: World, by_answer: bool
) -> None:
    debit, credit, identifier = await customer(world, 100), await customer(world, 0), str(uuid.uuid4())
    made = await move(world, transfer(debit.name, credit.name, 40), identifier)
    listed = await world.ask("ListTransfers", settlement_pb2.ListTransfersRequest(account=credit.name), SYSTEM)
    assert [entry.transfer_id for entry in listed.transfers] == [made.transfer_id]
    undo = settlement_pb2.Transfer(kind="REVERSAL", pending_id=made.transfer_id if by_answer else identifier)
    await move(world, undo)
    assert (await read(world, credit.name)).posted.minor_units == 0
    again = await refused_transfer(world, undo)
    assert again.metadata["result"] == "ALREADY_REVERSED"


async def test_a_hold_and_its_end_in_one_batch(world: World) -> None:
    debit, credit = await customer(world, 100), await customer(world, 0)
    hold, end = str(uuid.uuid4()), str(uuid.uuid4())
    rows = [
        transfer(debit.name, credit.name, 70, transfer_id=hold, kind="PENDING"),
        settlement_pb2.Transfer(transfer_id=end, kind="POST_PENDING", pending_id=hold.upper()),
    ]
    request = settlement_pb2.BatchCreateTransfersRequest(transfers=rows)
    for expected in ("OK", "EXISTS"):
        request.request_id = ""
        answer = await world.ask("BatchCreateTransfers", request, SYSTEM)
        assert [verdict.result for verdict in answer.verdicts] == [expected, expected]
    assert (await read(world, credit.name)).posted.minor_units == 70


async def test_what_stands_from_before_is_repeated_and_ended_by_its_very_id(world: World) -> None:
    debit, credit = await customer(world, 100), await customer(world, 0)
    sent, held = str(uuid.uuid4()), str(uuid.uuid4())
    with world.node.store.write() as connection:
        sides = (debit.name.removeprefix("accounts/"), credit.name.removeprefix("accounts/"))
        before = [
            Transfer(sent, *sides, 10, code=rpc.CODE),
            Transfer(held, *sides, 30, Kind.PENDING, code=rpc.CODE),
        ]
        assert [verdict.result.stands for verdict in ledger_store.apply(transaction(connection, 1), before)] == [
            True,
            True,
        ]
    repeated = await move(world, transfer(debit.name, credit.name, 10), sent)
    assert repeated.transfer_id == sent
    assert (await refused_transfer(world, transfer(debit.name, credit.name, 11), sent)).reason == "REQUEST_ID_REUSED"
    await move(world, settlement_pb2.Transfer(kind="POST_PENDING", pending_id=held))
    assert (await read(world, credit.name)).posted.minor_units == 40
    # Another bank's id of the same kind is that bank's own, as ever.
    await _occupy(world, sent)
