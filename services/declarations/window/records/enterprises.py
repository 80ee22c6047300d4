"""The enterprise registry: finds the enterprise of a customs code."""

from collections.abc import Iterable

import sqlalchemy as sa

from services.declarations.window.records import store
from services.declarations.window.records.kinds import customs_code

SUBJECT = customs_code("")


def enterprise_of(connection: sa.Connection, customs_codes: Iterable[str]) -> dict[str, str]:
    """Returns enterprises/{social credit code} by customs registration code (10 characters), of the registered codes.

    Where a code was given out anew, the registration noticed last counts.
    """
    subjects = [customs_code(code) for code in customs_codes]
    registrations = store.with_subjects(connection, "enterprise_registration", subjects) if subjects else {}
    return {subject.removeprefix(SUBJECT): records[-1].enterprise for subject, records in registrations.items()}
