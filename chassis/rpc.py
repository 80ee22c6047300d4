"""Small translations that every service's rpc rooms need."""

import datetime
from decimal import Decimal

from aval.type.v1 import problem_pb2
from google.type import date_pb2, decimal_pb2

from chassis.errors import Problem


def problem(fault: Problem, language: str = "en") -> problem_pb2.Problem:
    """Returns a problem in the caller's language."""
    return problem_pb2.Problem(path=fault.path, reason=fault.reason, message=fault.text(language))


def date(day: datetime.date) -> date_pb2.Date:
    """Returns a calendar day on the wire."""
    return date_pb2.Date(year=day.year, month=day.month, day=day.day)


def to_date(message: date_pb2.Date) -> datetime.date:
    """Returns a calendar day from the wire. Raises ValueError if there is no such day."""
    return datetime.date(message.year, message.month, message.day)


def decimal(value: Decimal) -> decimal_pb2.Decimal:
    """Returns a decimal on the wire, exact."""
    return decimal_pb2.Decimal(value=format(value, "f"))


def to_decimal(message: decimal_pb2.Decimal) -> Decimal:
    """Returns a decimal from the wire. Raises decimal.InvalidOperation if it isn't one."""
    return Decimal(message.value)
