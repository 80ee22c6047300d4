"""Who may see what is an enterprise's: itself, whom it consents to, the window, the services."""

from typing import Any

import sqlalchemy as sa

from chassis.service import Reading
from services.declarations.consent import store as consents

SEES_ALL = "WINDOW"


def is_institution(tenant: str) -> bool:
    """Whether the tenant is a bank or an insurer: it sees what it was let see."""
    return tenant.startswith(("banks/", "insurers/"))


def _sees_all(reading: Reading) -> bool:
    return SEES_ALL in reading.caller.roles or reading.caller.tenant.startswith("services/")


def sees(reading: Reading, enterprise: str) -> bool:
    """Whether the caller may see what is this enterprise's."""
    if _sees_all(reading) or (enterprise and reading.caller.tenant == enterprise):
        return True
    return consents.stands(reading.connection, enterprise, reading.caller.tenant, reading.now_us)


def among_seen(reading: Reading, enterprise: sa.ColumnElement[Any]) -> sa.ColumnElement[bool]:
    """The condition on a column of enterprises that the caller may see the row."""
    if _sees_all(reading):
        return sa.true()
    if is_institution(reading.caller.tenant):
        return enterprise.in_(consents.consenting(reading.caller.tenant, reading.now_us))
    return enterprise == reading.caller.tenant
