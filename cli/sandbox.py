"""`aval sandbox`: what an integrator needs beside the demo's story, made on a demo that runs.

The window declares by the bank's door, as it does in the story. Numbers are fresh on every call.
"""

import asyncio
import datetime
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from string import Template
from typing import Any

from aval.declarations.v1 import declarations_pb2

from chassis import rpc
from chassis.certificates import Authority
from chassis.clock import MICROSECONDS
from chassis.currencies import minor_digits, to_minor_units
from chassis.money import Money
from cli import dates
from cli.demo import story, world
from cli.demo.actors import Institution, Refused
from cli.layout import Addresses, CannotRun, Layout
from services.declarations.customs.checks import decimal_or_none
from services.declarations.intake.formats import decmessage

DEFAULT_AMOUNT = "100000.00"
# How far the story's own steps finance the declaration, by the state that they end in.
FINANCING: Mapping[str, Sequence[str]] = {
    "COVERED": ("consent", "cover"),
    "OFFERED": ("application", "offers"),
    "AGREED": ("acceptance",),
    "ACTIVE": ("signature", "drawdown"),
}
# A one-time code that was used already is followed by another within so long.
CODE_SECONDS = 31
SEQUENCES = 10**9
# As many decimals as a quantity may have.
_QUANTITY_STEP = Decimal("0.000001")


class CannotDeclare(Exception):
    """The options name nobody of the demo, or no amount, or a step was refused; the text says which."""


@dataclass(frozen=True, slots=True)
class Script(story.Script):
    """A story about a declaration that is there already."""

    number: str

    @property
    def declaration_number(self) -> str:
        """Returns the declaration's own number, whatever the story's id is."""
        return self.number


@dataclass(frozen=True, slots=True)
class Goods:
    """The goods to declare: their exporter, a buyer of the demo, and the amount in minor units."""

    exporter: Mapping[str, Any]
    buyer: Mapping[str, Any]
    minor_units: int
    currency_code: str

    @property
    def amount(self) -> Decimal:
        """Returns the amount in major units."""
        return Decimal(self.minor_units).scaleb(-(minor_digits(self.currency_code) or 0))


def goods(
    login: str = "", enterprise: str = "", amount: str = DEFAULT_AMOUNT, currency: str = "", buyer: str = ""
) -> Goods:
    """Returns what the options pick, by default the story's exporter and its first buyer with a limit.

    Example: login panfeng.zhou is Panfeng, whose policy is in EUR and whose buyer is nordstein. Raises CannotDeclare.
    """
    exporter = _exporter(login, enterprise)
    policy = next(entry for entry in world.world()["policies"] if entry["exporter"] == exporter["id"])
    code = currency or policy["currency"]
    return Goods(exporter, _buyer(buyer or policy["buyers"][0]), _minor_units(amount, code), code)


def _exporter(login: str, enterprise: str) -> Mapping[str, Any]:
    """Returns the exporter meant.

    Raises CannotDeclare for a login or an enterprise that the demo doesn't have, and for both that differ.
    """
    if not login and not enterprise:
        return world.exporter(story.EXPORTER)
    for exporter in world.world()["exporters"]:
        is_login = not login or login in {person["login"] for person in exporter["people"]}
        if is_login and enterprise in ("", world.tenant_of(exporter)):
            return exporter  # type: ignore[no-any-return]
    known = ", ".join(f"{person['login']} of {world.tenant_of(exporter)}" for exporter, person in _exporters_people())
    raise CannotDeclare(f"the demo has no exporter {login or enterprise}; it has {known}")


def _exporters_people() -> list[tuple[Mapping[str, Any], Mapping[str, Any]]]:
    return [(exporter, person) for exporter in world.world()["exporters"] for person in exporter["people"]]


def _buyer(named: str) -> Mapping[str, Any]:
    for buyer in world.world()["buyers"]:
        if named in (buyer["id"], buyer["name"]):
            return buyer  # type: ignore[no-any-return]
    known = ", ".join(row["id"] for row in world.world()["buyers"])
    raise CannotDeclare(f"the demo has no buyer {named}; it has {known}")


def _minor_units(amount: str, currency: str) -> int:
    number = decimal_or_none(amount)
    minor_units = None if number is None or minor_digits(currency) is None else to_minor_units(number, currency)
    if not minor_units:
        raise CannotDeclare(f"{amount} is no positive amount in {currency}; write it like {DEFAULT_AMOUNT}")
    return minor_units


def row_of(wanted: Goods, number: str, date: datetime.date) -> declarations_pb2.Declaration:
    """Returns the declaration of the exporter's template with a number of its own, one line of goods and the amount."""
    text = Template(world.template(wanted.exporter["declaration_template"])).substitute(
        declaration_number=number,
        unified_number=f"I{number[:8]}{number[-9:]}",
        export_date=date.strftime("%Y%m%d"),
    )
    row, problems = decmessage.parse(text.encode())
    if row is None:
        raise AssertionError(problems)
    _name_documents(row, number)
    row.buyer_name, row.destination_country = wanted.buyer["name"], wanted.buyer["country"]
    del row.lines[1:]
    _set_amount(row, wanted)
    return row


def _name_documents(row: declarations_pb2.Declaration, number: str) -> None:
    """Gives the documents fresh numbers: an invoice or bill of lading of another declaration would be a finding."""
    serial = number[-9:]
    row.contract_number, row.invoice_number, row.bill_number = f"SBX-C-{serial}", f"SBX-I-{serial}", f"SBXBL{serial}"


def _set_amount(row: declarations_pb2.Declaration, wanted: Goods) -> None:
    """Sets as many goods of the template's price as make up the amount."""
    line = row.lines[0]
    quantity = (wanted.amount / Decimal(line.unit_price.value)).quantize(_QUANTITY_STEP)
    line.quantity.CopyFrom(rpc.decimal(quantity))
    for money in (line.total, row.declared_value):
        money.currency_code, money.minor_units = wanted.currency_code, wanted.minor_units


async def make(layout: Layout, wanted: Goods, financed_until: str, now_us: int) -> dict[str, Any]:
    """Declares, and finances the declaration until a state of FINANCING where one is given.

    Returns the declaration's name, enterprise, buyer, value and status, and the names of application and loan. Raises
    CannotRun where no demo runs, CannotDeclare where a step is refused, RemoteError.
    """
    if financed_until and (wanted.exporter["id"], wanted.buyer["id"], wanted.currency_code) != _STORYS:
        raise CannotDeclare(
            "only the story's exporter, buyer and currency are financed; leave the others to the JSON API"
        )
    addresses = layout.running()
    if addresses is None or not layout.read("story.json"):
        raise CannotRun(f"no demo runs on {layout.folder}; start `aval up --demo` or give --folder")
    date = await asyncio.to_thread(dates.show, addresses.database)
    number = f"{story.CUSTOMS_OFFICE}{date.year}0{uuid.uuid4().int % SEQUENCES:09}"
    script = Script(uuid.uuid4().hex, now_us, date.isoformat(), number)
    authority = Authority(layout.certificates)
    report = await _declare(authority, addresses, wanted, script)
    if financed_until:
        report |= await _finance(authority, addresses, wanted, script, financed_until)
    return report


_STORYS = (story.EXPORTER, story.BUYER, story.CURRENCY)


async def _finance(
    authority: Authority, addresses: Addresses, wanted: Goods, script: Script, until: str
) -> dict[str, Any]:
    """Plays the story's steps up to a state; returns what they made by name."""
    stage = story.set_stage(script, authority, addresses, _close_no_date)
    stage.declared_value = Money(wanted.currency_code, wanted.minor_units)
    try:
        for name in steps_until(until):
            await _play(dict(story.STEPS)[name], stage)
    except (AssertionError, Refused) as failure:
        raise CannotDeclare(f"{stage.script.declaration} was declared, but not financed: {failure}") from failure
    finally:
        await stage.close()
    return {"financed_until": until, "application": stage.application, "loan": stage.loan}


def _close_no_date(_until: datetime.date) -> None:
    """Closes nothing: none of the steps that are played closes a business date."""


def steps_until(state: str) -> list[str]:
    """Returns the story's steps that lead to a state. Example: COVERED takes consent and cover."""
    states = list(FINANCING)
    return [name for text in states[: states.index(state) + 1] for name in FINANCING[text]]


async def _play(step: story.Step, stage: story.Stage) -> None:
    """Plays a step; once more with the next one-time code where the present one was used already."""
    try:
        await step(stage)
    except Refused as refusal:
        if "ONE_TIME_CODE_INVALID" not in refusal.body:
            raise
        await asyncio.sleep(CODE_SECONDS)
        await step(stage)


async def _declare(authority: Authority, addresses: Addresses, wanted: Goods, script: Script) -> dict[str, Any]:
    """Declares by the window and sends customs' receipts until the declaration is CLOSED."""
    window = Institution(authority, addresses, world.person(world.WINDOW, "WINDOW"), "")
    try:
        await _import(window, row_of(wanted, script.number, script.today))
        await _send_receipts(window, script.number, script.started_us)
        read = declarations_pb2.GetDeclarationRequest(name=script.declaration)
        declaration = await window.call("declarations", "GetDeclaration", read)
    finally:
        await window.close()
    return {
        "declaration": declaration.name,
        "enterprise": declaration.enterprise,
        "buyer": declaration.buyer_name,
        "amount": f"{wanted.amount}",
        "currency": wanted.currency_code,
        "status": declarations_pb2.Declaration.Status.Name(declaration.status),
    }


async def _import(window: Institution, row: declarations_pb2.Declaration) -> None:
    request = declarations_pb2.BatchCreateDeclarationsRequest(request_id=str(uuid.uuid4()), declarations=[row])
    (verdict,) = (await window.call("declarations", "BatchCreateDeclarations", request)).verdicts
    if verdict.problems:
        raise CannotDeclare("; ".join(problem.message for problem in verdict.problems))


async def _send_receipts(window: Institution, number: str, now_us: int) -> None:
    """Sends the receipts of the story, a minute apart, the last of them a minute ago."""
    request = declarations_pb2.BatchCreateReceiptsRequest(request_id=str(uuid.uuid4()))
    for minute, code in enumerate(story.RECEIPTS):
        receipt = request.receipts.add(declaration_number=number, channel_code=code)
        receipt.notice_time.FromMicroseconds(now_us - (len(story.RECEIPTS) - minute) * 60 * MICROSECONDS)
    await window.call("declarations", "BatchCreateReceipts", request)
