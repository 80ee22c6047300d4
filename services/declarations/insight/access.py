"""Who may see what is derived of an enterprise: itself, an institution with its consent, the regulator."""

from typing import Any

from chassis.identity import Caller
from chassis.service import Reading
from services.declarations.consent import store as consents

SEES_ALL = frozenset({"WINDOW", "REGULATOR"})


def is_institution(caller: Caller) -> bool:
    """A bank or an insurer."""
    return caller.tenant.startswith(("banks/", "insurers/"))


def sees_all(caller: Caller) -> bool:
    """The window, the regulator, and the platform's own services."""
    return not SEES_ALL.isdisjoint(caller.roles) or caller.tenant.startswith("services/")


def may_see(reading: Reading, enterprise: str) -> bool:
    """Whether the caller may see what is derived of the enterprise now."""
    caller = reading.caller
    if is_institution(caller):
        return consents.stands(reading.connection, enterprise, caller.tenant, reading.now_us)
    return sees_all(caller) or caller.tenant == enterprise


def restricted(reading: Reading, query: Any, enterprise: Any) -> Any:
    """A query of rows of enterprises (a column) as far as the caller may see them now."""
    caller = reading.caller
    if is_institution(caller):
        return query.where(enterprise.in_(consents.consenting(caller.tenant, reading.now_us)))
    return query if sees_all(caller) else query.where(enterprise == caller.tenant)
