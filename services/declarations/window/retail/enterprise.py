"""Merchants as enterprises of the platform."""

from collections.abc import Collection

import sqlalchemy as sa

from services.declarations.window.records import enterprises
from trade.identifiers import is_social_credit_code


def enterprise_of(connection: sa.Connection, codes: Collection[str]) -> dict[str, str]:
    """Returns enterprises/{social credit code} of those merchant codes (ebcCode) that belong to enterprises.

    A code of 18 characters is a social credit code itself; the registry has the enterprise of any other customs code.
    """
    own = {code: f"enterprises/{code}" for code in codes if is_social_credit_code(code)}
    return own | enterprises.enterprise_of(connection, [code for code in codes if code not in own])
