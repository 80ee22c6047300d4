"""Decides who sees an enterprise's derived data: itself, an institution with consent to judge risk, the regulator."""

from collections.abc import Sequence
from typing import Any

from chassis.identity import Caller
from chassis.service import Reading
from services.declarations.privacy import callers
from services.declarations.privacy import errors as privacy_errors
from services.declarations.privacy.consent import access
from services.declarations.privacy.consent import store as consent_store
from services.declarations.privacy.consent.access import PendingDisclosure
from services.declarations.privacy.consent.model import Purpose

REGULATOR = "REGULATOR"
PURPOSE = Purpose.RISK_ASSESSMENT


def sees_all(caller: Caller) -> bool:
    """Tells whether the caller is the window, the regulator, or one of the platform's own services."""
    return callers.is_platform(caller) or REGULATOR in caller.roles


def see(reading: Reading, enterprise: str, method: str, resources: Sequence[str]) -> bool:
    """Tells whether the caller may see an enterprise's derived data.

    An institution's look is written down before the answer. Raises ConsentMissing for an institution that may not look.
    """
    caller = reading.caller
    if not access.is_institution(caller):
        return sees_all(caller) or caller.tenant == enterprise
    consent = access.granted(reading, [enterprise], PURPOSE).get(enterprise)
    if consent is None:
        raise privacy_errors.ConsentMissing
    reading.notes.append(PendingDisclosure(enterprise, consent, method, resources, PURPOSE))
    return True


def restricted(reading: Reading, query: Any, enterprise: Any) -> Any:
    """Returns a query of rows of enterprises (a column) as far as the caller may see them now."""
    caller = reading.caller
    if access.is_institution(caller):
        return query.where(enterprise.in_(consent_store.consenting_to(caller.tenant, PURPOSE, reading.now_us)))
    return query if sees_all(caller) else query.where(enterprise == caller.tenant)
