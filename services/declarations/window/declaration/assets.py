"""Declarations as assets: what they are worth to finance, and what it may do with them."""

import datetime
from collections.abc import Iterable, Sequence

import sqlalchemy as sa
from aval.declarations.v1 import declarations_pb2

from chassis.command import Transaction
from chassis.errors import DomainError
from services.declarations.customs import receipts
from services.declarations.privacy.errors import DeclarationNotFound
from services.declarations.register.asset import Asset, Hindrance
from services.declarations.register.encumbrance.model import Application
from services.declarations.register.preshipment import model as preshipment_model
from services.declarations.window.declaration import rpc, store
from services.declarations.window.declaration.model import Declaration
from services.declarations.window.eligibility import hindrances
from trade import names as trade_names


def load(connection: sa.Connection, names: Iterable[str], on: datetime.date) -> dict[str, Asset]:
    """The declarations with these names as assets."""
    found = store.load(connection, [name.removeprefix("declarations/") for name in names]).values()
    hindered = hindrances.of(connection, found, on)
    return {declaration.name: as_asset(declaration, on, hindered.get(declaration.id, ())) for declaration in found}


def as_asset(declaration: Declaration, on: datetime.date, hindered: Sequence[Hindrance] = ()) -> Asset:
    """A declaration as an asset: one that is rejected or deleted is worth nothing any more."""
    verdict, reasons = declaration.verdict(on, hindered)
    effect = receipts.effect_on_value(declaration.status)
    value = declaration.value.zero() if effect == receipts.VOIDS else declaration.value
    return Asset(
        declaration.name,
        declaration.enterprise,
        value,
        verdict,
        tuple(reasons),
        declaration.status,
        order=_order(declaration),
    )


def _order(declaration: Declaration) -> str:
    """Returns the name of the order or credit that a declaration's contract number names, "" where it has none."""
    contract = trade_names.letters_and_digits(declarations_pb2.Declaration.FromString(declaration.body).contract_number)
    return preshipment_model.name_of(declaration.enterprise, contract) if contract else ""


def tell_settled(transaction: Transaction, asset: Asset, _application: Application) -> None:
    """Tells the enterprise `declaration.settled`, with the declaration."""
    number = asset.name.removeprefix("declarations/")
    declaration = store.load(transaction.connection, [number])[number]
    message = rpc.to_proto(declaration, transaction.business_date)
    transaction.append("declaration.settled", asset.name, message, [asset.enterprise])


def not_found(name: str) -> DomainError:
    """Returns the refusal of a declaration that doesn't exist."""
    return DeclarationNotFound(declaration=name)
