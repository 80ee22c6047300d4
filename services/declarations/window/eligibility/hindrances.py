"""What records have against finance of declarations: holds, permits that are missing, a manifest that was refused.

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
Found = dict[str, list[Hindrance]]


def of(
    connection: sa.Connection, declarations: Iterable[Declared], on: datetime.date, at_us: int | None = None
) -> Found:
    """Returns what hinders declarations on a day, by number; `at_us`: by what had come in then."""
    known = {declaration.id: declaration for declaration in declarations}
    found: Found = {}
    if not known:
        return found
    bodies = {number: declarations_pb2.Declaration.FromString(declared.body) for number, declared in known.items()}
    for number, problems in holds.standing_on(connection, known, at_us).items():
        found.setdefault(number, []).extend(Hindrance(NOT_ELIGIBLE, problem) for problem in problems)
    _add_permits(connection, found, bodies, on, at_us)
    _add_manifests(connection, found, bodies, at_us)
    return found


def _add_permits(
    connection: sa.Connection, found: Found, bodies: Bodies, today: datetime.date, at_us: int | None
) -> None:
    asked = {number: permits.Asked(body, permits.day_of(body, today)) for number, body in bodies.items()}
    for number, verdict in permit_verdicts(connection, asked, at_us).items():
        found.setdefault(number, []).extend(Hindrance(CONDITIONAL, problem) for problem in verdict.problems)


def permit_verdicts(
    connection: sa.Connection, asked: Mapping[str, permits.Asked], at_us: int | None = None
) -> dict[str, permits.Verdict]:
    """Whether permits cover declarations, by number; only those whose goods need one are in it."""
    wanted = {
        number: each_asked
        for number, each_asked in asked.items()
        if permits.needs(each_asked.declaration, each_asked.on)
    }
    if not wanted:
        return {}
    held = permit_uses.held(connection, {each_asked.declaration.enterprise for each_asked in wanted.values()}, at_us)
    uses = store.permit_uses_of(connection, wanted, at_us)
    known = {
        number: (each_asked, held.get(each_asked.declaration.enterprise, {}), _assigned(uses.get(number, ())))
        for number, each_asked in wanted.items()
    }
    contested = {pair[0].declaration.enterprise for pair in known.values() if not permits.are_settled(*pair)}
    taken = permit_uses.taken(connection, {holder: held.get(holder, {}) for holder in contested}, at_us)
    return {number: permits.verdict(*pair, taken) for number, pair in known.items()}


def _assigned(uses: Iterable[PermitUse]) -> permits.Assigned:
    return {(use.line, use.permit_kind): use.permit for use in uses}


def _add_manifests(connection: sa.Connection, found: Found, bodies: Bodies, at_us: int | None) -> None:
    documents = {
        number: records_kinds.document(body.bill_number) for number, body in bodies.items() if body.bill_number
    }
    if not documents:
        return
    by_document = records_store.with_subjects(connection, "manifest", set(documents.values()), at_us)
    for number, subject in documents.items():
        for record in by_document.get(subject, ()):
            if problem := manifests.refusal(record.message):
                found.setdefault(number, []).append(Hindrance(CONDITIONAL, problem))
