"""The part of an enterprise's assets that a caller could reserve: shared by the rooms' reads."""

from collections.abc import Mapping, Sequence

from chassis.money import Money
from chassis.service import Reading
from services.declarations.privacy.consent.access import is_institution
from services.declarations.register.asset import Asset
from services.declarations.register.encumbrance.model import available_to
from services.declarations.register.preshipment import netting
from services.declarations.register.value import store as value_store


def available(reading: Reading, assets: Sequence[Asset]) -> Mapping[str, Money]:
    """Returns how much of each asset the caller could reserve now, by name."""
    names = [asset.name for asset in assets]
    values = value_store.of_many(reading.connection, assets, reading.business_date)
    standing = netting.holders_of(reading.connection, names)
    tenant = reading.caller.tenant
    if not is_institution(reading.caller):
        return {name: values[name].free for name in names}
    return {name: available_to(tenant, values[name], standing.get(name, ())) for name in names}
