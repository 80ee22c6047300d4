"""Every given file by the part that reads it: its verdict, the values of its row, and what a refusal says."""

import json
import pathlib
import re
import shutil
import subprocess
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pytest
from aval.declarations.v1 import declarations_pb2
from aval.settlement.v1 import settlement_pb2
from google.protobuf.json_format import MessageToDict

from chassis import testing
from chassis.identity import Caller
from chassis.status import RemoteError
from services.credit_insurance.service import SERVICE as CREDIT_INSURANCE
from services.declarations.intake.formats import parsing
from services.declarations.service import SERVICE as DECLARATIONS
from services.loans.service import SERVICE as LOANS
from services.settlement.messages import pacs008
from services.settlement.service import SERVICE as SETTLEMENT
from tests.cases.given import FOLDER, Given, of_levels
from tests.service.intake_world import dec_message, document, running
from tests.system.support import AVAL, up

INTAKE = "intake"
SEQUENCE = "import, "
SETTLEMENT_LEVELS = ("settlement", "ImportPayment")
COMMAND = "aval import"
LEVELS = (INTAKE, SEQUENCE, *SETTLEMENT_LEVELS, COMMAND)
BANK, EXPORTER = "banks/LMHFCNB0", "enterprises/91410100MA9F2K7T1P"
TELLER = Caller(f"{BANK}/bank_system", BANK, frozenset({"BANK_SYSTEM"}), second_factor=True)
# How an account says under which number the buyer's bank knows it.
ACCOUNT_NUMBER = "iban"
MEMORY_MOST_BYTES, ANSWER_MOST_SECONDS = 300 * 2**20, 10
Verdict = declarations_pb2.IntakeVerdict


def named(given: Given) -> str:
    return given.name


def test_every_given_file_has_a_part_that_reads_it(files: pathlib.Path) -> None:
    cases = list(of_levels(""))
    assert cases
    assert {given.level for given in cases if not given.level.startswith(LEVELS)} == set()
    assert all(given.content() or given.name for given in cases if not (files / f"{given.name}.gen.py").exists())


def fresh_store(request: pytest.FixtureRequest, folder: pathlib.Path) -> str:
    """The address of an empty store on the dialect that the test runs on."""
    if request.param == "sqlite":
        return f"sqlite:///{folder / 'store'}"
    server: testing.PostgreSQL = request.getfixturevalue("postgresql_server")
    return server.new_database()


@pytest.fixture(params=["sqlite", "postgresql"])
async def intake(request: pytest.FixtureRequest, files: pathlib.Path, tmp_path: pathlib.Path) -> AsyncIterator[Any]:
    """A declarations service of the case's own: the files share numbers."""
    async with running(tmp_path, fresh_store(request, tmp_path)) as found:
        yield found


def rows_of(content: bytes) -> list[Any]:
    """The rows that intake reads in a document, as JSON."""
    read = parsing.read(declarations_pb2.Document(document_id="one", content=content))
    return [MessageToDict(part.row) for part in read.parts if part.row is not None]


def told(verdicts: Sequence[Any]) -> str:
    """All that a sender is told of its document."""
    problems = [problem for verdict in verdicts for problem in verdict.problems]
    return "\n".join(f"{problem.path} {problem.reason} {problem.message}" for problem in problems)


def check_verdicts(case: Given, verdicts: Sequence[Any]) -> None:
    """The document is taken whole, or it is refused with what it has to say."""
    outcomes = {Verdict.Outcome.Name(verdict.outcome).lower() for verdict in verdicts}
    if case.expected["verdict"] == "accepted":
        assert outcomes == {"accepted"}, told(verdicts)
    else:
        assert "refused" in outcomes
        case.check_said(told(verdicts))


@pytest.mark.parametrize("case", of_levels(INTAKE), ids=named)
async def test_a_document_is_taken_or_refused(case: Given, intake: Any) -> None:
    content = case.content()
    check_verdicts(case, await intake.send(document(case.name, content)))
    case.check_values(rows_of(content))


def before(case: Given) -> list[Given]:
    """The cases that come before one of a sequence: `…-2-of-3` follows `…-1-of-3`."""
    number = re.search(r"-(\d+)-of-\d+", case.name)
    assert number
    names = [re.sub(r"-\d+(?=-of-)", f"-{earlier}", case.name) for earlier in range(1, int(number[1]))]
    return [given for given in of_levels(SEQUENCE) if given.name in names]


@pytest.mark.parametrize("case", of_levels(SEQUENCE), ids=named)
async def test_a_document_after_those_before_it(case: Given, intake: Any) -> None:
    for earlier in before(case):
        check_verdicts(earlier, await intake.send(document(earlier.name, earlier.content())))
    check_verdicts(case, await intake.send(document(case.name, case.content())))
    case.check_values(rows_of(case.content()))


def transfer_values(transfer: pacs008.CreditTransfer) -> dict[str, Any]:
    """The fields of a transfer, and the declaration that it names."""
    fields = {name: getattr(transfer, name) for name in transfer.__slots__}
    named = transfer.declarations
    return {**fields, "declaration": f"declarations/{named[0]}" if len(named) == 1 else ""}


@pytest.mark.parametrize("case", of_levels(*SETTLEMENT_LEVELS), ids=named)
def test_a_payment_message_is_read_or_refused(case: Given, files: pathlib.Path) -> None:
    transfer, problems = pacs008.parse(case.content())
    if case.expected["verdict"] == "accepted":
        assert not problems
        assert transfer is not None
        case.check_values([transfer_values(transfer)])
    else:
        assert transfer is None
        case.check_said("\n".join(f"{problem.path} {problem.reason} {problem.english}" for problem in problems))


@pytest.fixture(params=["sqlite", "postgresql"])
async def settlement(request: pytest.FixtureRequest, files: pathlib.Path, tmp_path: pathlib.Path) -> AsyncIterator[Any]:
    """The settlement service beside those it calls."""
    services = [DECLARATIONS, CREDIT_INSURANCE, LOANS, SETTLEMENT]
    platform = testing.Platform(tmp_path, fresh_store(request, tmp_path), services)
    await platform.start()
    yield platform
    await platform.stop()


def account_for(transfer: pacs008.CreditTransfer) -> settlement_pb2.Account:
    """The exporter's account that a message credits."""
    fields: dict[str, Any] = {ACCOUNT_NUMBER: transfer.creditor_account, "currency_code": transfer.currency_code}
    return settlement_pb2.Account(owner=EXPORTER, kind=settlement_pb2.Account.CURRENT, **fields)


@pytest.mark.parametrize("case", of_levels("ImportPayment"), ids=named)
async def test_a_payment_message_credits_an_account(case: Given, settlement: Any) -> None:
    content = case.content()
    transfer, problems = pacs008.parse(content)
    assert transfer is not None, problems
    opened = settlement_pb2.OpenAccountRequest(request_id=settlement_id(1), account=account_for(transfer))
    await settlement.call("settlement", "OpenAccount", opened, TELLER)
    imported = settlement_pb2.ImportPaymentRequest(request_id=settlement_id(2), content=content)
    if case.expected["verdict"] == "accepted":
        payment = await settlement.call("settlement", "ImportPayment", imported, TELLER)
        case.check_values([MessageToDict(payment)])
        return
    with pytest.raises(RemoteError) as caught:
        await settlement.call("settlement", "ImportPayment", imported, TELLER)
    case.check_said(str(caught.value.problems))


def settlement_id(number: int) -> str:
    """A request's id."""
    return f"00000000-0000-4000-8000-{number:012}"


@pytest.fixture(scope="module")
def platform(files: pathlib.Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[pathlib.Path]:
    """The folder of a platform that runs."""
    folder = tmp_path_factory.mktemp("cases")
    with up(folder, demo=False) as started:
        started.wait_for("Serving")
        yield folder


@dataclass(frozen=True, slots=True)
class Done:
    """A command that has ended: its status, what it wrote, how long it took and the most memory that it held."""

    status: int
    output: str
    errors: str
    seconds: float
    memory_bytes: int

    @property
    def report(self) -> dict[str, Any]:
        """Its counts."""
        counts: dict[str, Any] = json.loads(self.output)
        return counts


def imported(platform: pathlib.Path, folder: pathlib.Path, *arguments: str) -> Done:
    """`aval import --json`, to its end."""
    command = [AVAL, "import", "--json", "--folder", str(platform), *arguments]
    begun = time.monotonic()
    with (folder / "output").open("w") as output, (folder / "errors").open("w") as errors:
        process = subprocess.Popen(command, stdout=output, stderr=errors)
        most = _most_memory(process)
    written, told = ((folder / name).read_text(encoding="utf-8") for name in ("output", "errors"))
    return Done(process.returncode, written, told, time.monotonic() - begun, most)


def _most_memory(process: subprocess.Popen[bytes]) -> int:
    """Waits for a process; the most memory it had, in bytes. Its resource usage would count what its parent had."""
    most, status = 0, pathlib.Path(f"/proc/{process.pid}/status")
    while process.poll() is None:
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                most = int(line.split()[1]) * 1024
        time.sleep(0.02)
    return most


def number_of(case: Given) -> int:
    """The first of two numbers for a case's own documents."""
    return 2 * [given.name for given in of_levels(COMMAND)].index(case.name) + 2


def mapping(case: Given) -> list[str]:
    """The mapping that a level names: `aval import --mapping rows.toml`."""
    words = case.level.removeprefix(COMMAND).split()
    return [str(FOLDER / word) if word.endswith(".toml") else word for word in words]


def without_mapping() -> list[Given]:
    """The command's cases that are documents."""
    return [given for given in of_levels(COMMAND) if not mapping(given)]


@pytest.fixture(scope="module")
def baseline(platform: pathlib.Path, tmp_path_factory: pytest.TempPathFactory) -> Done:
    """The import of one small document, which costs what the command itself does."""
    folder = tmp_path_factory.mktemp("baseline")
    other = folder / "other.xml"
    other.write_bytes(dec_message(1))
    done = imported(platform, folder, str(other))
    assert done.report["accepted"] == 1, done
    return done


@pytest.mark.parametrize("case", of_levels(COMMAND), ids=named)
def test_the_import_command(case: Given, platform: pathlib.Path, baseline: Done, tmp_path: pathlib.Path) -> None:
    done = imported(platform, tmp_path, *mapping(case), str(case.path(tmp_path)))
    assert "Traceback" not in done.errors
    check_report(case, done)
    assert done.seconds - baseline.seconds < ANSWER_MOST_SECONDS
    assert done.memory_bytes < MEMORY_MOST_BYTES


@pytest.mark.parametrize("case", without_mapping(), ids=named)
def test_other_files_of_the_same_import_go_on(case: Given, platform: pathlib.Path, tmp_path: pathlib.Path) -> None:
    sent = tmp_path / "sent"
    sent.mkdir()
    (sent / "before.xml").write_bytes(dec_message(number_of(case)))
    shutil.copy(case.path(tmp_path), sent)
    (sent / "zzz.xml").write_bytes(dec_message(number_of(case) + 1))
    done = imported(platform, tmp_path, str(sent))
    assert done.output, done.errors
    assert done.report["accepted"] == 2, done


def check_report(case: Given, done: Done) -> None:
    """The command's status, its counts and what it says."""
    said, expected = f"{done.output}\n{done.errors}", case.expected
    assert done.status == expected.get("rc", done.status), said
    if "accepted" in expected:
        assert done.report["accepted"] == expected["accepted"], said
    if "refused" in expected:
        assert done.report["refused_documents"] == len(expected["refused"]), said
    if expected.get("verdict") == "refused":
        assert not done.output or done.report["accepted"] == 0
        assert said.strip()
    if not case.words:
        assert expected.get("message", "") in said
    case.check_said(said)
