"""Payments of several declarations.

A standing payment becomes one of a single part. What it collects is known by encumbrance from now on: a loan's own,
whose id follows from the loan's name.
"""

import json
import uuid
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "settlement_0004"
down_revision = "settlement_0003"
branch_labels = None
depends_on = None

TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
# How ids were derived when this was written.
NAMESPACE = uuid.UUID("6f1d6f0e-3a55-5d0c-9f0b-6176616c0001")
UNDIVIDED = {"RECEIVED", "UNMATCHED"}

payments = sa.table(
    "incoming_payments",
    *(sa.column(name) for name in ("id", "state", "declaration", "is_applied", "collections", "parts")),
    sa.column("amount_currency"),
    sa.column("amount_minor_units"),
)


def upgrade() -> None:
    """Applies it."""
    op.add_column("incoming_payments", sa.Column("parts", TEXT, nullable=False, server_default="[]"))
    op.add_column("incoming_payments", sa.Column("resolution", TEXT, nullable=True))
    connection = op.get_bind()
    for row in connection.execute(sa.select(payments)).mappings().all():
        values = {"parts": _json(_parts(row)), "collections": _json(_collections(row))}
        connection.execute(sa.update(payments).where(payments.c.id == row["id"]).values(values))
    op.drop_column("incoming_payments", "is_applied")
    op.drop_column("incoming_payments", "declaration")


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _derived(*parts: str) -> str:
    return str(uuid.uuid5(NAMESPACE, "/".join(parts)))


def _parts(row: Any) -> list[dict[str, Any]]:
    if not row["declaration"]:
        return []
    amount = [row["amount_currency"], row["amount_minor_units"]]
    is_divided = bool(row["is_applied"]) or row["state"] not in UNDIVIDED
    return [
        {
            "declaration": row["declaration"],
            "owed": amount if row["state"] not in UNDIVIDED else None,
            "amount": amount if is_divided else None,
            "is_applied": bool(row["is_applied"]),
            "is_released": row["state"] == "COMPLETED",
        }
    ]


def _collections(row: Any) -> list[dict[str, Any]]:
    return [_collection(row, old) for old in json.loads(row["collections"])]


def _collection(row: Any, old: dict[str, Any]) -> dict[str, Any]:
    encumbrance = f"encumbrances/{_derived(old['loan'], 'encumbrance')}"
    declaration = row["declaration"]
    return {
        "encumbrance": encumbrance,
        "loan": old["loan"],
        "bank": old["bank"],
        "reference": _derived(f"incomingPayments/{row['id']}", encumbrance, "reference"),
        "repayment_id": old["repayment_id"],
        "assets": [{"declaration": declaration, "asset": declaration, "amount": old["settled"]}],
        "settled_total": old["settled"],
        "amount": old["amount"],
        "interest": old["interest"],
        "unsecured": None,
        "refusal": old["refusal"],
        "is_confirmed": old["is_confirmed"],
        "is_restored": False,
    }
