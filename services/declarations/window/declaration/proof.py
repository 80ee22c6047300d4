"""Proof that declarations without value take of no permit."""

import sqlalchemy as sa

from services.declarations.customs import receipts
from services.declarations.window.declaration.store import declarations
from services.declarations.window.eligibility.store import counting, permit_uses


def void_uses(connection: sa.Connection) -> list[str]:
    """Lists void declarations that take of permits or wait for them."""
    uses, declared = permit_uses.c, declarations.c
    query = sa.select(uses.declaration, declared.status).distinct().join(declarations, declared.id == uses.declaration)
    query = query.where(counting(None), declared.status.in_(receipts.void_statuses()))
    return [f"declarations/{row.declaration}: {row.status}, and takes of permits" for row in connection.execute(query)]
