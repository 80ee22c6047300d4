"""The prices' counts and the norms: the only SQL of this room."""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal

import sqlalchemy as sa

from chassis import bulk, records
from chassis.records import TEXT
from services.declarations.insight.norms.model import LEVELS, Commodity, Counts, Norm, norm_id
from services.declarations.schema import metadata
from services.declarations.window.reference.store import reference_records

# The counts of declared unit prices: 32-bit, little-endian, of the buckets from the first on.
price_counts = sa.Table(
    "price_counts",
    metadata,
    sa.Column("commodity_code", TEXT, primary_key=True),
    sa.Column("unit", TEXT, primary_key=True),
    sa.Column("currency", TEXT, primary_key=True),
    sa.Column("first_bucket", sa.BigInteger, nullable=False),
    sa.Column("counts", records.BYTES, nullable=False),
    # Bits that stand for sellers: at least so many there are.
    sa.Column("sellers", sa.BigInteger, nullable=False),
)

# Norms of unit prices by HS code of 10, 8 or 6 digits, unit and currency, as last published.
price_norms = records.table("price_norms", Norm, metadata)

# One row: the commodity code up to which norms were last looked at, and when.
norm_progress = sa.Table(
    "norm_progress",
    metadata,
    sa.Column("id", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("commodity_code", TEXT, nullable=False),
    sa.Column("run_us", sa.BigInteger, nullable=False),
)

Observed = Mapping[Commodity, Sequence[tuple[int, int]]]


def observe(connection: sa.Connection, observed: Observed, sellers: Mapping[Commodity, int]) -> None:
    """Adds observations by bucket to the counts of commodities, and the bits of their sellers."""
    standing = _counts(connection, {code for code, _, _ in observed})
    rows = []
    for commodity, buckets in observed.items():
        counts = standing.get(commodity) or Counts()
        for bucket, count in buckets:
            counts.add(bucket, count)
        counts.sellers |= sellers.get(commodity, 0)
        rows.append((*commodity, counts.first, counts.values.tobytes(), counts.sellers))
    bulk.add(connection, price_counts, rows, (), ["first_bucket", "counts", "sellers"])


def _counts(connection: sa.Connection, codes: Iterable[str]) -> dict[Commodity, Counts]:
    query = sa.select(price_counts).where(bulk.among(connection, price_counts.c.commodity_code, codes))
    return {(row[0], row[1], row[2]): Counts(*row[3:]) for row in connection.execute(query).all()}


def after(connection: sa.Connection, code: str, count: int) -> list[tuple[Commodity, Counts]]:
    """Returns the counts of the next commodities behind a code, with all of the last one's HS heading (6 digits)."""
    codes = price_counts.c.commodity_code
    reach = sa.select(codes).where(codes > code).order_by(codes).limit(count)
    last = connection.execute(reach.offset(count - 1).limit(1)).scalar_one_or_none()
    query = sa.select(price_counts).where(codes > code).order_by(codes)
    if last is not None:
        # A colon follows the digits.
        query = query.where(codes < f"{last[: LEVELS[-1]]}:")
    return [((row[0], row[1], row[2]), Counts(*row[3:])) for row in connection.execute(query).all()]


def norms(connection: sa.Connection, ids: Iterable[str]) -> dict[str, Norm]:
    """Returns norms by their keys, those that were published."""
    query = sa.select(price_norms).where(bulk.among(connection, price_norms.c.id, ids))
    return {row.id: Norm(*row) for row in connection.execute(query).all()}


def references(
    connection: sa.Connection, after_us: int, after_id: str, until_us: int, count: int
) -> list[tuple[str, str, int, Decimal, int, str]]:
    """Returns the next reference records by arrival: code, currency, minor units, kilograms, arrival, id."""
    rows = reference_records
    place = (rows.c.create_us, rows.c.id)
    columns = (rows.c.commodity_code, rows.c.value_currency, rows.c.value_minor_units, rows.c.weight_kilograms)
    query = sa.select(*columns, *place).order_by(*place).limit(count)
    within = sa.and_(sa.tuple_(*place) > sa.tuple_(after_us, after_id), rows.c.create_us <= until_us)
    rows_in_order = connection.execute(query.where(within)).all()
    return [
        (code, currency, units, Decimal(weight or 0), us, name)
        for code, currency, units, weight, us, name in rows_in_order
    ]


def narrowest(connection: sa.Connection, commodities: Iterable[Commodity]) -> dict[Commodity, Norm]:
    """Returns the norm of each commodity: of its own code, or the next wider one that was published."""
    by_commodity: dict[Commodity, Norm] = {}
    left = list(commodities)
    for digits in LEVELS:
        ids = {commodity: norm_id(commodity[0][:digits], commodity[1], commodity[2]) for commodity in left}
        published = norms(connection, set(ids.values())) if ids else {}
        by_commodity |= {commodity: published[key] for commodity, key in ids.items() if key in published}
        left = [commodity for commodity in left if commodity not in by_commodity]
    return by_commodity


def publish(connection: sa.Connection, published: Sequence[Norm]) -> None:
    """Stores norms as they are from now on."""
    rows = [tuple(records.to_row(norm).values()) for norm in published]
    bulk.add(connection, price_norms, rows, (), ["observations", "lower", "median", "upper", "version", "publish_us"])


def progress(connection: sa.Connection) -> tuple[str, int]:
    """Returns the code up to which norms were looked at, and when; the beginning where they never were."""
    row = connection.execute(sa.select(norm_progress.c.commodity_code, norm_progress.c.run_us)).first()
    return ("", 0) if row is None else (row.commodity_code, row.run_us)


def proceed(connection: sa.Connection, code: str, now_us: int) -> None:
    """Notes the code up to which norms were looked at; empty: begin anew."""
    bulk.add(connection, norm_progress, [(1, code, now_us)], (), ["commodity_code", "run_us"])
