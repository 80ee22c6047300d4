"""Walks the derivations of a store: each gives its result again, and none does with one leaf changed."""

import datetime
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal

import sqlalchemy as sa

from chassis.money import Money
from trade.derivations import rpc, rules, store
from trade.derivations.explaining import Explaining
from trade.derivations.model import Derivation, Value
from trade.derivations.recomputing import recompute
from trade.tables import derivations

Place = tuple[int, ...]


def other(value: Value) -> Value:
    """Returns another value of the same kind, as near as there is one."""
    match value:
        case Money():
            return replace(value, minor_units=value.minor_units + 1)
        case Decimal():
            return value + Decimal("0.00000001")
        case datetime.date():
            return value + datetime.timedelta(days=1)
        case int():
            return value + 1
        case str():
            return f"{value}'"


def leaf_places(node: Derivation) -> Iterator[Place]:
    """Yields where the leaves of a tree are, by the numbers of inputs from the root."""
    for index, argument in enumerate(node.inputs):
        if isinstance(argument.origin, Derivation):
            yield from ((index, *below) for below in leaf_places(argument.origin))
        else:
            yield (index,)


def changed(node: Derivation, place: Place) -> Derivation:
    """Returns a tree with one leaf changed; all else stays as it was, digests and results too."""
    index, *below = place
    argument = node.inputs[index]
    if below:
        assert isinstance(argument.origin, Derivation)
        return rules.with_input(node, index, replace(argument, origin=changed(argument.origin, tuple(below))))
    return rules.with_input(node, index, replace(argument, value=other(argument.value)))


def walk(connection: sa.Connection, explaining: Explaining) -> list[str]:
    """Returns the resources and fields of a store that have derivations, after it has proved each of them.

    Every one is computed again, and with any leaf changed it isn't what it was.
    """
    fields = []
    for stored in (stored for page in store.pages(connection, 50) for stored in page):
        assert recompute(stored.derivation, explaining.rules) == [], stored
        for place in leaf_places(stored.derivation):
            assert recompute(changed(stored.derivation, place), explaining.rules), (stored, place)
        fields.append(f"{stored.resource} {stored.field}")
    return fields


def plant(connection: sa.Connection, resource: str, field: str) -> str:
    """Changes the first leaf of a stored derivation in its row; returns the place that verification has to name."""
    (stored, *_) = store.load(connection, resource, field)
    place = next(leaf_places(stored.derivation))
    content = rpc.to_proto(changed(stored.derivation, place)).SerializeToString(deterministic=True)
    rows = derivations.c
    this = sa.and_(rows.resource == resource, rows.field == field, rows.number == stored.number)
    assert connection.execute(sa.update(derivations).where(this).values(content=content)).rowcount == 1
    return f"derivations: {resource} {field} {stored.number}"
