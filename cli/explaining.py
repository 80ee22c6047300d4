"""`aval explain`: how the amounts, dates and rates of a resource came about, out of the stores."""

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from google.protobuf import json_format

from chassis.database import Database
from chassis.identity import Caller
from chassis.service import Reading
from cli import stores
from services.credit_insurance.explaining import EXPLAINING as CREDIT_INSURANCE
from services.declarations.explaining import EXPLAINING as DECLARATIONS
from services.loans.explaining import EXPLAINING as LOANS
from services.settlement.explaining import EXPLAINING as SETTLEMENT
from trade import tables
from trade.derivations.explaining import Explaining

EXPLAINING: Mapping[str, Explaining] = {
    "declarations": DECLARATIONS,
    "settlement": SETTLEMENT,
    "credit_insurance": CREDIT_INSURANCE,
    "loans": LOANS,
}
OPERATOR = "operators/local"


class NothingDerived(ValueError):
    """No service keeps how a resource, or the field of it, came about."""


def report(database: str, resource: str, field: str, language: str, now_us: int) -> dict[str, Any]:
    """Returns how the fields of a resource came about, by field, the newest of each first. Raises NothingDerived."""
    caller = Caller(OPERATOR, OPERATOR, language=language)
    with stores.opened(database) as opened:
        explanations = [
            explanation
            for service, store in opened
            for explanation in _explanations(store, EXPLAINING[service.name], caller, resource, field, now_us)
        ]
    if not explanations:
        raise NothingDerived(f"nothing is derived of {resource}{f', {field}' if field else ''}")
    return {"ok": True, "resource": resource, "derivations": explanations}


def _explanations(
    store: Database, explaining: Explaining, caller: Caller, resource: str, field: str, now_us: int
) -> Sequence[dict[str, Any]]:
    with store.read() as connection:
        if not sa.inspect(connection).has_table(tables.derivations.name):
            return []
        reading = Reading(connection, caller, now_us)
        return [
            json_format.MessageToDict(explanation, preserving_proto_field_name=True)
            for explanation in explaining.explanations(reading, resource, field)
        ]


def lines(told: Mapping[str, Any]) -> list[str]:
    """Returns a report for a person: each field with its tree below it."""
    return [line for explanation in told["derivations"] for line in _lines(explanation)]


def _lines(explanation: Mapping[str, Any]) -> list[str]:
    day = explanation["business_date"]
    on = f"{day['year']:04}-{day['month']:02}-{day['day']:02}"
    head = f"{explanation['field']} ({on}{', on request' if 'number' not in explanation else ''})"
    return [head, *(f"  {line}" for line in explanation["text"].splitlines())]
