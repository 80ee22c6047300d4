"""Merchants as enterprises of the platform."""

from collections.abc import Collection

import sqlalchemy as sa

from services.declarations.checks import is_social_credit_code


def enterprise_of(connection: sa.Connection, codes: Collection[str]) -> dict[str, str]:  # noqa: ARG001 the registry maps the rest
    """enterprises/{social credit code} of those merchant codes (ebcCode) that are one's.

    A code of 18 characters is a social credit code itself; the 10 of a customs code are the registry's to map.
    """
    return {code: f"enterprises/{code}" for code in codes if is_social_credit_code(code)}
