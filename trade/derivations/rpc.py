"""Derivations on the wire, both ways."""

import datetime
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from aval.type.v1 import derivation_pb2 as pb

from chassis import money, rpc
from chassis.money import Money
from trade.derivations.model import CloseOrigin, Derivation, FieldOrigin, Input, Origin, Rounding, RowOrigin, Value


def to_proto(derivation: Derivation) -> pb.Derivation:
    """Returns the wire form of a derivation."""
    rounding = derivation.rounding
    return pb.Derivation(
        rule=derivation.rule,
        source=derivation.source,
        inputs=[_input(argument) for argument in derivation.inputs],
        rounding=pb.Rounding(mode=rounding.mode, decimals=rounding.decimals) if rounding else None,
        result=_value(derivation.result),
        digest=derivation.digest,
    )


def from_proto(message: pb.Derivation) -> Derivation:
    """Returns the derivation of a wire form. Raises ValueError where it isn't whole, InvalidOperation where a number
    is none.
    """
    has_rounding = message.HasField("rounding")
    return Derivation(
        rule=message.rule,
        source=message.source,
        inputs=tuple(_to_input(argument) for argument in message.inputs),
        rounding=_to_rounding(message.rounding) if has_rounding else None,
        result=_to_value(message.result),
        digest=message.digest,
    )


def _to_rounding(message: pb.Rounding) -> Rounding:
    return Rounding(pb.Rounding.Mode.Name(message.mode), message.decimals)


# By the field of DerivedValue: the kind of value, the way there and the way back.
_VALUES: Mapping[str, tuple[type, Callable[[Any], Any], Callable[[Any], Value]]] = {
    "money": (Money, money.to_proto, money.from_proto),
    "number": (Decimal, rpc.decimal, rpc.to_decimal),
    "date": (datetime.date, rpc.date, rpc.to_date),
    "count": (int, int, int),
    "word": (str, str, str),
}
_FIELDS: Mapping[type, str] = {kind: name for name, (kind, _, _) in _VALUES.items()}


def _value(value: Value) -> pb.DerivedValue:
    name = _FIELDS[type(value)]
    return pb.DerivedValue(**{name: _VALUES[name][1](value)})


def _to_value(message: pb.DerivedValue) -> Value:
    name = message.WhichOneof("value")
    if name is None:
        raise ValueError("a value of a derivation is empty")
    return _VALUES[name][2](getattr(message, name))


def _input(argument: Input) -> pb.DerivationInput:
    message = pb.DerivationInput(name=argument.name, value=_value(argument.value))
    match argument.origin:
        case FieldOrigin(resource, field):
            message.field.CopyFrom(pb.FieldOrigin(resource=resource, field=field))
        case RowOrigin():
            message.row.CopyFrom(_row(argument.origin))
        case CloseOrigin(job, date, partition):
            message.close.CopyFrom(pb.CloseOrigin(job=job, date=rpc.date(date), partition=partition))
        case Derivation():
            message.derivation.CopyFrom(to_proto(argument.origin))
    return message


def _row(origin: RowOrigin) -> pb.RowOrigin:
    return pb.RowOrigin(
        table=origin.table,
        version=origin.version,
        code=origin.code,
        column=origin.column,
        effective_from=rpc.date(origin.effective_from) if origin.effective_from else None,
    )


def _to_row(message: pb.RowOrigin) -> RowOrigin:
    return RowOrigin(
        table=message.table,
        code=message.code,
        column=message.column,
        version=message.version,
        effective_from=rpc.to_date(message.effective_from) if message.HasField("effective_from") else None,
    )


_ORIGINS: Mapping[str, Callable[[Any], Origin]] = {
    "field": lambda message: FieldOrigin(message.resource, message.field),
    "row": _to_row,
    "close": lambda message: CloseOrigin(message.job, rpc.to_date(message.date), message.partition),
    "derivation": from_proto,
}


def _to_input(message: pb.DerivationInput) -> Input:
    name = message.WhichOneof("origin")
    origin = _ORIGINS[name](getattr(message, name)) if name else None
    return Input(message.name, _to_value(message.value), origin)
