"""A real pacs.008 credits a real account: by its IBAN, by the bank's own number, or by the account's id."""

import json
import pathlib
import re
import uuid
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from aval.settlement.v1 import settlement_pb2
from aval.type.v1 import money_pb2
from lxml import etree
from stdnum.cn import uscc

from chassis.identity import Caller
from services.settlement.messages import schema
from services.settlement.messages.pacs008 import CreditTransfer, build
from tests.conftest import ROOT

BANK, OTHER = "banks/LMHFCNB0", "banks/YUHECNB0"
Account = settlement_pb2.Account


def caller(tenant: str, role: str) -> Caller:
    return Caller(f"{tenant}/{role.lower()}", tenant, frozenset({role}), second_factor=True)


MAKER, SYSTEM, FOREIGN = caller(BANK, "BANK_MAKER"), caller(BANK, "BANK_SYSTEM"), caller(OTHER, "BANK_SYSTEM")


def owner() -> str:
    """A fresh enterprise whose social credit code passes its check."""
    code = f"91410100{uuid.uuid4().int % 10**9:09}"
    return f"enterprises/{code}{uscc.calc_check_digit(code)}"


def iban() -> str:
    """A valid German one that nobody else has."""
    bban = f"{uuid.uuid4().int % 10**18:018}"
    check = 98 - int(f"{bban}131400") % 97
    return f"DE{check:02}{bban}"


async def opened(world: Any, by: Caller = SYSTEM, **fields: Any) -> Account:
    asked = Account(**({"owner": owner(), "currency_code": "USD", "kind": "CURRENT"} | fields))
    found: Account = await world.ask("OpenAccount", settlement_pb2.OpenAccountRequest(account=asked), by)
    return found


def message(creditor_account: str, **changes: Any) -> bytes:
    transfer = CreditTransfer(
        message_id="M1",
        uetr=str(uuid.uuid4()),
        end_to_end_id="E1",
        currency_code="USD",
        minor_units=500,
        settlement_date=datetime.now(UTC).date(),
        debtor_name="Buyer",
        debtor_agent_bic="BUYRUS30",
        creditor_name="Seller",
        creditor_account=creditor_account,
        creditor_agent_bic="LMHFCNB0",
    )
    return build(replace(transfer, **changes), datetime.now(UTC))


async def imported(world: Any, content: bytes, by: Caller = SYSTEM) -> settlement_pb2.IncomingPayment:
    request = settlement_pb2.ImportPaymentRequest(content=content)
    payment: settlement_pb2.IncomingPayment = await world.ask("ImportPayment", request, by)
    return payment


async def refused_import(world: Any, content: bytes, by: Caller = SYSTEM) -> list[tuple[str, str]]:
    refusal = await world.refused("ImportPayment", settlement_pb2.ImportPaymentRequest(content=content), by)
    return [(problem.path, problem.reason) for problem in refusal.problems]


async def test_an_iban_credits_its_account(world: Any) -> None:
    number = iban()
    account = await opened(world, iban=f"{number[:4]} {number[4:].lower()}")
    assert account.iban == number
    assert (await imported(world, message(number))).creditor_account == account.name


@pytest.mark.parametrize("separator", ["", "-", " "])
async def test_a_bank_s_own_number_credits_its_account(world: Any, separator: str) -> None:
    number = f"6200{uuid.uuid4().int % 10**15:015}"
    account = await opened(world, account_number=f"{number[:4]} {number[4:8]} {number[8:]}")
    assert account.account_number == number
    written = message(f"{number[:4]}{separator}{number[4:]}")
    assert (await imported(world, written)).creditor_account == account.name


async def test_an_account_s_id_credits_it_in_either_form(world: Any) -> None:
    account = await opened(world)
    long = account.name.removeprefix("accounts/")
    short = message(long)
    assert long.replace("-", "").encode() in short
    for form in (long, f"accounts/{long}", long.replace("-", "")):
        content = replace_uetr(short.replace(long.replace("-", "").encode(), form.encode()))
        assert (await imported(world, content)).creditor_account == account.name


def replace_uetr(content: bytes) -> bytes:
    root = etree.fromstring(content)
    for element in root.iter("{*}UETR"):
        element.text = str(uuid.uuid4())
    return etree.tostring(root)


async def test_a_number_names_one_account_of_its_bank(world: Any) -> None:
    number, own = iban(), f"7{uuid.uuid4().int % 10**12:012}"
    await opened(world, iban=number, account_number=own)
    for field, taken in (("iban", number), ("account_number", own)):
        asked = Account(owner=owner(), currency_code="USD", kind="CURRENT")
        setattr(asked, field, taken)
        refusal = await world.refused("OpenAccount", settlement_pb2.OpenAccountRequest(account=asked), SYSTEM)
        assert (refusal.reason, refusal.metadata["number"]) == ("ACCOUNT_NUMBER_TAKEN", taken)
    assert (await opened(world, FOREIGN, iban=number, account_number=own)).account_number == own


async def test_a_foreign_bank_s_number_credits_nobody_here(world: Any) -> None:
    number = iban()
    await opened(world, FOREIGN, iban=number)
    (problem,) = await refused_import(world, message(number))
    assert problem[1] == "CREDITOR_ACCOUNT_UNKNOWN"


async def test_a_standing_account_gets_its_numbers(world: Any) -> None:
    account, number = await opened(world), iban()
    again = await opened(world, owner=account.owner, iban=number)
    assert (again.name, again.iban) == (account.name, number)
    asked = Account(owner=account.owner, currency_code="USD", kind="CURRENT", iban=iban())
    refusal = await world.refused("OpenAccount", settlement_pb2.OpenAccountRequest(account=asked), SYSTEM)
    assert refusal.reason == "ACCOUNT_NUMBERED"
    assert (await opened(world, owner=account.owner)).iban == number


async def test_the_bank_changes_the_numbers(world: Any) -> None:
    account, number = await opened(world, iban=iban()), f"8{uuid.uuid4().int % 10**12:012}"
    request = settlement_pb2.AssignAccountNumbersRequest(name=account.name, account_number=number)
    for by in (caller(OTHER, "BANK_MAKER"), FOREIGN):
        assert (await world.refused("AssignAccountNumbers", request, by)).reason == "NOT_FOUND"
        request.request_id = ""
    changed = await world.ask("AssignAccountNumbers", request, MAKER)
    assert (changed.iban, changed.account_number) == ("", number)
    assert (await imported(world, message(number))).creditor_account == account.name
    (problem,) = await refused_import(world, message(account.iban))
    assert problem[1] == "CREDITOR_ACCOUNT_UNKNOWN"


@pytest.mark.parametrize(
    ("fields", "path", "reason"),
    [
        ({"iban": "DE00370400440532013000"}, "iban", "IBAN_INVALID"),
        ({"iban": "6200411000010001"}, "iban", "IBAN_INVALID"),
        ({"account_number": "DE89370400440532013000"}, "account_number", "ACCOUNT_NUMBER_IS_IBAN"),
        ({"account_number": "0f8fad5bd9cb469fa16570867728950e"}, "account_number", "ACCOUNT_NUMBER_RESERVED"),
        ({"account_number": "6" * 35}, "account_number", "FIELD_STRING_PATTERN"),
        ({"account_number": "62\x01"}, "account_number", "FIELD_STRING_PATTERN"),
    ],
)
async def test_numbers_that_are_none(world: Any, fields: dict[str, Any], path: str, reason: str) -> None:
    asked = Account(owner=owner(), currency_code="USD", kind="CURRENT", **fields)
    refusal = await world.refused("OpenAccount", settlement_pb2.OpenAccountRequest(account=asked), SYSTEM)
    assert [(problem.path, problem.reason) for problem in refusal.problems] == [(f"account.{path}", reason)]
    account = await opened(world)
    request = settlement_pb2.AssignAccountNumbersRequest(name=account.name, **fields)
    refusal = await world.refused("AssignAccountNumbers", request, SYSTEM)
    assert [(problem.path, problem.reason) for problem in refusal.problems] == [(path, reason)]


async def test_a_message_for_another_bank_is_refused(world: Any) -> None:
    number = iban()
    await opened(world, iban=number)
    (problem,) = await refused_import(world, message(number, creditor_agent_bic="YUHECNB0"))
    assert problem == ("Document/FIToFICstmrCdtTrf/CdtTrfTxInf/CdtrAgt", "AGENT_OF_ANOTHER")
    await imported(world, message(number, creditor_agent_bic="LMHFCNB0XXX"))


async def test_a_payment_without_a_uetr_counts_once(world: Any) -> None:
    number = iban()
    await opened(world, iban=number)
    uetr = str(uuid.uuid4())
    content = message(number, uetr=uetr, message_id=uuid.uuid4().hex).replace(f"<UETR>{uetr}</UETR>".encode(), b"")
    payment = await imported(world, content)
    assert uuid.UUID(payment.uetr).version == 5
    refusal = await world.refused("ImportPayment", settlement_pb2.ImportPaymentRequest(content=content), SYSTEM)
    assert refusal.reason == "UETR_KNOWN"


@pytest.mark.parametrize("number", ["iban", "account_number", "id"])
async def test_the_notice_names_the_account_as_the_world_does(world: Any, number: str) -> None:
    given = {"iban": iban(), "account_number": f"9{uuid.uuid4().int % 10**12:012}"}
    fields: dict[str, Any] = {number: given[number]} if number in given else {}
    account = await opened(world, **fields)
    seen = given.get(number, account.name.removeprefix("accounts/").replace("-", ""))
    declared = await world.declared(account.owner)
    payment = await imported(world, message(seen, remittance_information=f"decl {declared}"))
    await world.until(payment.name, "COMPLETED", SYSTEM)
    page = await world.ask("ListNotifications", settlement_pb2.ListNotificationsRequest(page_size=500), SYSTEM)
    (content,) = [notification.content for notification in page.notifications if notification.payment == payment.name]
    root = etree.fromstring(content)
    assert schema.problems(root, "Document", ["camt.054.001.08"]) == []
    assert seen in [element.text for element in root.iter("{*}IBAN", "{*}Id")]


FILES = sorted(path.stem for path in (ROOT.parent / "shared" / "cases" / "files").glob("pacs008-*.xml"))


@pytest.mark.parametrize("name", FILES)
async def test_the_kept_cases(world: Any, name: str) -> None:
    """Each file, settled today, against what is right of it; its IBAN belongs to a customer."""
    folder: pathlib.Path = ROOT.parent / "shared" / "cases" / "files"
    content = (folder / f"{name}.xml").read_bytes()
    for uetr in re.findall(rb"(?<=<UETR>)[^<]+", content):
        content = content.replace(uetr, str(uuid.uuid4()).encode())
    today = f"<IntrBkSttlmDt>{datetime.now(UTC).date()}<".encode()
    content = re.sub(rb"<IntrBkSttlmDt>[^<]+<", today, content)
    expected = json.loads((folder / f"{name}.expected.json").read_text())["expected"]
    await opened(world, owner="enterprises/91411023MAXY00112A", iban="GB29NWBK60161331926819")
    if expected["verdict"] == "accepted":
        payment = await imported(world, content)
        assert payment.amount == money_pb2.Money(currency_code="USD", minor_units=12_728_800)
        assert payment.debtor_name == expected.get("values", {}).get("debtor_name", payment.debtor_name)
        if "declaration" in expected.get("values", {}):
            parked = await world.until(payment.name, "UNMATCHED", SYSTEM)
            assert parked.reason != "DECLARATION_MISSING"
    else:
        assert await refused_import(world, content)


@pytest.mark.parametrize("more", ["<Ustrd></Ustrd>", f"<Ustrd>{'9' * 150}</Ustrd>"])
async def test_a_message_with_very_many_faults_is_refused_plainly(world: Any, more: str) -> None:
    content = message("1", remittance_information="x").replace(b"<RmtInf>", f"<RmtInf>{more * 2000}".encode())
    problems = await refused_import(world, content)
    assert len(problems) == schema.PROBLEMS_MAX


async def test_very_many_unknown_countries_are_refused_plainly(world: Any) -> None:
    party = "<UltmtDbtr><PstlAdr>{}</PstlAdr></UltmtDbtr>".format("<Ctry>ZZ</Ctry>" * 2000)
    content = message("1").replace(b"<Dbtr>", f"{party}<Dbtr>".encode())
    assert ("Document/FIToFICstmrCdtTrf/CdtTrfTxInf[1]/UltmtDbtr/PstlAdr/Ctry", "COUNTRY_UNKNOWN") in (
        await refused_import(world, content)
    )
