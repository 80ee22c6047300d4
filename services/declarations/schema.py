"""The metadata that the tables of all rooms belong to: each table stands beside its store."""

import sqlalchemy as sa

metadata = sa.MetaData()


# retail: lists, summaries, sales; pools.
def orphans_index(table: str) -> sa.Index:
    """Returns the index of a table's documents of merchants that are no enterprise: it holds no others."""
    condition = sa.text("enterprise = ''")
    return sa.Index(f"{table}_orphans", "merchant_code", postgresql_where=condition, sqlite_where=condition)
