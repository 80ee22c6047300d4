"""The modes of cross-border e-commerce, from data/retail_modes.csv: what settles, what counts, who owes."""

from dataclasses import dataclass
from datetime import date

from aval.declarations.v1 import retail_list_pb2

from chassis.errors import Problem
from chassis.service import Reading
from services.declarations.customs.code_tables import Row, code_table

TEXTS = ("display_name", "settling_document", "rebate_document", "value_begins", "explanation")


@dataclass(frozen=True, slots=True)
class Mode:
    """A mode in one direction, as its table has it."""

    row: Row

    @property
    def is_pooled(self) -> bool:
        """Returns whether its lists are financed as a pool."""
        return self.row["financeable_unit"] == "POOL"

    @property
    def is_bonded_import(self) -> bool:
        """Returns whether its lists sell bonded stock: duty falls due with the sale."""
        return self.row["direction"] == "IMPORT" and self.row["trade_mode"] in ("1210", "1239")

    @property
    def declaration_hindrances(self) -> list[Problem]:
        """Returns why a goods declaration of this mode can't be financed by itself; empty where it can."""
        row = self.row
        if not row["reason"]:
            return []
        return [Problem("trade_mode", row["reason"], row["explanation_english"], row["explanation_chinese"])]


def mode(trade_mode: str, direction: str, on: date) -> Mode | None:
    """Returns the mode (direction EXPORT or IMPORT) on a date, None where there is no such mode."""
    row = code_table("retail_modes").row(f"{trade_mode}/{direction}", on)
    return Mode(row) if row else None


def modes(on: date) -> list[Mode]:
    """Returns all modes on a date."""
    table = code_table("retail_modes")
    rows = (table.row(code, on) for code in table.periods)
    return [Mode(row) for row in rows if row]


def trade_modes(direction: str, on: date) -> list[str]:
    """Returns the codes of the modes that a direction has on a date."""
    return sorted({mode.row["trade_mode"] for mode in modes(on) if mode.row["direction"] == direction})


def list_(reading: Reading, _request: retail_list_pb2.ListTradeModesRequest) -> retail_list_pb2.ListTradeModesResponse:
    """Returns the public reference."""
    messages = map(_to_proto, modes(reading.business_date))
    return retail_list_pb2.ListTradeModesResponse(trade_modes=messages)


def _to_proto(mode: Mode) -> retail_list_pb2.TradeMode:
    row = mode.row
    texts = {
        name: retail_list_pb2.LocalText(english=row[f"{name}_english"], chinese=row[f"{name}_chinese"])
        for name in TEXTS
        if row[f"{name}_english"]
    }
    return retail_list_pb2.TradeMode(
        trade_mode=row["trade_mode"],
        direction=row["direction"],
        insurable=row["insurable"] == "YES",
        counterparty=row["counterparty"],
        financeable_unit=row["financeable_unit"],
        declaration_financeable=row["declaration_financeable"] == "YES",
        **texts,
    )
