"""Finds what in the records hinders finance of declarations: holds, missing permits, a manifest that was refused.

Set-based: at most five queries whatever the number of declarations.
"""

import datetime
from collections.abc import Iterable, Mapping

import sqlalchemy as sa
from aval.declarations.v1 import declarations_pb2

from services.declarations.register.asset import CONDITIONAL, NOT_ELIGIBLE, Hindrance
from services.declarations.window.eligibility import holds, manifests, permit_uses, permits, store
from services.declarations.window.eligibility.model import Declared, PermitUse
from services.declarations.window.records import kinds as records_kinds
from services.declarations.window.records import store as records_store

Bodies = Mapping[str, declarations_pb2.Declaration]
Hindrances = dict[str, list[Hindrance]]


def of(
    connection: sa.Connection, declarations: Iterable[Declared], on: datetime.date, at_us: int | None = None
) -> Hindrances:
    """Returns what hinders declarations on a day, by number; `at_us`: by what had come in then."""
    by_number = {declaration.id: declaration for declaration in declarations}
    hindered: Hindrances = {}
    if not by_number:
        return hindered
    bodies = {number: declarations_pb2.Declaration.FromString(declared.body) for number, declared in by_number.items()}
    for number, problems in holds.standing_on(connection, by_number, at_us).items():
        hindered.setdefault(number, []).extend(Hindrance(NOT_ELIGIBLE, problem) for problem in problems)
    _add_permits(connection, hindered, bodies, on, at_us)
    _add_manifests(connection, hindered, bodies, at_us)
    return hindered


def _add_permits(
    connection: sa.Connection, hindered: Hindrances, bodies: Bodies, today: datetime.date, at_us: int | None
) -> None:
    requests = {number: permits.PermitRequest(body, permits.day_of(body, today)) for number, body in bodies.items()}
    for number, verdict in permit_verdicts(connection, requests, at_us).items():
        hindered.setdefault(number, []).extend(Hindrance(CONDITIONAL, problem) for problem in verdict.problems)


def permit_verdicts(
    connection: sa.Connection, requests: Mapping[str, permits.PermitRequest], at_us: int | None = None
) -> dict[str, permits.Verdict]:
    """Judges whether permits cover declarations; returns the verdicts by number, of those whose goods need a permit."""
    wanted = {
        number: permit_request
        for number, permit_request in requests.items()
        if permits.needs(permit_request.declaration, permit_request.on)
    }
    if not wanted:
        return {}
    held = permit_uses.held(
        connection, {permit_request.declaration.enterprise for permit_request in wanted.values()}, at_us
    )
    uses = store.permit_uses_of(connection, wanted, at_us)
    cases = {
        number: (permit_request, held.get(permit_request.declaration.enterprise, {}), _assigned(uses.get(number, ())))
        for number, permit_request in wanted.items()
    }
    contested = {case[0].declaration.enterprise for case in cases.values() if not permits.are_settled(*case)}
    taken = permit_uses.taken(connection, {holder: held.get(holder, {}) for holder in contested}, at_us)
    return {number: permits.verdict(*case, taken) for number, case in cases.items()}


def _assigned(uses: Iterable[PermitUse]) -> permits.Assigned:
    return {(use.line, use.permit_kind): use.permit for use in uses}


def _add_manifests(connection: sa.Connection, hindered: Hindrances, bodies: Bodies, at_us: int | None) -> None:
    documents = {
        number: records_kinds.document(body.bill_number) for number, body in bodies.items() if body.bill_number
    }
    if not documents:
        return
    by_document = records_store.with_subjects(connection, "manifest", set(documents.values()), at_us)
    for number, subject in documents.items():
        for record in by_document.get(subject, ()):
            if problem := manifests.refusal(record.message):
                hindered.setdefault(number, []).append(Hindrance(CONDITIONAL, problem))
