"""Freezes an asset by a cause that is no breach."""

from chassis.command import Transaction
from services.declarations.register.asset import Asset
from services.declarations.register.breach import lifecycle as breach_lifecycle
from services.declarations.register.encumbrance import store as encumbrance_store


def set_frozen(transaction: Transaction, asset: Asset, cause: str, is_frozen: bool) -> None:
    """Freezes an asset by a cause, or takes that cause away, and tells its holders.

    No new encumbrance may stand on the asset while there is a cause.
    """
    standing = encumbrance_store.standing_on(transaction.connection, [asset.name]).get(asset.name, [])
    parties = {asset.name: [asset.enterprise, *(encumbrance.holder for encumbrance in standing)]}
    act = breach_lifecycle.freeze if is_frozen else breach_lifecycle.unfreeze
    act(transaction, {asset.name: cause}, parties)
