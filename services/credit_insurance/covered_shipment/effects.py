"""The effects of a covered shipment's states on its exposure in the ledger."""

from collections.abc import Mapping

from chassis.command import Transaction
from chassis.states import Effect
from ledger import store as ledger_store
from ledger.model import Kind
from services.credit_insurance.cover_hold import model as cover_hold_model
from services.credit_insurance.covered_shipment import model, rules
from services.credit_insurance.covered_shipment.model import CoveredShipment, State
from trade.derivations import store as derivation_store
from trade.derivations.model import Derivation
from trade.derivations.store import Entry


def hold_exposure(transaction: Transaction, asked: CoveredShipment) -> tuple[CoveredShipment, Derivation]:
    """Holds as much of the invoice as both lines have left; returns the shipment so far covered, and how that amount
    came about.

    Nothing is held where nothing is left.
    """
    ledger_store.open_accounts(transaction.connection, model.exposure_accounts(asked))
    sitting = ledger_store.Sitting(transaction, model.hold_transfers(asked))
    lines = [sitting.account(line) for line in model.lines_of(asked)]
    covered = rules.covered_amount(asked, *lines)
    shipment = model.with_covered_amount(asked, covered.money)
    if covered.money:
        results = sitting.attempt(model.hold_transfers(shipment))
        assert all(result.stands for result in results), results
        sitting.write()
    return shipment, covered


def begin(transaction: Transaction, shipment: CoveredShipment) -> None:
    """Books the exposure that was held, and the insured part of it, which lenders may hold from now on."""
    ledger_store.open_accounts(transaction.connection, cover_hold_model.accounts(shipment))
    insured = Entry(shipment.name, rules.INSURED_AMOUNT, rules.insured_amount(shipment))
    derivation_store.put(transaction, rules.RULES, [insured])
    booked = model.closing_transfers(shipment, Kind.POST)
    ledger_store.post(transaction, *booked, *cover_hold_model.opening_transfers(shipment))


def give_up(transaction: Transaction, shipment: CoveredShipment) -> None:
    """Gives back the exposure that was held."""
    ledger_store.post(transaction, *model.closing_transfers(shipment, Kind.VOID))


ENTERING: Mapping[State, Effect[CoveredShipment]] = {State.COVERED: begin, State.REFUSED: give_up}
