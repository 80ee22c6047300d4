"""Declarations by the million for benchmarks: as bytes of requests, made faster than any server takes them.

A row is made of parts that protobuf lets stand one behind the other: its number, its enterprise, its day,
and one of some hundred bodies made beforehand.
"""

import datetime
import hashlib
import random
import uuid
from collections.abc import Iterator

from aval.declarations.v1 import declarations_pb2
from stdnum.cn import uscc

from chassis import bulk, rpc
from services.declarations.customs.checks import check
from services.declarations.customs.receipts import STATUS_WITHOUT_RECEIPTS
from services.declarations.window.declaration import store as declaration_store
from services.declarations.window.declaration.rpc import content_of

# The size of Henan's window (domain notes): enterprises, customs offices.
ENTERPRISES = 6639
OFFICES = ("4601", "4602", "4603", "4604", "4605", "4606", "4607", "4608")
BODIES = 400
LINES = 4
FIRST_DAY, DAYS = datetime.date(2025, 1, 1), 2 * 365
COUNTRIES = ("DEU", "USA", "JPN", "KOR", "VNM", "GBR", "FRA", "AUS", "BRA", "MEX", "ARE", "IND", "POL", "NLD")
CHAPTERS = ("68", "84", "85", "87", "67", "07", "61", "94", "73", "39")
MODES = ("0110", "0110", "0110", "0615", "9710", "1039")
_ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"


def enterprises(count: int = ENTERPRISES) -> list[str]:
    """Returns social credit codes with right check characters, the same in every run."""
    chance = random.Random(1)
    codes = []
    for _ in range(count):
        code = "91410100MA" + "".join(chance.choices(_ALPHABET, k=7))
        codes.append(code + uscc.calc_check_digit(code))
    return codes


class Maker:
    """Makes rows; the number says which row it is, so that a row is never made twice."""

    def __init__(self, seed: int = 2) -> None:
        self._chance = random.Random(seed)
        self._enterprises = [_field(4, f"enterprises/{code}") for code in enterprises()]
        self._days = [_day(FIRST_DAY + datetime.timedelta(days)) for days in range(DAYS)]
        self._bodies = [self._body() for _ in range(BODIES)]
        self._contents = [content_of(declarations_pb2.Declaration.FromString(body)) for body in self._bodies]

    def _body(self) -> bytes:
        chance = self._chance
        row = declarations_pb2.Declaration(
            enterprise_name="郑州磨料磨具进出口有限公司",
            buyer_name="Nordwerk Diamanttechnik GmbH",
            trade_mode=chance.choice(MODES),
            transport_mode=chance.choice("2345"),
            transaction_mode="3",
            destination_country=chance.choice(COUNTRIES),
            contract_number=f"HT-{chance.randrange(10**8):08}",
            bill_number=f"COSU{chance.randrange(10**9):09}",
            invoice_number=f"INV-{chance.randrange(10**8):08}",
        )
        for number in range(1, LINES + 1):
            self._line(row, number)
        row.declared_value.currency_code = "USD"
        row.declared_value.minor_units = sum(line.total.minor_units for line in row.lines)
        return row.SerializeToString()

    def _line(self, row: declarations_pb2.Declaration, number: int) -> None:
        chance = self._chance
        quantity, cents = chance.randrange(1, 5000), chance.randrange(100, 99_999)
        line = row.lines.add(line_number=number, unit="007", origin_country="CHN")
        line.commodity_code = f"{chance.choice(CHAPTERS)}{chance.randrange(10**8):08}"
        line.goods_name = (
            "金刚石砂轮 | 树脂结合剂 | 用于加工硬质合金刀具 | 外径150毫米 | 粒度 D126 | 浓度 C100 | 无品牌"
        )
        line.quantity.value = str(quantity)
        line.unit_price.value = f"{cents // 100}.{cents % 100:02}"
        line.total.currency_code, line.total.minor_units = "USD", quantity * cents

    @staticmethod
    def identifier(number: int) -> str:
        """Returns the customs number of a number from 0: they rise within each of the customs offices."""
        office, sequence = OFFICES[number % len(OFFICES)], number // len(OFFICES)
        return f"{office}20260{sequence:09}"

    def row(self, number: int) -> bytes:
        """Returns the serialised row of a number from 0."""
        chance = self._chance
        _, day = chance.choice(self._days)
        owner, body = chance.choice(self._enterprises), chance.choice(self._bodies)
        return _field(2, self.identifier(number)) + owner + day + body

    def stored(self, number: int, now_us: int) -> bulk.Row:
        """Returns the row of the table that the intake would make of it."""
        chosen = self._chance.randrange(BODIES)
        enterprise = self._chance.choice(self._enterprises)
        declared_on, day = self._chance.choice(self._days)
        body = _field(2, self.identifier(number)) + enterprise + day + self._bodies[chosen]
        content = self._contents[chosen]._replace(
            id=self.identifier(number),
            enterprise=enterprise[2:].decode(),
            declared_on=declared_on,
            body=body,
            digest=hashlib.sha256(body).digest(),
        )
        return declaration_store.row(content, STATUS_WITHOUT_RECEIPTS, datetime.date.min, now_us)

    def request(self, first: int, count: int) -> bytes:
        """Returns a BatchCreateDeclarations of the rows from a number on."""
        parts = [_field(1, str(uuid.uuid4()))]
        parts += [_field(2, self.row(number)) for number in range(first, first + count)]
        return b"".join(parts)

    def requests(self, first: int, count: int, batch: int) -> Iterator[bytes]:
        """Yields requests for `count` rows from a number on."""
        for start in range(first, first + count, batch):
            yield self.request(start, min(batch, first + count - start))


def _day(day: datetime.date) -> tuple[datetime.date, bytes]:
    """Returns a day with the field of a row that says so."""
    return day, declarations_pb2.Declaration(export_date=rpc.date(day)).SerializeToString()


def _field(number: int, content: str | bytes) -> bytes:
    """Returns a length-delimited protobuf field."""
    data = content.encode() if isinstance(content, str) else content
    length, size = len(data), b""
    while length > 0x7F:
        size += bytes([length & 0x7F | 0x80])
        length >>= 7
    return bytes([number << 3 | 2]) + size + bytes([length]) + data


def sound(maker: Maker, count: int = 50) -> bool:
    """Whether the rows are such as the intake takes: a benchmark of refusals would flatter."""
    return all(not check(declarations_pb2.Declaration.FromString(maker.row(number))) for number in range(count))
