"""What records have against finance of declarations: holds, permits that are missing, a manifest that was refused.

Set-based: at most three queries whatever the number of declarations.
"""

import datetime
from collections.abc import Iterable, Mapping

import sqlalchemy as sa
from aval.declarations.v1 import declarations_pb2

from chassis.clock import business_date
from services.declarations.declaration.model import CONDITIONAL, NOT_ELIGIBLE, Declaration, Hindrance
from services.declarations.records import holds, kinds, manifests, permits, rpc, store
from services.declarations.tables import beside

Bodies = Mapping[str, declarations_pb2.Declaration]
Found = dict[str, list[Hindrance]]


def of(connection: sa.Connection, declarations: Iterable[Declaration], now_us: int, at_us: int | None = None) -> Found:
    """By number; only declarations that something hinders are in it. `at_us`: by what had come in then."""
    known = {one.id: one for one in declarations}
    found: Found = {}
    if not known:
        return found
    bodies = {number: declarations_pb2.Declaration.FromString(one.body) for number, one in known.items()}
    for number, problems in holds.standing_on(connection, known, at_us).items():
        found.setdefault(number, []).extend(Hindrance(NOT_ELIGIBLE, problem) for problem in problems)
    _add_permits(connection, found, bodies, business_date(now_us), at_us)
    _add_manifests(connection, found, bodies, at_us)
    return found


def _add_permits(
    connection: sa.Connection, found: Found, bodies: Bodies, today: datetime.date, at_us: int | None
) -> None:
    days = {number: permits.day_of(body, today) for number, body in bodies.items()}
    controlled = {number: body for number, body in bodies.items() if permits.needs(body, days[number])}
    if not controlled:
        return
    held = of_holders(connection, {body.enterprise for body in controlled.values()}, at_us)
    for number, body in controlled.items():
        problems = permits.verdict(body, held.get(body.enterprise, {}), days[number]).problems
        found.setdefault(number, []).extend(Hindrance(CONDITIONAL, problem) for problem in problems)


def of_holders(
    connection: sa.Connection, enterprises: Iterable[str], at_us: int | None = None
) -> Mapping[str, permits.Held]:
    """The permits of each of these enterprises, by name."""
    found = store.about(connection, "permit", beside.c.enterprise, enterprises, at_us)
    return permits.by_holder(map(rpc.to_proto, found))


def _add_manifests(connection: sa.Connection, found: Found, bodies: Bodies, at_us: int | None) -> None:
    documents = {number: kinds.document(body.bill_number) for number, body in bodies.items() if body.bill_number}
    if not documents:
        return
    by_document = store.with_subjects(connection, "manifest", set(documents.values()), at_us)
    for number, subject in documents.items():
        for record in by_document.get(subject, ()):
            if problem := manifests.refusal(record.message):
                found.setdefault(number, []).append(Hindrance(CONDITIONAL, problem))
