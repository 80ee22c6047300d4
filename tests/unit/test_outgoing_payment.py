"""Payments out: every pair of state and verb, when they end, and what keeps them from being sent."""

import itertools
from dataclasses import replace
from datetime import UTC, date, datetime
from importlib.resources import files
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from chassis.errors import WrongState
from chassis.money import Money
from chassis.states import moved
from services.settlement.messages import pacs008
from services.settlement.outgoing_payment import model
from services.settlement.outgoing_payment.model import TRANSITIONS, OutgoingPayment, State, Verb

NOW_US = int(datetime(2026, 11, 30, 18, 30, tzinfo=UTC).timestamp()) * 1_000_000
TODAY = date(2026, 12, 2)
PAYMENT = OutgoingPayment(
    id="payment-aaaaaaaaaaaaaaaaaaaaaaaaaa",
    bank="banks/LMHFCNB0",
    enterprise="enterprises/91411023MAXY00112A",
    debit_account="0f8fad5b-d9cb-469f-a165-70867728950e",
    amount=Money("USD", 100),
    creditor_name="ACME",
    creditor_account="DE89370400440532013000",
    creditor_agent_bic="PCHTUSN0",
    creditor_town="Atlanta",
    creditor_country="US",
    remittance_information="Invoice 7",
    uetr="8a562c67-ca16-48ba-b074-65581be6f011",
    state=State.PENDING_APPROVAL,
    message=b"",
    create_us=NOW_US,
    revision=1,
    expire_us=NOW_US + 7 * model.DAY_US,
)
ENDS = {Verb.SEND: State.SENT, Verb.WITHDRAW: State.WITHDRAWN, Verb.REJECT: State.REJECTED, Verb.EXPIRE: State.EXPIRED}
CNAPS: dict[str, Any] = {"amount": Money("CNY", 100), "creditor_agent_bic": "LMHFCNB0", "creditor_country": "CN"}


def reasons(currency: str = "USD", **changes: Any) -> set[tuple[str, str]]:
    payment = replace(PAYMENT, **changes)
    found = model.problems(payment, currency, TODAY)
    assert all(problem.english and problem.chinese for problem in found)
    return {(problem.path.removeprefix("payment."), problem.reason) for problem in found}


@pytest.mark.parametrize(("state", "verb"), list(itertools.product(State, Verb)))
def test_every_pair_of_state_and_verb(state: State, verb: Verb) -> None:
    payment = replace(PAYMENT, state=state)
    if state is State.PENDING_APPROVAL:
        assert moved(TRANSITIONS, payment, verb) is ENDS[verb]
    else:
        with pytest.raises(WrongState):
            moved(TRANSITIONS, payment, verb)


def test_a_payment_ends_after_seven_days() -> None:
    assert model.expire_us("banks/LMHFCNB0", NOW_US, TODAY) == NOW_US + 7 * 86_400 * 1_000_000


def test_the_message_says_when_it_was_made() -> None:
    """18:30 UTC is half past two of the next day in China; it is settled on the business date."""
    text = model.message(PAYMENT, NOW_US, TODAY).decode()
    assert "<CreDtTm>2026-12-01T02:30:00+08:00</CreDtTm>" in text
    assert "<IntrBkSttlmDt>2026-12-02</IntrBkSttlmDt>" in text


def test_a_good_payment_has_no_problem() -> None:
    assert reasons() == set()
    assert reasons(remittance_information="Invoice 7\r\n\nand 8") == set()
    assert reasons(creditor_account="12345678") == set()


@pytest.mark.parametrize("field", ["creditor_name", "creditor_town", "creditor_account", "remittance_information"])
@pytest.mark.parametrize("character", ["\x01", "\x1f", "\x0b", "\x7f", "\x85", "\ufffe", "\uffff", "\t"])
def test_characters_that_no_message_has(field: str, character: str) -> None:
    text = f"A{character}B"
    # U+0085 and U+000B end a line of the remittance, as a line feed does.
    is_line = field == "remittance_information" and character in "\x0b\x85"
    expected = set() if is_line else {(field, "CHARACTERS_NOT_TAKEN")}
    assert reasons(**{field: text}) == expected
    assert reasons("CNY", **(CNAPS | {field: text})) == expected


@pytest.mark.parametrize("text", ["许昌云鬓", "MÜLLER", "Ｍ", "—", "€"])
def test_characters_that_correspondent_banking_does_not_take(text: str) -> None:
    assert reasons(creditor_name=text) == {("creditor_name", "CHARACTERS_NOT_TAKEN")}
    assert reasons("CNY", **(CNAPS | {"creditor_name": text})) == set()
    abroad = CNAPS | {"creditor_name": text, "creditor_agent_bic": "PCHTUSN0"}
    assert reasons("CNY", **abroad) == {("creditor_name", "CHARACTERS_NOT_TAKEN")}


@pytest.mark.parametrize(
    ("changes", "field", "reason"),
    [
        ({"creditor_country": "ZZ"}, "creditor_country", "COUNTRY_UNKNOWN"),
        ({"creditor_account": "DE88370400440532013000"}, "creditor_account", "IBAN_INVALID"),
        ({"creditor_name": "  "}, "creditor_name", "TEXT_BLANK"),
        ({"creditor_town": " "}, "creditor_town", "TEXT_BLANK"),
        ({"creditor_agent_bic": "PCHTZZN0"}, "creditor_agent_bic", "BIC_INVALID"),
        ({"amount": Money("USD", 0)}, "amount", "AMOUNT_NOT_POSITIVE"),
        ({"amount": Money("EUR", 1)}, "amount", "CURRENCY_DIFFERS"),
        (
            {"amount": Money("USD", 2**62)},
            "message/FIToFICstmrCdtTrf/CdtTrfTxInf[1]/IntrBkSttlmAmt",
            "VALUE_INVALID",
        ),
        (
            {"bank": "banks/NOTABIC00001"},
            "message/FIToFICstmrCdtTrf/CdtTrfTxInf[1]/DbtrAgt/FinInstnId/BICFI",
            "VALUE_INVALID",
        ),
    ],
)
def test_what_keeps_a_payment_from_being_sent(changes: dict[str, Any], field: str, reason: str) -> None:
    assert reasons(**changes) == {(field, reason)}


def test_all_problems_at_once() -> None:
    found = reasons(creditor_name="\x01", creditor_country="ZZ", creditor_agent_bic="PCHTZZN0")
    assert {field for field, _ in found} == {"creditor_name", "creditor_country", "creditor_agent_bic"}


TEXTS = st.text(max_size=35)


@given(TEXTS, TEXTS, TEXTS, st.text(max_size=140), st.integers(-1, 2**63 - 1), st.sampled_from([{}, CNAPS]))
def test_what_is_prepared_can_be_sent(
    name: str, town: str, account: str, remittance: str, units: int, changes: dict[str, Any]
) -> None:
    """M5: a payment without problems keeps the schema of its message, and is read again."""
    payment = replace(
        replace(PAYMENT, **changes),
        creditor_name=name or "X",
        creditor_town=town or "X",
        creditor_account=account[:34] or "1",
        remittance_information=remittance,
    )
    payment = replace(payment, amount=Money(payment.amount.currency, units))
    if not model.problems(payment, payment.amount.currency, TODAY):
        content = model.message(payment, NOW_US, TODAY)
        text = files("services.settlement.messages").joinpath("schemas", "pacs.008.001.08.xsd").read_bytes()
        etree.XMLSchema(etree.fromstring(text)).assertValid(etree.fromstring(content))
        assert pacs008.parse(content)[1] == []
