"""The breaches that stand on declarations, as the register tells them: the only SQL of this room."""

from collections.abc import Sequence

import sqlalchemy as sa

from chassis import records
from services.loans import errors
from services.loans.tables import breaches
from trade.breach import Breach


def note(connection: sa.Connection, breach: Breach) -> None:
    """Keeps a breach, the whole of it, while it stands."""
    connection.execute(sa.delete(breaches).where(breaches.c.name == breach.name))
    if breach.is_open:
        records.insert(connection, breaches, breach)


def check_none(connection: sa.Connection, declarations: Sequence[str]) -> None:
    """Raises DeclarationBreached, with all of the declarations that a breach stands on."""
    query = sa.select(breaches.c.asset).where(breaches.c.asset.in_(declarations)).distinct().order_by(breaches.c.asset)
    if breached := connection.execute(query).scalars().all():
        raise errors.DeclarationBreached(declarations=", ".join(breached))
