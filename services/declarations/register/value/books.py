"""The value accounts of some assets, locked, changed in steps that are each decided on the last."""

from collections.abc import Iterable, Sequence
from decimal import Decimal

from chassis.command import Transaction
from chassis.records import Conflict
from ledger import store as ledger_store
from ledger.model import Account, Transfer, chained
from services.declarations.register import asset as register_asset
from services.declarations.register import terms as register_terms
from services.declarations.register.value import model
from services.declarations.register.value.model import Move, Part, Value, part_id, value_of


class Books:
    """A block of the ledger over these assets' accounts, which are open."""

    def __init__(self, transaction: Transaction, assets: Iterable[str], candidates: Sequence[Transfer] = ()) -> None:
        """Locks the accounts. `candidates` are further transfers that may be attempted, say those that end holds."""
        self._transaction = transaction
        self.assets = tuple(dict.fromkeys(assets))
        touched = [self._naming(asset, part) for asset in self.assets for part in Part if part is not Part.DECLARED]
        self._sitting = ledger_store.Sitting(transaction, [*touched, *candidates])

    def _naming(self, asset: str, part: Part) -> Transfer:
        """Returns a transfer that is never made: it lets the ledger lock the part's account."""
        return Transfer(part_id(asset, part), part_id(asset, part), part_id(asset, Part.DECLARED))

    def account(self, asset: str, part: Part) -> Account:
        """Returns a part's account as the steps so far have left it."""
        return self._sitting.account(part_id(asset, part))

    def value(self, asset: str) -> Value:
        """Returns the asset's value as the steps so far have left it."""
        return value_of({part_id(asset, part): self.account(asset, part) for part in Part}, asset)

    def cap(self, asset: str) -> Decimal:
        """Returns the largest part of it that may be financed today."""
        return register_terms.advance_cap(register_asset.collection(asset), self._transaction.business_date)

    def move(self, asset: str, moves: Sequence[Move], code: str, reference: str = "") -> None:
        """Makes moves of one asset, all of them."""
        ids = self._transaction.ids
        self.attempt([model.transfer(str(ids.uuid7()), asset, move, code, reference) for move in moves])

    def attempt(self, transfers: Sequence[Transfer]) -> None:
        """Makes transfers that were decided on what is locked. Raises Conflict if another changed it meanwhile."""
        for result in self._sitting.attempt(chained(transfers)):
            if not result.stands:
                raise Conflict(f"value accounts: {result.value}")

    def restore_margins(self) -> None:
        """Brings the margins to what the caps ask, where free value allows, after an encumbrance gave way."""
        for asset in self.assets:
            self.move(asset, model.margin_restored(self.value(asset), self.cap(asset)), "margin")

    def write(self) -> None:
        """Writes the steps as one block, if there were any."""
        if self._sitting.attempted:
            self._sitting.write()
