"""What the rooms' reads share: who may see an enterprise's assets, and how much of them is available."""

from collections.abc import Mapping, Sequence
from typing import Any

from chassis.money import Money
from chassis.service import Reading
from services.declarations.consent import store as consents
from services.declarations.consent.access import is_institution, sees_all
from services.declarations.encumbrance.model import available_to
from services.declarations.preshipment import netting
from services.declarations.value import store
from services.declarations.value.model import Asset


def visible(reading: Reading, query: Any, enterprise: Any) -> Any:
    """The query narrowed to the enterprises whose assets the caller may see; `enterprise` is its column."""
    caller = reading.caller
    if is_institution(caller):
        return query.where(enterprise.in_(consents.consenting(caller.tenant, reading.now_us)))
    if sees_all(caller, ""):
        return query
    return query.where(enterprise == caller.tenant)


def available(reading: Reading, assets: Sequence[Asset]) -> Mapping[str, Money]:
    """What the caller could reserve of each asset now."""
    names = [asset.name for asset in assets]
    values = store.of_many(reading.connection, assets, reading.now_us)
    standing = netting.holders_of(reading.connection, names)
    tenant = reading.caller.tenant
    if not is_institution(reading.caller):
        return {name: values[name].free for name in names}
    return {name: available_to(tenant, values[name], standing.get(name, ())) for name in names}
