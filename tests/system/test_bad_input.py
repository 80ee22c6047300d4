"""Bad input is refused at the real door: clearly, for a stable reason, all at once, and nothing is half done."""

import datetime
import pathlib
import shutil
import uuid
from collections.abc import Iterator
from typing import Any

import grpc
import httpx
import pytest
from aval.credit_insurance.v1 import credit_insurance_pb2
from aval.declarations.v1 import declarations_pb2
from aval.loans.v1 import loans_pb2
from aval.settlement.v1 import settlement_pb2

from chassis import money
from chassis.certificates import Authority
from chassis.contracts import contract
from chassis.server import LARGEST_MESSAGE
from cli.demo import story, world
from services.settlement.messages import pacs008
from tests.support import LEAKS, refusal_of
from tests.system.support import Door, verify

DOCUMENTS = pathlib.Path(__file__).parent.parent / "fixtures" / "decmessage"
WINDOW = world.person(world.WINDOW, "WINDOW").certificate
FIRST, SECOND = (f"banks/{bic}" for bic, _, _ in story.OFFERS)
TELLER = world.person(FIRST, "BANK_SYSTEM").certificate
RIVAL = world.person(SECOND, "BANK_SYSTEM").certificate
REFUSED = declarations_pb2.IntakeVerdict.REFUSED
# Each document of the window's that is wrong, and what it is told.
BROKEN = {
    "bad_malformed": {"XML_MALFORMED"},
    "bad_external_entity": {"DTD_NOT_ALLOWED"},
    "bad_document_type": {"DTD_NOT_ALLOWED"},
    "bad_entity_expansion": {"DTD_NOT_ALLOWED"},
    "bad_wrong_namespace": {"WRONG_NAMESPACE"},
    "bad_line_total": {"TOTAL_MISMATCH"},
    "bad_unknown_currency": {"CURRENCY_UNKNOWN"},
    "bad_many_things": None,
}


def identifier() -> str:
    """A fresh UUID."""
    return str(uuid.uuid4())


def imported(*names: str) -> declarations_pb2.ImportDocumentsRequest:
    """Documents as the window sends them."""
    documents = [
        declarations_pb2.Document(document_id=name, content=(DOCUMENTS / f"{name}.xml").read_bytes()) for name in names
    ]
    return declarations_pb2.ImportDocumentsRequest(request_id=identifier(), documents=documents)


def exporters_account(door: Door) -> str:
    """The story's exporter's account at the first bank."""
    accounts = door.call(TELLER, "settlement", "ListAccounts", settlement_pb2.ListAccountsRequest(page_size=500))
    owner = world.tenant_of(world.exporter(story.EXPORTER))
    (found,) = [a for a in accounts.accounts if (a.owner, a.currency_code) == (owner, "USD")]
    return str(found.name)


def payment(door: Door) -> bytes:
    """A pacs.008 that is right."""
    message = pacs008.CreditTransfer(
        message_id="BAD-INPUT-1",
        uetr=identifier(),
        end_to_end_id="E2E",
        currency_code="USD",
        minor_units=127288_00,
        settlement_date=datetime.date(2026, 11, 2),
        debtor_name="BUYER LTD",
        debtor_town="Atlanta",
        debtor_country="US",
        debtor_agent_bic="PCHTUSN0",
        creditor_name="EXPORTER",
        creditor_account=exporters_account(door).removeprefix("accounts/"),
        creditor_agent_bic="LMHFCNB0",
        remittance_information="for an invoice",
    )
    return pacs008.build(message, datetime.datetime(2026, 11, 2, tzinfo=datetime.UTC))


def test_each_broken_document_is_told_what_is_wrong_and_the_good_one_stands(door: Door) -> None:
    request = imported(*BROKEN, "good_yen")
    *refused, good = door.call(WINDOW, "declarations", "ImportDocuments", request).verdicts
    assert good.outcome == declarations_pb2.IntakeVerdict.ACCEPTED
    for verdict in refused:
        assert (verdict.outcome, verdict.resource) == (REFUSED, ""), verdict
        reasons, expected = {problem.reason for problem in verdict.problems}, BROKEN[verdict.document_id]
        assert reasons == expected if expected else len(reasons) > 1
        assert not LEAKS.search(str(verdict)), verdict
        assert "root:" not in str(verdict)
    # All problems of a document at once, each with its place.
    (many,) = [verdict for verdict in refused if verdict.document_id == "bad_many_things"]
    assert len({problem.path for problem in many.problems}) == len(many.problems) > 3
    # Sent again under the same id, it gets the same answer.
    assert door.call(WINDOW, "declarations", "ImportDocuments", request).verdicts[:-1] == refused


def test_each_broken_payment_is_told_what_is_wrong(door: Door) -> None:
    right = payment(door)
    broken = {
        "XML_MALFORMED": right[:-20],
        "DTD_NOT_ALLOWED": b'<!DOCTYPE Document [<!ENTITY x SYSTEM "file:///etc/passwd">]><Document>&x;</Document>',
        "WRONG_NAMESPACE": right.replace(b"pacs.008.001.", b"pacs.009.001."),
        "AMOUNT_INVALID": right.replace(b"127288.00", b"127288.001"),
        "CURRENCY_UNKNOWN": right.replace(b'Ccy="USD"', b'Ccy="USX"'),
    }
    for reason, content in broken.items():
        assert content != right
        request = settlement_pb2.ImportPaymentRequest(request_id=identifier(), content=content)
        raw = request.SerializeToString()
        with pytest.raises(grpc.RpcError) as caught:
            door.raw(TELLER, "settlement", "ImportPayment", raw)
        refusal = refusal_of(caught.value, "en")
        assert (refusal.code, refusal.reason) == ("INVALID_ARGUMENT", "INVALID_FIELDS")
        assert reason in str(caught.value.trailing_metadata())
        assert door.refused(TELLER, "settlement", "ImportPayment", request) == refusal
    # Wrong in several places: all are named.
    content = right.replace(b'Ccy="USD"', b'Ccy="USX"').replace(b"PCHTUSN0", b"PCHTUS")
    request = settlement_pb2.ImportPaymentRequest(request_id=identifier(), content=content)
    assert len(door.refused(TELLER, "settlement", "ImportPayment", request).violations) == 2


def connected(door: Door, folder: pathlib.Path, name: str, lifetime_days: int = 1) -> grpc.RpcError:
    """How a call with a certificate of an authority's folder ends."""
    credentials = Authority(folder).issue(name, datetime.timedelta(days=lifetime_days), renew=True)
    with door.channel(credentials) as channel:
        return _failed(channel)


def _failed(channel: grpc.Channel) -> grpc.RpcError:
    call = channel.unary_unary(contract("declarations").path("ListDeclarations"))
    with pytest.raises(grpc.RpcError) as caught:
        call(b"", timeout=20)
    return caught.value


def copy_of_authority(door: Door, folder: pathlib.Path) -> pathlib.Path:
    """The platform's own authority elsewhere, so that no certificate in use is replaced."""
    for name in ("ca.key", "ca.crt"):
        shutil.copy(door.certificates / name, folder / name)
    return folder


def test_who_shows_no_good_certificate_stays_outside(door: Door, tmp_path: pathlib.Path) -> None:
    with grpc.secure_channel(
        door.addresses.door, grpc.ssl_channel_credentials((door.certificates / "ca.crt").read_bytes())
    ) as channel:
        assert _failed(channel).code() is grpc.StatusCode.UNAVAILABLE
    with grpc.insecure_channel(door.addresses.door) as channel:
        assert _failed(channel).code() is grpc.StatusCode.UNAVAILABLE
    ours = copy_of_authority(door, tmp_path)
    assert connected(door, ours, TELLER, -1).code() is grpc.StatusCode.UNAVAILABLE
    for name in ("banks/LMHFCNB0/nobody", "services/declarations", "services/gateway"):
        refusal = refusal_of(connected(door, ours, name), "en")
        assert (refusal.code, refusal.reason) == ("UNAUTHENTICATED", "CERTIFICATE_UNKNOWN")


def test_a_certificate_of_another_authority_stays_outside(door: Door, tmp_path: pathlib.Path) -> None:
    credentials = Authority(tmp_path).issue(TELLER)
    credentials.authority = (door.certificates / "ca.crt").read_bytes()
    with door.channel(credentials) as channel:
        assert _failed(channel).code() is grpc.StatusCode.UNAVAILABLE


def test_what_is_another_tenants_isnt_there(door: Door) -> None:
    loans = door.call(TELLER, "loans", "ListLoans", loans_pb2.ListLoansRequest()).loans
    (loan,) = [entry for entry in loans if entry.bank == FIRST]
    checker = world.person(SECOND, "BANK_CHECKER").certificate
    account = exporters_account(door)
    sign = loans_pb2.SignLoanRequest(request_id=identifier(), name=loan.name, instruction=b"x", signature="x")
    for service, method, request, certificate in (
        ("loans", "GetLoan", loans_pb2.GetLoanRequest(name=loan.name), RIVAL),
        ("loans", "SignLoan", sign, checker),
        ("declarations", "GetEncumbrance", declarations_pb2.GetEncumbranceRequest(name=loan.encumbrance), RIVAL),
        ("settlement", "GetAccount", settlement_pb2.GetAccountRequest(name=account), RIVAL),
        ("settlement", "ListTransfers", settlement_pb2.ListTransfersRequest(account=account), RIVAL),
    ):
        refusal = door.refused(certificate, service, method, request)
        assert (refusal.code, refusal.reason) == ("NOT_FOUND", "NOT_FOUND"), method
    # A release is taken as one of its own: of another's encumbrance and of none alike.
    for name in (loan.encumbrance, f"encumbrances/{identifier()}"):
        release = declarations_pb2.ReleaseEncumbranceRequest(request_id=identifier(), name=name)
        own = door.call(RIVAL, "declarations", "ReleaseEncumbrance", release)
        assert (own.holder, list(own.items)) == (RIVAL.rpartition("/")[0], [])
        assert own.name != name
    assert door.call(TELLER, "loans", "GetLoan", loans_pb2.GetLoanRequest(name=loan.name)) == loan


def transfer(door: Door, units: int, request_id: str) -> settlement_pb2.CreateTransferRequest:
    """The bank moves money from its own account to the exporter's."""
    accounts = door.call(TELLER, "settlement", "ListAccounts", settlement_pb2.ListAccountsRequest(page_size=500))
    (nostro,) = [a for a in accounts.accounts if (a.kind, a.currency_code) == (settlement_pb2.Account.NOSTRO, "USD")]
    moved = settlement_pb2.Transfer(
        debit_account=nostro.name,
        credit_account=exporters_account(door),
        amount=money.to_proto(money.Money("USD", units)),
    )
    return settlement_pb2.CreateTransferRequest(request_id=request_id, transfer=moved)


def test_a_request_id_with_other_content_is_refused(door: Door) -> None:
    request_id = identifier()
    first = door.call(TELLER, "settlement", "CreateTransfer", transfer(door, 100, request_id))
    assert door.call(TELLER, "settlement", "CreateTransfer", transfer(door, 100, request_id)) == first
    refusal = door.refused(TELLER, "settlement", "CreateTransfer", transfer(door, 101, request_id))
    assert (refusal.code, refusal.reason) == ("ALREADY_EXISTS", "REQUEST_ID_REUSED")


def test_a_message_over_the_limit_is_refused(door: Door) -> None:
    refusal = door.refused(WINDOW, "declarations", "ImportDocuments", bytes(LARGEST_MESSAGE + 1))
    assert (refusal.code, refusal.reason) == ("INVALID_ARGUMENT", "MESSAGE_TOO_LARGE")
    refusal = door.refused(WINDOW, "declarations", "ImportDocuments", b"\xff\xff")
    assert (refusal.code, refusal.reason) == ("INVALID_ARGUMENT", "INVALID_FIELDS")


def test_a_stale_etag_is_refused_and_the_right_one_goes_through(door: Door) -> None:
    maker = world.person(world.insurer(), "INSURER_MAKER").certificate
    checker = world.person(world.insurer(), "INSURER_CHECKER").certificate
    policy = credit_insurance_pb2.Policy(
        enterprise=world.tenant_of(world.exporter(story.EXPORTER)), maximum_liability=world.amount("1000", "USD")
    )
    policy.insured_ratio.value = policy.premium_rate.value = "0.5"
    for field, year in (("start_date", 2026), ("end_date", 2027)):
        day = getattr(policy, field)
        day.year, day.month, day.day = year, 1, 1
    create = credit_insurance_pb2.CreatePolicyRequest(request_id=identifier(), policy=policy)
    made = door.call(maker, "credit_insurance", "CreatePolicy", create)
    approve = credit_insurance_pb2.ApprovePolicyRequest(request_id=identifier(), name=made.name, etag="stale")
    refusal = door.refused(checker, "credit_insurance", "ApprovePolicy", approve)
    assert (refusal.code, refusal.reason) == ("ABORTED", "ETAG_MISMATCH")
    approve.etag = made.etag
    door.call(checker, "credit_insurance", "ApprovePolicy", approve)


def test_all_fields_that_are_wrong_are_named_at_once(door: Door) -> None:
    maker = world.person(FIRST, "BANK_MAKER").certificate
    offer = loans_pb2.Offer(application="none", tenor_days=1000)
    refusal = door.refused(maker, "loans", "CreateOffer", loans_pb2.CreateOfferRequest(request_id="x", offer=offer))
    assert (refusal.code, refusal.reason) == ("INVALID_ARGUMENT", "INVALID_FIELDS")
    wrong = {"application", "amount", "annual_rate", "fee", "tenor_days", "expire_time"}
    assert {"request_id", *(f"offer.{field}" for field in wrong)} <= {*refusal.violations}


@pytest.fixture
def exporter(door: Door) -> Iterator[httpx.Client]:
    """The story's exporter, signed in."""
    login = world.person(world.tenant_of(world.exporter(story.EXPORTER)), "EXPORTER").login
    with httpx.Client(base_url=door.addresses.url, headers={"x-aval-request": "1"}, timeout=20) as client:
        client.post("/session", json={"login": login, "password": world.PASSWORD}).raise_for_status()
        yield client


def test_the_json_api_refuses_as_the_door_does(door: Door, exporter: httpx.Client) -> None:
    key = {"idempotency-key": identifier()}
    body: dict[str, Any] = {
        "institution": SECOND,
        "purpose": "bad input",
        "expireTime": "2031-01-01T00:00:00Z",
    }
    made = exporter.post("/v1/consents", json=body, headers=key).json()
    revoke = f"/v1/{made['name']}:revoke"
    foreign = world.tenant_of(next(entry for entry in world.world()["exporters"] if entry["id"] != story.EXPORTER))
    answers = {
        "REQUEST_ID_REUSED": exporter.post("/v1/consents", json={**body, "purpose": "other"}, headers=key),
        "ETAG_MISMATCH": exporter.post(revoke, json={"etag": "stale"}, headers={"idempotency-key": identifier()}),
        "INVALID_FIELDS": exporter.post("/v1/consents", json={}, headers={"idempotency-key": identifier()}),
        "NOT_FOUND": exporter.get("/v1/loans/another-one"),
        "MALFORMED": exporter.post("/v1/consents", content=b"{", headers={"idempotency-key": identifier()}),
    }
    for reason, answer in answers.items():
        assert 400 <= answer.status_code < 500, answer.text
        assert answer.json()["reason"] == reason or reason == "MALFORMED", answer.text
        assert not LEAKS.search(answer.text), answer.text
    listed = exporter.get("/v1/declarations", params={"enterprise": foreign})
    assert listed.is_error or not listed.json().get("declarations")
    large = exporter.post("/v1/consents", content=b" " * (LARGEST_MESSAGE + 1), headers=key)
    assert large.status_code in (400, 413)
    assert not LEAKS.search(large.text)


def test_nothing_is_half_done(door: Door) -> None:
    report = verify(door.layout.folder)
    assert report["ok"], report["violations"]
