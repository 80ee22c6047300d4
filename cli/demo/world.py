"""The demo's world: its people, accounts, policies and limits, loaded by the requests their owners would make.

Every request's id follows from what it is for, so that loading again changes nothing.
"""

import asyncio
import base64
import datetime
import hashlib
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from importlib.resources import files
from typing import Any

from aval.credit_insurance.v1 import credit_insurance_pb2
from aval.settlement.v1 import settlement_pb2

from chassis import ids, money, rpc
from chassis.certificates import Authority
from chassis.client import AssertingClient
from chassis.database import Database
from chassis.identity import Caller
from gateway.directory.directory import load_principals
from gateway.directory.model import SESSION_ROLES, NewPrincipal

PASSWORD = "aval-demo"  # noqa: S105
WINDOW = "windows/henan"
OPERATOR = "operators/aval"
REGULATOR = "regulators/4600"


@cache
def world() -> Mapping[str, Any]:
    """Returns the world's data."""
    result: Mapping[str, Any] = tomllib.loads(
        files("cli.demo").joinpath("world", "world.toml").read_text(encoding="utf-8")
    )
    return result


def template(name: str) -> str:
    """Returns a document of the world with its $placeholders."""
    return files("cli.demo").joinpath("world", name).read_text(encoding="utf-8")


@dataclass(frozen=True, slots=True)
class Person:
    """Someone of the world: a principal of a tenant with one role."""

    login: str
    tenant: str
    role: str
    name_english: str
    name_chinese: str
    tenant_name_english: str
    tenant_name_chinese: str

    @property
    def certificate(self) -> str:
        """Returns the name in the person's certificate; exporters come by the pages and need none."""
        return "" if self.role == "EXPORTER" else f"{self.tenant}/{self.login}"

    @property
    def caller(self) -> Caller:
        """As services know them."""
        return Caller(f"{self.tenant}/{self.login}", self.tenant, frozenset({self.role}))


def _people() -> Iterator[Person]:
    singles = {WINDOW: "window", OPERATOR: "operator", REGULATOR: "regulator"}
    found: list[tuple[str, Mapping[str, Any]]] = [(tenant, world()[name]) for tenant, name in singles.items()]
    found += [(f"banks/{bank['bic']}", bank) for bank in world()["banks"]]
    found += [(f"insurers/{insurer['lei']}", insurer) for insurer in world()["insurers"]]
    found += [(f"enterprises/{exporter['social_credit_code']}", exporter) for exporter in world()["exporters"]]
    for tenant, institution in found:
        for entry in institution["people"]:
            names = (entry["name_english"], entry["name_chinese"])
            tenant_names = (institution["name_english"], institution["name_chinese"])
            yield Person(entry["login"], tenant, entry["role"], *names, *tenant_names)


def people() -> list[Person]:
    """Everyone."""
    return list(_people())


def person(tenant: str, role: str) -> Person:
    """Returns the person who has a role at a tenant."""
    return next(member for member in people() if (member.tenant, member.role) == (tenant, role))


def one_time_secret(authority: Authority, login: str) -> str:
    """Returns the secret of a person's one-time codes on this platform, base32.

    It follows from the platform's own keys.
    """
    key = (authority.folder / "services_gateway.signing").read_bytes()
    return base64.b32encode(hashlib.sha256(key + login.encode()).digest()[:20]).decode()


def enter_people(authority: Authority, directory: Database) -> None:
    """Everyone into the gateway's directory, with certificates for those who need them."""
    for each_person in people():
        if each_person.certificate:
            authority.issue(each_person.certificate)
    load_principals(directory, [_principal(authority, other_person) for other_person in people()])


def _principal(authority: Authority, member: Person) -> NewPrincipal:
    names = (
        member.name_english,
        member.name_chinese,
        member.tenant_name_english,
        member.tenant_name_chinese,
    )
    # Whoever comes by certificate has neither a password nor codes.
    has_session = member.role in SESSION_ROLES
    password, secret = (PASSWORD, one_time_secret(authority, member.login)) if has_session else ("", "")
    return NewPrincipal(member.login, member.tenant, (member.role,), *names, member.certificate, password, secret)


def request_id(*parts: object) -> str:
    """Returns the id of one of the world's requests."""
    return ids.derived("demo world", *parts)


def amount(text: str, currency: str) -> Any:
    """Returns an amount of the world's data on the wire."""
    return money.to_proto(money.rounded(Decimal(text), currency))


def exporter(identifier: str) -> Mapping[str, Any]:
    """Returns an exporter of the world."""
    row: Mapping[str, Any] = next(entry for entry in world()["exporters"] if entry["id"] == identifier)
    return row


def buyer(identifier: str) -> Mapping[str, Any]:
    """Returns a buyer of the world."""
    row: Mapping[str, Any] = next(entry for entry in world()["buyers"] if entry["id"] == identifier)
    return row


def tenant_of(exporter: Mapping[str, Any]) -> str:
    """Returns an exporter's tenant."""
    return f"enterprises/{exporter['social_credit_code']}"


def insurer() -> str:
    """Returns the insurer's tenant."""
    return f"insurers/{world()['insurers'][0]['lei']}"


async def load(client: AssertingClient) -> None:
    """Accounts with their balances, policies and buyer limits."""
    await asyncio.gather(*(_load_accounts(client, entry) for entry in world()["exporters"]))
    for policy in world()["policies"]:
        await _load_policy(client, policy)


async def open_account(client: AssertingClient, bank: str, owner: str, currency: str, kind: str) -> str:
    """Returns the name of an account; opens it if need be."""
    teller = person(bank, "BANK_MAKER").caller
    account = settlement_pb2.Account(owner=owner, currency_code=currency, kind=kind)
    identifier = request_id("account", bank, owner, currency, kind)
    request = settlement_pb2.OpenAccountRequest(request_id=identifier, account=account)
    opened: settlement_pb2.Account = await client.call("settlement", "OpenAccount", request, teller)
    return opened.name


async def _load_accounts(client: AssertingClient, exporter: Mapping[str, Any]) -> None:
    for account in exporter["accounts"]:
        bank, currency = f"banks/{account['bank']}", account["currency"]
        nostro = await open_account(client, bank, bank, currency, "NOSTRO")
        current = await open_account(client, bank, tenant_of(exporter), currency, "CURRENT")
        transfer = settlement_pb2.Transfer(
            debit_account=nostro,
            credit_account=current,
            amount=amount(account["balance"], currency),
            reference="opening balance",
        )
        identifier = request_id("balance", bank, exporter["id"], currency)
        request = settlement_pb2.CreateTransferRequest(request_id=identifier, transfer=transfer)
        await client.call("settlement", "CreateTransfer", request, person(bank, "BANK_SYSTEM").caller)


async def _load_policy(client: AssertingClient, data: Mapping[str, Any]) -> None:
    maker, checker = person(insurer(), "INSURER_MAKER").caller, person(insurer(), "INSURER_CHECKER").caller
    policy = credit_insurance_pb2.Policy(
        enterprise=tenant_of(exporter(data["exporter"])),
        insured_ratio=rpc.decimal(Decimal(data["insured_ratio"])),
        maximum_liability=amount(data["maximum_liability"], data["currency"]),
        start_date=rpc.date(datetime.date.fromisoformat(data["start_date"])),
        end_date=rpc.date(datetime.date.fromisoformat(data["end_date"])),
    )
    key = ("policy", data["exporter"])
    create = credit_insurance_pb2.CreatePolicyRequest(request_id=request_id(*key), policy=policy)
    created = await client.call("credit_insurance", "CreatePolicy", create, maker)
    approve = credit_insurance_pb2.ApprovePolicyRequest(
        request_id=request_id(*key, "approve"), name=created.name, etag=created.etag
    )
    await client.call("credit_insurance", "ApprovePolicy", approve, checker)
    for name in data["buyers"]:
        await _load_limit(client, data, created.name, buyer(name))


async def _load_limit(
    client: AssertingClient, data: Mapping[str, Any], policy: str, buyer_data: Mapping[str, Any]
) -> None:
    asker = person(tenant_of(exporter(data["exporter"])), "EXPORTER").caller
    maker, checker = person(insurer(), "INSURER_MAKER").caller, person(insurer(), "INSURER_CHECKER").caller
    key = ("buyer limit", data["exporter"], buyer_data["id"])
    limit = amount(data["buyer_limit"], data["currency"])
    ask = credit_insurance_pb2.RequestBuyerLimitRequest(
        request_id=request_id(*key),
        policy=policy,
        buyer_name=buyer_data["name"],
        buyer_country=buyer_data["country"],
        amount=limit,
        payment_term_days=data["payment_term_days"],
    )
    asked = await client.call("credit_insurance", "RequestBuyerLimit", ask, asker)
    decide = credit_insurance_pb2.DecideBuyerLimitRequest(
        request_id=request_id(*key, "decide"),
        name=asked.name,
        amount=limit,
        payment_term_days=data["payment_term_days"],
        start_date=rpc.date(datetime.date.fromisoformat(data["start_date"])),
        end_date=rpc.date(datetime.date.fromisoformat(data["end_date"])),
        etag=asked.etag,
    )
    decided = await client.call("credit_insurance", "DecideBuyerLimit", decide, maker)
    approve = credit_insurance_pb2.ApproveBuyerLimitRequest(
        request_id=request_id(*key, "approve"), name=asked.name, etag=decided.etag
    )
    await client.call("credit_insurance", "ApproveBuyerLimit", approve, checker)


def logins(roles: Iterable[str]) -> list[str]:
    """Returns the logins of people with one of the roles."""
    return [member.login for member in people() if member.role in set(roles)]
