"""`aval`'s other commands, as a person or a program uses them."""

import contextlib
import datetime
import json
import pathlib
import sqlite3
import time
import uuid
from collections.abc import Callable
from typing import Any

import httpx
import psycopg
import pyotp
import pytest
from aval.declarations.v1 import declarations_pb2
from cryptography import x509
from google.protobuf import any_pb2

from chassis.certificates import Authority
from chassis.contracts import event_types
from chassis.testing import PostgreSQL
from cli import stores
from cli.demo import story, world
from cli.explaining import EXPLAINING
from cli.layout import Layout
from tests import derivation_walk
from tests.system.support import Door, aval, kill, up, verify, wait_until_gone
from trade.derivations import store as derivation_store

DOCUMENTS = sorted((pathlib.Path(__file__).parent.parent / "fixtures" / "decmessage").glob("*.xml"))
LOGIN = world.person(world.tenant_of(world.exporter(story.EXPORTER)), "EXPORTER").login
# Right by itself, but another document of the folder has its number.
SAME_NUMBER = "good_fifty_lines.xml"
Execute = Callable[[str], list[Any]]


def reported(*arguments: str) -> tuple[int, dict[str, Any]]:
    """Exit status and report: one JSON document and nothing else on standard output."""
    done = aval(*arguments, "--json")
    return done.returncode, json.loads(done.stdout)


def copied(door: Door, folder: pathlib.Path) -> pathlib.Path:
    """The platform's store as it is now, in another folder."""
    (folder / "store").mkdir()
    for file in (door.layout.folder / "store").glob("*.sqlite"):
        with sqlite3.connect(file) as source, sqlite3.connect(folder / "store" / file.name) as target:
            source.backup(target)
        source.close()
        target.close()
    return folder


def flip(execute: Execute, table: str) -> tuple[str, str]:
    """Changes one stored amount by hand: where, as verification says it, and how it is put right."""
    if table == "ledger_transfers":
        ((position,),) = execute("SELECT max(position) FROM ledger_transfers")
        execute(f"UPDATE ledger_transfers SET amount = amount + 1 WHERE position = {position} RETURNING 1")
        return (
            f"to {position})",
            f"UPDATE ledger_transfers SET amount = amount - 1 WHERE position = {position} RETURNING 1",
        )
    ((account,),) = execute("SELECT min(CAST(id AS text)) FROM ledger_accounts WHERE credits_posted > 0")
    change = "UPDATE ledger_accounts SET credits_posted = credits_posted {} 1 WHERE CAST(id AS text) = '{}' RETURNING 1"
    execute(change.format("+", account))
    return account, change.format("-", account)


def check_flipped(execute: Execute, service: str, *arguments: str) -> None:
    """A store that is right, wrong in two ways one after the other, and right again."""
    for table in ("ledger_transfers", "ledger_accounts"):
        place, undo = flip(execute, table)
        status, report = reported("verify", *arguments)
        assert (status, report["ok"]) == (1, False)
        assert any(entry.startswith(f"{service}: ") and place in entry for entry in report["violations"]), report
        assert report["chains_ok"] == (table != "ledger_transfers")
        execute(undo)
    status, report = reported("verify", *arguments)
    assert (status, report["ok"], report["violations"]) == (0, True, [])
    assert {book["service"] for book in report["books"]} == {*story.ALL_SERVICES} - {"gateway"}
    assert all(book["debits"] == book["credits"] for book in report["books"])


@pytest.mark.parametrize("service", ["declarations", "settlement", "credit_insurance", "loans"])
def test_verify_says_where_an_amount_was_changed_on_sqlite(door: Door, tmp_path: pathlib.Path, service: str) -> None:
    folder = copied(door, tmp_path)
    connection = sqlite3.connect(folder / "store" / f"{service}.sqlite", isolation_level=None)
    try:
        check_flipped(lambda text: connection.execute(text).fetchall(), service, "--folder", str(folder))
    finally:
        connection.close()


def test_verify_says_where_an_amount_was_changed_on_postgresql(postgresql_server: PostgreSQL) -> None:
    url = postgresql_server.new_database()
    assert reported("demo", "--database", url)[0] == 0
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SET search_path TO settlement")
        check_flipped(lambda text: connection.execute(text.encode()).fetchall(), "settlement", "--database", url)


# Money faults planted in the story's rows: service, table, column, wrong value, and what verification says of it.
FAULTS = [
    ("loans", "repayments", "bank", "banks/YUHECNB0", "repays loans/"),
    ("loans", "repayments", "value_date", "2072-01-22", "counts from 2072-01-22"),
    ("settlement", "incoming_payments", "state", "MATCHED", "waits for nobody"),
    ("settlement", "incoming_payments", "amount_currency", "ZZZ", "ZZZ"),
    ("declarations", "encumbrances", "holder", "banks/YUHECNB0", "is held by banks/YUHECNB0"),
    ("credit_insurance", "covered_shipments", "state", "COVERED", "is COVERED, its exposure"),
]


def check_faults(execute: Callable[[str, str], list[Any]], *arguments: str) -> None:
    """Each fault is named while it stands, and nothing once it is gone."""
    for service, table, column, wrong, words in FAULTS:
        receivables = " WHERE asset_class = 'RECEIVABLE'" if table == "encumbrances" else ""
        ((right,),) = execute(service, f"SELECT {column} FROM {table}{receivables}")
        execute(service, f"UPDATE {table} SET {column} = '{wrong}'{receivables} RETURNING 1")
        status, report = reported("verify", *arguments)
        assert (status, report["ok"]) == (1, False), column
        assert any(words in violation for violation in report["violations"]), (column, report["violations"])
        execute(service, f"UPDATE {table} SET {column} = '{right}'{receivables} RETURNING 1")
    assert reported("verify", *arguments)[1]["violations"] == []


def test_verify_names_each_money_fault_on_sqlite(tmp_path: pathlib.Path) -> None:
    with up(tmp_path) as running:
        running.wait_for("Serving")

    def execute(service: str, statement: str) -> list[Any]:
        file = tmp_path / "store" / f"{service}.sqlite"
        with contextlib.closing(sqlite3.connect(file, isolation_level=None)) as connection:
            return connection.execute(statement).fetchall()

    check_faults(execute, "--folder", str(tmp_path))


def test_verify_names_each_money_fault_on_postgresql(postgresql_server: PostgreSQL) -> None:
    url = postgresql_server.new_database()
    assert reported("demo", "--database", url)[0] == 0

    def execute(service: str, statement: str) -> list[Any]:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(f"SET search_path TO {service}".encode())
            return connection.execute(statement.encode()).fetchall()

    check_faults(execute, "--database", url)


@pytest.mark.parametrize("service", ["declarations", "settlement", "credit_insurance", "loans"])
def test_every_event_of_the_story_is_of_its_contract(door: Door, tmp_path: pathlib.Path, service: str) -> None:
    folder, known = copied(door, tmp_path), event_types(service)
    with contextlib.closing(sqlite3.connect(folder / "store" / f"{service}.sqlite")) as connection:
        rows = connection.execute("SELECT type, payload FROM events").fetchall()
    found = {(type_, any_pb2.Any.FromString(payload).TypeName()) for type_, payload in rows}
    assert len(found) >= 4
    assert sorted(found - known.items()) == []


def test_verify_of_nothing_says_so(tmp_path: pathlib.Path) -> None:
    done = aval("verify", "--json", "--folder", str(tmp_path / "nowhere"))
    assert (done.returncode, done.stdout) == (1, "")
    assert "there is no platform's store" in done.stderr


def check_import(folder: pathlib.Path) -> None:
    """Every document is accounted for, and accepted once."""
    files = [str(file) for file in DOCUMENTS]
    (_, first), (_, again) = (reported("import", *files, "--folder", str(folder)) for _ in range(2))
    for report in (first, again):
        refused = {row["file"] for row in report["refused"]}
        assert report["read"] == len(files) == report["accepted"] + report["duplicates"] + len(refused)
        assert refused == {file for file in files if "/bad_" in file or file.endswith(SAME_NUMBER)}
        assert all(row["rule"] and row["message"] for row in report["refused"])
    assert first["accepted"] > 0
    assert (again["accepted"], again["duplicates"]) == (0, first["accepted"] + first["duplicates"])


def test_import_opens_the_store_itself(tmp_path: pathlib.Path) -> None:
    check_import(tmp_path)
    assert reported("verify", "--folder", str(tmp_path))[1]["violations"] == []


def test_import_uses_the_platform_that_runs(tmp_path: pathlib.Path) -> None:
    with up(tmp_path, demo=False) as running:
        running.wait_for("Serving")
        check_import(tmp_path)


def test_ca_makes_certificates_once_and_keys_for_their_owner_only(tmp_path: pathlib.Path) -> None:
    name = "banks/NEWBCNB0/new.system"
    (_, first), (_, again) = (reported("ca", name, "--folder", str(tmp_path)) for _ in range(2))
    assert first == again
    base = pathlib.Path(first["certificates"][name])
    certificate, key = (base.with_name(base.name + ending) for ending in (".crt", ".key"))
    assert key.stat().st_mode & 0o777 == 0o600
    read = x509.load_pem_x509_certificate(certificate.read_bytes())
    read.verify_directly_issued_by(x509.load_pem_x509_certificate(pathlib.Path(first["authority"]).read_bytes()))
    names = read.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert f"spiffe://aval/{name}" in names.get_values_for_type(x509.UniformResourceIdentifier)


def test_code_gives_the_present_code(door: Door) -> None:
    status, report = reported("code", LOGIN, "--folder", str(door.layout.folder))
    codes = pyotp.TOTP(world.one_time_secret(Authority(door.certificates), LOGIN))
    assert status == 0
    assert codes.verify(report["code"], valid_window=1)


@pytest.mark.parametrize("login", [LOGIN, "nobody"])
def test_code_without_a_platform_or_a_person_says_so(door: Door, tmp_path: pathlib.Path, login: str) -> None:
    folder = tmp_path / "nowhere" if login == LOGIN else door.layout.folder
    done = aval("code", login, "--json", "--folder", str(folder))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("Error: "), done.stderr
    assert not (tmp_path / "nowhere").exists()


def test_a_sandbox_declaration_is_new_closed_and_can_be_insured_and_financed(door: Door) -> None:
    arguments = ("sandbox", "declaration", "--amount", "2500.00", "--folder", str(door.layout.folder))
    (_, first), (status, report) = (reported(*arguments) for _ in range(2))
    assert (status, report["status"]) == (0, "CLOSED")
    assert report["declaration"] != first["declaration"]
    with httpx.Client(base_url=door.addresses.url, headers={"x-aval-request": "1"}, timeout=20) as client:
        client.post("/session", json={"login": LOGIN, "password": world.PASSWORD}).raise_for_status()
        assert client.get(f"/v1/{report['declaration']}").json()["declaredValue"]["minorUnits"] == "250000"
        covered = insured(client, report, reported("date", "show", *arguments[-2:])[1]["date"])
    assert covered["state"] == "COVERED", covered
    read = declarations_pb2.GetDeclarationRequest(name=report["declaration"])
    found = door.call("banks/LMHFCNB0/lmhf.system", "declarations", "GetDeclaration", read)
    assert found.value.available.minor_units > 0


def insured(client: httpx.Client, report: dict[str, Any], date: str) -> Any:
    """The declaration's cover, once it is decided, under the limit of the buyer that the report names."""
    limits = client.get("/v1/buyerLimits?pageSize=100").json()["buyerLimits"]
    limit = next(entry for entry in limits if (entry["buyerName"], entry["state"]) == (report["buyer"], "IN_FORCE"))
    shipped = datetime.date.fromisoformat(date)
    due = shipped + datetime.timedelta(days=90)
    body = {
        "buyerLimit": limit["name"],
        "declaration": report["declaration"],
        "invoiceAmount": {"currencyCode": "USD", "minorUnits": "250000"},
        "shipmentDate": {"year": shipped.year, "month": shipped.month, "day": shipped.day},
        "dueDate": {"year": due.year, "month": due.month, "day": due.day},
    }
    made = client.post("/v1/coveredShipments", json=body, headers={"idempotency-key": str(uuid.uuid4())}).json()
    deadline = time.monotonic() + 30
    while (found := client.get(f"/v1/{made['name']}").json())["state"] not in ("COVERED", "REFUSED"):
        assert time.monotonic() < deadline, found
        time.sleep(0.05)
    return found


def test_a_sandbox_declaration_is_financed_until_a_state(door: Door) -> None:
    arguments = ("sandbox", "declaration", "--amount", "2500.00", "--folder", str(door.layout.folder))
    status, offered = reported(*arguments, "--financed-until", "OFFERED")
    assert (status, offered["loan"], bool(offered["application"])) == (0, "", True)
    status, active = reported(*arguments, "--financed-until", "ACTIVE")
    assert status == 0
    with httpx.Client(base_url=door.addresses.url, headers={"x-aval-request": "1"}, timeout=20) as client:
        client.post("/session", json={"login": LOGIN, "password": world.PASSWORD}).raise_for_status()
        loan = client.get(f"/v1/{active['loan']}").json()
    assert (loan["declarations"], loan["state"]) == ([active["declaration"]], "ACTIVE")


def test_a_sandbox_needs_a_demo_that_runs(tmp_path: pathlib.Path, door: Door) -> None:
    for arguments in (("--folder", str(tmp_path)), ("--folder", str(door.layout.folder), "--exporter", "nobody")):
        done = aval("sandbox", "declaration", "--json", *arguments)
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr.startswith("Error: "), done.stderr


def test_a_second_platform_on_a_folder_is_refused(door: Door) -> None:
    done = aval("up", "--folder", str(door.layout.folder))
    assert done.returncode == 1
    assert done.stderr.strip() == f"Error: another `aval up` runs on {door.layout.folder}; stop it or give --folder"
    assert door.layout.running() == door.addresses


def test_up_restarts_a_child_and_its_children_die_with_it(tmp_path: pathlib.Path) -> None:
    with up(tmp_path, demo=False) as running:
        running.wait_for("Serving")
        before = running.child("loans")
        kill(before)
        running.wait_for("loans ended; starting it again")
        deadline = time.monotonic() + 20
        while len(children := running.children()) < 6:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        assert before not in children
        running.kill()
    wait_until_gone(children)
    assert Layout(tmp_path).running() is None


def test_simulate_reports_no_violation() -> None:
    status, report = reported("simulate", "--seed", "2", "--steps", "1500")
    assert (status, report["ok"], report["violations"]) == (0, True, [])
    assert report["steps"] >= 1500
    assert report["crashes"] > 0


def test_a_lost_store_is_no_proof(tmp_path: pathlib.Path) -> None:
    with up(tmp_path) as running:
        running.wait_for("The story ended well")
    for file in (tmp_path / "store").glob("loans.sqlite*"):
        file.unlink()
    report = verify(tmp_path)
    assert "loans: its store is missing" in report["violations"]


def test_a_store_whose_ring_is_lost_is_refused_plainly(tmp_path: pathlib.Path) -> None:
    """Neither command works on rows that it could neither open nor find again, and both say why."""
    assert reported("import", str(DOCUMENTS[0]), "--folder", str(tmp_path))[0] == 0
    for ring in Layout(tmp_path).certificates.glob("*.keys.json"):
        ring.unlink()
    for command in (("up",), ("import", str(DOCUMENTS[0]))):
        done = aval(*command, "--folder", str(tmp_path))
        assert done.returncode == 1
        assert "another key ring" in done.stderr
        assert "Traceback" not in done.stderr


# What the story decides of amounts and dates, by collection.
DERIVED = {
    "offers": {"interest", "all_in_cost", "simple_rate"},
    "repayments": {"interest", "principal", "unsecured"},
    "coveredShipments": {"premium", "covered_amount", "insured_amount", "insured_value"},
    "declarations": {"value.margin"},
    "incomingPayments": {"amount"},
}


def test_every_amount_of_the_story_is_derived_and_holds(door: Door, tmp_path: pathlib.Path) -> None:
    """DV1: each stored derivation gives its result again, and none does with one of its leaves changed."""
    folder = copied(door, tmp_path)
    derived: dict[str, set[str]] = {}
    with stores.opened(Layout(folder).database_in_use()) as opened:
        for service, store in opened:
            with store.read() as connection:
                for place in derivation_walk.walk(connection, EXPLAINING[service.name]):
                    resource, field = place.split(" ")
                    derived.setdefault(resource.partition("/")[0], set()).add(field.rpartition("].")[2])
    assert {collection: derived[collection] for collection in DERIVED} == DERIVED


def test_an_amount_is_explained_in_either_language(door: Door) -> None:
    folder = str(door.layout.folder)
    with stores.opened(door.layout.database_in_use()) as opened:
        (loans,) = [store for service, store in opened if service.name == "loans"]
        with loans.read() as connection:
            names = sorted({stored.resource for page in derivation_store.pages(connection) for stored in page})
    offer = next(name for name in names if name.startswith("offers/"))
    status, report = reported("explain", offer, "--field", "interest", "--folder", folder)
    assert (status, [told["field"] for told in report["derivations"]]) == (0, ["interest"])
    assert report["derivations"][0]["derivation"]["rule"] == "interest.accrued"
    told = aval("explain", offer, "--folder", folder, "--language", "zh-CN")
    assert told.returncode == 0
    assert "按年利率" in told.stdout
    unknown = aval("explain", "offers/unknown", "--folder", folder)
    assert (unknown.returncode, "nothing is derived of offers/unknown" in unknown.stderr) == (1, True)
