"""Proves that sales out of a warehouse are worth no more than their declaration."""

import sqlalchemy as sa

from services.declarations.register.sale.model import WAREHOUSE_MODE
from services.declarations.register.sale.store import warehouse_sales
from services.declarations.window.declaration.store import declarations


def violations(connection: sa.Connection) -> list[str]:
    """Proves W1: the sales of a declaration are worth no more than was declared, and nothing in another mode."""
    rows, total = warehouse_sales, sa.func.sum(warehouse_sales.c.value_minor_units)
    of = declarations.c.id == rows.c.declaration
    most = sa.case((declarations.c.trade_mode == WAREHOUSE_MODE, declarations.c.value_minor_units), else_=0)
    query = sa.select(rows.c.declaration, total, most).join(declarations, of)
    query = query.group_by(rows.c.declaration, declarations.c.trade_mode, declarations.c.value_minor_units)
    return [
        f"W1: declarations/{number}: its sales are worth {sold} minor units of {declared}"
        for number, sold, declared in connection.execute(query.having(total > most))
    ]
