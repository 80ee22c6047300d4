"""Pages of what is an enterprise's: its own, what it consents to, all for the window and the services."""

from typing import Any

import sqlalchemy as sa

from chassis.service import Reading
from services.declarations.consent import access
from services.declarations.consent import store as consents

# Whose a resource is whose merchant isn't known as an enterprise: nobody's, but the window sees it.
NOBODY = "enterprises/-"


def among_seen(reading: Reading, enterprise: sa.ColumnElement[Any]) -> sa.ColumnElement[bool]:
    """The condition on a column of enterprises that the caller may see the row."""
    caller = reading.caller
    if access.sees_all(caller, NOBODY):
        return sa.true()
    if access.is_institution(caller):
        return enterprise.in_(consents.consenting(caller.tenant, reading.now_us))
    return enterprise == caller.tenant
