"""The business rules of a list, over its proto row. Pure; every problem at once."""

from collections.abc import Iterator
from datetime import date

from aval.declarations.v1 import retail_pb2

from chassis.clock import business_date
from chassis.currencies import minor_digits
from chassis.errors import Problem
from services.declarations import checks
from services.declarations.retail import modes


def check(row: retail_pb2.RetailList) -> list[Problem]:
    """Every broken business rule of a list."""
    on = business_date(row.envelope.send_time.ToMicroseconds()) if row.envelope.HasField("send_time") else date.max
    lines = list(_line_problems(row))
    return [*_mode_problems(row, on), *lines, *_value_problems(row, bool(lines))]


def _mode_problems(row: retail_pb2.RetailList, on: date) -> Iterator[Problem]:
    if modes.mode(row.trade_mode, retail_pb2.Direction.Name(row.direction), on) is None:
        yield Problem(
            "trade_mode",
            "TRADE_MODE_NOT_RETAIL",
            f"Lists have the trade mode 9610, 1210 or 1239, not {row.trade_mode}; correct it.",
            f"清单的监管方式应为 9610、1210 或 1239，而非 {row.trade_mode}；请更正。",
        )


def _line_problems(row: retail_pb2.RetailList) -> Iterator[Problem]:
    currency = row.value.currency_code
    for index, line in enumerate(row.lines):
        path = f"lines[{index}]"
        yield from checks.currency_problems(f"{path}.total.currency_code", line.total.currency_code)
        yield from checks.same_currency_problems(f"{path}.total.currency_code", line.total.currency_code, currency)
        yield from checks.total_problems(path, line)


def _value_problems(row: retail_pb2.RetailList, has_line_problems: bool) -> Iterator[Problem]:
    yield from checks.currency_problems("value.currency_code", row.value.currency_code)
    total = sum(line.total.minor_units for line in row.lines)
    # A sum over broken lines would only repeat their problem.
    if not has_line_problems and minor_digits(row.value.currency_code) is not None and total != row.value.minor_units:
        yield Problem(
            "value",
            "LIST_VALUE_MISMATCH",
            f"The value is {row.value.minor_units} minor units, its lines sum up to {total}; correct one of them.",
            f"清单总值为 {row.value.minor_units}（最小货币单位），各项合计为 {total}；请更正其一。",
        )
