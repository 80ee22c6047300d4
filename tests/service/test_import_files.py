"""`aval import`: every format from files, mappings, what is refused, and going on after a kill."""

import asyncio
import base64
import csv
import gzip
import json
import os
import pathlib
import signal
import subprocess
import sys
import time
import uuid
import zipfile
from collections import Counter
from collections.abc import Sequence
from typing import Any

import openpyxl
import pytest
import sqlalchemy as sa
from aval.declarations.v1 import declarations_pb2, intake_pb2
from aval.type.v1 import problem_pb2
from click.testing import CliRunner
from google.rpc import status_pb2

from chassis.database import Database
from chassis.errors import ServiceUnavailable
from chassis.status import RemoteError
from cli import importing, local
from cli.importing import apart, batches, files, journal, progress, sending
from cli.importing.mapping import InvalidMapping
from cli.importing.report import Counts
from cli.layout import Layout
from cli.main import main
from services.declarations.intake.refused.store import refused_documents
from services.declarations.window.declaration.store import declarations, receipts
from services.declarations.window.reference.store import reference_records
from services.declarations.window.retail.list.store import retail_lists
from tests.service.intake_world import dec_message

ROOT = pathlib.Path(__file__).parents[2]
FIXTURES = ROOT / "tests" / "fixtures"
MAPPINGS = ROOT / "examples" / "mappings"
RECORDS = """
target = "reference_record"
[key]
columns = ["id"]
[constants]
source = "tests"
[[fields]]
column = "day"
path = "record_date"
transform = "date"
formats = ["%Y%m%d"]
[[fields]]
column = "price"
path = "value"
transform = "amount"
currency = "USD"
"""


@pytest.fixture
def layout(tmp_path: pathlib.Path, database_url: str) -> Layout:
    """A platform's folder whose store is on each database in turn."""
    found = Layout(tmp_path / "platform")
    found.write("running.json", {"database": database_url})
    return found


def run(layout: Layout, paths: Sequence[pathlib.Path], *mappings: pathlib.Path, resume: bool = True) -> dict[str, Any]:
    """The report of an import, which adds up."""
    report = asyncio.run(importing.import_files(layout, paths, mappings, resume, progress.Silent()))
    assert report["read"] == report["accepted"] + report["duplicates"] + report["refused_documents"]
    refused = {(row["file"], row["document"]) for row in report["refused"]}
    assert len(refused) == report["refused_documents"]
    assert not list((layout.folder / journal.FOLDER).iterdir())
    return report


def totals(report: dict[str, Any]) -> tuple[int, int, int, int]:
    return report["read"], report["accepted"], report["duplicates"], report["refused_documents"]


def count(layout: Layout, table: sa.Table) -> int:
    store = Database(layout.database_in_use(), "declarations")
    try:
        with store.read() as connection:
            return int(connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one())
    finally:
        store.close()


def write_records(file: pathlib.Path, rows: int) -> pathlib.Path:
    """Reference records, one in a hundred of which has no date."""
    with file.open("w", newline="", encoding="utf-8") as opened:
        writer = csv.writer(opened)
        writer.writerow(["id", "day", "price"])
        writer.writerows([i, "2026" if i % 100 == 7 else "20260102", "1.50"] for i in range(rows))
    return file


def mapping_file(folder: pathlib.Path, text: str = RECORDS) -> pathlib.Path:
    file = folder / "mapping.toml"
    file.write_text(text, encoding="utf-8")
    return file


def test_every_fixture_of_every_format(layout: Layout) -> None:
    """IN1: each fixture is accepted or refused with its reasons, and the same again."""
    report = run(layout, [FIXTURES])
    refused = {pathlib.Path(row["file"]) for row in report["refused"]}
    assert set(FIXTURES.rglob("bad_*.xml")) - refused == set()
    # Fixtures are written apart, so a few stand under a number that another has.
    rules = {row["rule"] for row in report["refused"] if pathlib.Path(row["file"]).name.startswith("good_")}
    assert {rule for rule in rules if not rule.endswith(("KNOWN_WITH_OTHER_CONTENT", "NUMBER_TAKEN"))} == set()
    assert {set(row) == {"file", "document", "path", "code", "rule", "message"} for row in report["refused"]} == {True}
    assert count(layout, refused_documents) >= len({path.read_bytes() for path in FIXTURES.rglob("bad_*.xml")})
    again = run(layout, [FIXTURES])
    assert again["accepted"] == 0
    assert again["refused"] == report["refused"]


def test_folders_packed_files_and_files_of_one_name(layout: Layout, tmp_path: pathlib.Path) -> None:
    sent = tmp_path / "sent"
    for index, folder in enumerate(("a", "b")):
        (sent / folder).mkdir(parents=True)
        (sent / folder / "one.xml").write_bytes(dec_message(index + 1))
    (sent / "b" / "two.xml.gz").write_bytes(gzip.compress(dec_message(3)))
    (sent / "b" / "one#2.xml").write_bytes(dec_message(4, TrafMode="TrafMude"))
    (sent / "b" / "empty.xml").write_bytes(b"")
    (sent / "b" / "notes.txt").write_text("not for us")
    receipt = {"declaration_number": "460120260000000001", "channel_code": "R", "notice_time": "2026-11-05T08:20:00Z"}
    (sent / "receipts.jsonl.gz").write_bytes(gzip.compress(f"{json.dumps(receipt)}\n{{}}\n[]\n".encode()))
    report = run(layout, [sent])
    assert totals(report) == (8, 4, 0, 4)
    assert sorted((pathlib.Path(row["file"]).name, row["document"], row["rule"]) for row in report["refused"]) == [
        ("empty.xml", "empty.xml", "DOCUMENT_EMPTY"),
        ("one#2.xml", "one_2.xml", "MISSING_ELEMENT"),
        ("receipts.jsonl.gz", "2", "DECLARATION_NUMBER_MISSING"),
        ("receipts.jsonl.gz", "2", "FIELD_REQUIRED"),
        ("receipts.jsonl.gz", "2", "FIELD_STRING_MIN_LEN"),
        ("receipts.jsonl.gz", "3", "LINE_MALFORMED"),
    ]
    assert count(layout, declarations) == 3


def test_documents_in_json_are_documents_among_rows(layout: Layout, tmp_path: pathlib.Path) -> None:
    """Base64 in JSON, in one line or indented, is opened; a file of rows beside it stays one."""
    content = (FIXTURES / "wco" / "import.xml").read_bytes()
    encoded = base64.b64encode(content).decode()
    (tmp_path / "one.json").write_text(json.dumps({"data": encoded}))
    (tmp_path / "indented.json").write_text(json.dumps({"body": {"content": encoded}}, indent=2))
    receipt = {"declarationNumber": "460120260000000001", "channelCode": "L", "noticeTime": "2026-11-02T00:00:00Z"}
    (tmp_path / "rows.json").write_text(json.dumps(receipt))
    report = run(layout, [tmp_path / name for name in ("one.json", "indented.json", "rows.json")])
    assert (report["read"], report["accepted"] + report["duplicates"], report["refused"]) == (3, 3, [])
    (tmp_path / "damaged.json.gz").write_bytes(gzip.compress(b"{}" * 999)[:-20])
    with pytest.raises(files.RefusedFile):
        files.is_document(files.Source(tmp_path / "damaged.json.gz"))


def test_wrong_usage_sends_nothing(layout: Layout, tmp_path: pathlib.Path) -> None:
    table = write_records(tmp_path / "records.csv", 3)
    wrong = mapping_file(tmp_path, RECORDS + '[[fields]]\ncolumn = "mass"\npath = "net_weight_kilograms"')
    for paths, mappings, error, text in (
        ([table], [], files.UnreadableFile, "needs --mapping"),
        ([table, tmp_path / "platform" / "running.json.txt"], [], files.UnreadableFile, "no .xml"),
        ([table], [wrong], InvalidMapping, "text makes text"),
        ([table], [MAPPINGS / "korea_customs.toml"], files.UnreadableFile, "no column 'Declaration ID'"),
    ):
        with pytest.raises(error, match=text):
            run(layout, paths, *mappings)
    assert not (layout.folder / journal.FOLDER).exists()


def test_rows_are_refused_by_line_and_column(layout: Layout, tmp_path: pathlib.Path) -> None:
    table = tmp_path / "records.csv"
    table.write_text(
        "id,day,price\n1,20260102,5\n1,20260102,5\n1,20260102,6\n2,20261302,0\n3,29990101,-1\n,20260102,5\n"
        '4,20260102\n5,"2026\n",5\n6,20260102,7\n',
        encoding="utf-8",
    )
    report = run(layout, [table], mapping_file(tmp_path))
    assert totals(report) == (9, 2, 1, 6)
    assert [(row["document"], row["path"], row["rule"]) for row in report["refused"]] == [
        ("4", "id", "RECORD_KNOWN_WITH_OTHER_CONTENT"),
        ("5", "day", "DATE_INVALID"),
        ("5", "price", "AMOUNT_NOT_POSITIVE"),
        ("6", "day", "DATE_IN_FUTURE"),
        ("6", "price", "AMOUNT_NOT_POSITIVE"),
        ("7", "id", "FIELD_STRING_MIN_LEN"),
        ("8", "", "ROW_MALFORMED"),
        ("9", "day", "DATE_INVALID"),
    ]


def test_a_mapped_declaration_is_one_like_any_other(layout: Layout, tmp_path: pathlib.Path) -> None:
    text = """
target = "declaration"
unmapped = "refuse"
[file]
encoding = "gb18030"
delimiter = ";"
[key]
columns = ["报关单号"]
[constants]
enterprise = "enterprises/91411023MAXY00112A"
trade_mode = "0110"
transport_mode = "2"
"""
    for column, path, transform in (
        ("报关单号", "declaration_number", ""),
        ("运抵国", "destination_country", 'transform = "code"\nsystem = "country.customs_numeric"'),
        ("出口日期", "export_date", 'transform = "date"\nformats = ["%Y/%m/%d"]'),
        ("商品编码", "lines.commodity_code", ""),
        ("品名", "lines.goods_name", ""),
        ("数量", "lines.quantity", 'transform = "decimal"\nthousands = ","'),
        (
            "总价",
            "lines.total",
            'transform = "amount"\nthousands = ","\ncurrency_column = "币制"\n'
            'currency_system = "currency.customs_numeric"',
        ),
        ("总价", "lines.unit_price", 'transform = "quotient"\ndivisor = "数量"\nthousands = ","'),
    ):
        text += f'[[fields]]\ncolumn = "{column}"\npath = "{path}"\n{transform}\n'
    table = tmp_path / "declarations.csv"
    rows = [
        "报关单号;运抵国;出口日期;商品编码;品名;数量;总价;币制",
        "460120260000000091;502;2026/11/02;6704200000;假发;1,000;12,500.00;502",
        "460120260000000091;502;2026/11/02;6704110000;发套;10;99.90;502",
        "460120260000000092;999;2026/11/02;6704110000;发套;0;99.90;142",
    ]
    table.write_text("\n".join(rows), encoding="gb18030")
    report = run(layout, [table], mapping_file(tmp_path, text))
    assert totals(report) == (2, 1, 0, 1)
    assert [(row["document"], row["path"], row["rule"]) for row in report["refused"]] == [
        ("4", "运抵国", "CODE_UNKNOWN"),
        ("4", "总价", "DIVISION_BY_ZERO"),
    ]
    assert count(layout, declarations) == 1


def test_receipts_by_either_number(layout: Layout, tmp_path: pathlib.Path) -> None:
    sent = tmp_path / "sent"
    sent.mkdir()
    (sent / "declared.xml").write_bytes(dec_message(77))
    rows = [
        "海关编号,统一编号,回执状态,通知时间,备注,经办",
        "460120260000000077,,L,2026-11-02 09:00:00,,a",
        ",I20260000000000077,P,20261103090000,放行,b",
        ",I20260000000000077,R,2026/11/05,,c",
        ",,R,20261105090000,,d",
        ",I20260000000000077,P,20261103090000,放行,b",
    ]
    (sent / "receipts.csv").write_text("\n".join(rows), encoding="gb18030")
    report = run(layout, [sent], MAPPINGS / "goods_receipts.toml")
    assert totals(report) == (6, 3, 1, 2)
    assert [(row["document"], row["path"], row["rule"]) for row in report["refused"]] == [
        ("4", "通知时间", "DATE_INVALID"),
        ("5", "海关编号", "DECLARATION_NUMBER_MISSING"),
    ]
    assert count(layout, receipts) == 2


def test_lists_of_a_merchant_s_own_system(layout: Layout, tmp_path: pathlib.Path) -> None:
    goods = [{"name": "假发套", "hs": "6704200000", "qty": 2, "sum": "79.80"}, {"hs": "67", "qty": 1, "sum": "50.00"}]
    head = {"order": "YL1", "sent": "2026-11-02T09:30:00+08:00", "to": "US", "grams": 420, "buyer": {"name": "…"}}
    lines = [
        {"no": "L1", **head, "goods": goods[:1]},
        {"no": "L2", **head, "goods": goods},
        {"no": "L3", **head, "sent": "today", "to": "502", "goods": goods[:1]},
        {"no": "L1", **head, "goods": goods[:1]},
    ]
    table = tmp_path / "lists.jsonl"
    table.write_text("\n".join(json.dumps(line, ensure_ascii=False) for line in lines), encoding="utf-8")
    report = run(layout, [table], MAPPINGS / "retail_lists.toml")
    assert totals(report) == (4, 1, 1, 2)
    assert [(row["document"], row["path"], row["rule"]) for row in report["refused"]] == [
        ("2", "goods.hs", "FIELD_STRING_PATTERN"),
        ("3", "sent", "DATE_INVALID"),
        ("3", "to", "CODE_UNKNOWN"),
    ]
    assert count(layout, retail_lists) == 1


def test_a_changed_file_begins_anew_and_restart_does(layout: Layout, tmp_path: pathlib.Path) -> None:
    table, mapping = write_records(tmp_path / "records.csv", 2500), mapping_file(tmp_path)
    subject = [str(table.resolve()), str(mapping.resolve())]
    kept = journal.open_journal(layout.folder, subject, {"of other content": ""}, True)
    kept.acknowledge(["of other content"], 1000, Counts(read=1000, accepted=1000))
    kept.close()
    assert totals(run(layout, [table], mapping)) == (2500, 2475, 0, 25)
    assert totals(run(layout, [table], mapping, resume=False)) == (2500, 0, 2475, 25)


def test_two_of_the_same_at_once_are_one(layout: Layout, tmp_path: pathlib.Path) -> None:
    table, mapping = write_records(tmp_path / "records.csv", 10), mapping_file(tmp_path)
    held = journal.open_journal(layout.folder, [str(table.resolve()), str(mapping.resolve())], {}, True)
    with pytest.raises(journal.UnderWay):
        run(layout, [table], mapping)
    held.finish()


def command(layout: Layout, *arguments: str) -> list[str]:
    return [sys.executable, "-m", "cli.main", "import", *arguments, "--folder", str(layout.folder), "--json"]


def kill_after(layout: Layout, lines: int, *arguments: str) -> None:
    """Starts the command and kills it once so many batches are acknowledged."""
    started = subprocess.Popen(command(layout, *arguments), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd=ROOT)
    deadline = time.monotonic() + 60
    while _lines(layout) <= lines:
        assert started.poll() is None, started.communicate()[0]
        assert time.monotonic() < deadline
        time.sleep(0.002)
    os.kill(started.pid, signal.SIGKILL)
    started.communicate()


def _lines(layout: Layout) -> int:
    kept = list((layout.folder / journal.FOLDER).glob("*.jsonl"))
    return kept[0].read_text(encoding="utf-8").count("\n") if kept else 0


def test_killed_twice_it_ends_as_if_never(layout: Layout, tmp_path: pathlib.Path) -> None:
    """IN2: an import that was killed twice ends with the report and the rows of one that wasn't."""
    sent = tmp_path / "sent"
    sent.mkdir()
    for index in range(30):
        broken = {"TrafMode": "TrafMude"} if index % 10 == 3 else {}
        (sent / f"{index:03}.xml").write_bytes(dec_message(index + 1, **broken))
    write_records(sent / "records.csv", 9000)
    arguments = [str(sent), "--mapping", str(mapping_file(tmp_path))]
    kill_after(layout, 3, *arguments)
    (state,) = (layout.folder / journal.FOLDER).glob("*.jsonl")
    with state.open("a", encoding="utf-8") as torn:
        torn.write('{"files": ["cut off in the mid')
    kill_after(layout, _lines(layout) + 2, *arguments)
    ended = subprocess.run(command(layout, *arguments), capture_output=True, check=True, cwd=ROOT)
    report = json.loads(ended.stdout)
    assert totals(report) == (9030, 27 + 8910, 0, 3 + 90)
    assert Counter(row["rule"] for row in report["refused"]) == {"MISSING_ELEMENT": 3, "DATE_INVALID": 90}
    assert count(layout, reference_records) == 8910
    assert count(layout, declarations) == 27
    assert not list((layout.folder / journal.FOLDER).iterdir())


def test_what_can_t_be_reached_is_a_failure(layout: Layout, tmp_path: pathlib.Path) -> None:
    missing = subprocess.run(command(layout, str(tmp_path / "nothing.xml")), capture_output=True, cwd=ROOT)
    assert missing.returncode != 0
    table = write_records(tmp_path / "records.csv", 10)
    unfit = subprocess.run(command(layout, str(table)), capture_output=True, cwd=ROOT, text=True)
    assert (unfit.returncode, "needs --mapping" in unfit.stderr) == (1, True)


def test_the_foreign_records(tmp_path: pathlib.Path, real_data: pathlib.Path) -> None:
    """IN1: of 53,242 foreign records each is accepted, a duplicate, or refused with its reasons."""
    layout = Layout(tmp_path / "platform")
    korea = sorted((real_data / "trade" / "customs_declarations_korea").glob("df_syn_*.csv"))
    paths = [*korea, real_data / "trade" / "usaid_scms" / "SCMS_Delivery_History.csv"]
    mappings = [MAPPINGS / "korea_customs.toml", MAPPINGS / "usaid_deliveries.toml"]
    # Of the processor, the service's part included: others may be using the machine.
    started = time.process_time()
    report = run(layout, paths, *mappings)
    assert time.process_time() - started < 25
    assert totals(report) == (53_242, 52_628, 0, 614)
    assert Counter((row["path"], row["rule"]) for row in report["refused"]) == {
        ("Item Price", "AMOUNT_NOT_POSITIVE"): 601,
        ("Net Mass", "AMOUNT_NOT_POSITIVE"): 340,
        ("Line Item Value", "AMOUNT_NOT_POSITIVE"): 12,
        ("Weight (Kilograms)", "AMOUNT_NOT_POSITIVE"): 1,
    }
    again = run(layout, paths, *mappings)
    assert totals(again) == (53_242, 0, 52_628, 614)
    assert again["refused"] == report["refused"]
    assert count(layout, reference_records) == 52_628


@pytest.mark.parametrize(
    ("read", "position", "size", "seconds", "expected"),
    [
        (0, 0, 0, 0.0, "0 read, 0 refused, 0/s, 100%"),
        (3000, 25, 100, 30.0, "3,000 read, 0 refused, 100/s, 25%, 1:30 left"),
        (3000, 100, 100, 30.0, "3,000 read, 0 refused, 100/s, 100%"),
    ],
)
def test_progress_says_how_much_and_how_long(
    read: int, position: int, size: int, seconds: float, expected: str
) -> None:
    assert progress.line(Counts(read=read), position, size, seconds) == expected


class Broken:
    """A client two of whose five calls find the service gone for a moment, after it was done or before."""

    def __init__(self) -> None:
        self.calls = 0
        self.done: list[str] = []

    async def call(self, _service: str, _method: str, request: Any, _caller: Any) -> Any:
        self.calls += 1
        if self.calls % 5 == 1:
            raise ServiceUnavailable(service="declarations")
        if request.request_id not in self.done:
            self.done.append(request.request_id)
        if self.calls % 5 == 2:
            raise ServiceUnavailable(service="declarations")
        return request.request_id


async def test_what_breaks_is_sent_again_under_the_same_id(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sending, "PAUSE_SECONDS", 0.0)
    monkeypatch.setattr(sending, "ATTEMPTS", 1000)
    requests = [declarations_pb2.ImportDocumentsRequest(request_id=str(number)) for number in range(20)]
    sent = [batches.Batch(batches.IMPORT, [str(number)], request=request) for number, request in enumerate(requests)]
    client: Any = Broken()
    answered = [(batch.keys, answer) async for batch, answer in sending.answers(client, iter(sent))]
    assert answered == [([str(number)], str(number)) for number in range(20)]
    assert sorted(client.done, key=int) == [str(number) for number in range(20)]


async def test_what_stays_broken_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sending, "PAUSE_SECONDS", 0.0)

    class Gone(Broken):
        async def call(self, _service: str, _method: str, request: Any, _caller: Any) -> Any:
            self.done.append(request.request_id)
            raise ServiceUnavailable(service="declarations")

    client: Any = Gone()
    sent = [batches.Batch(batches.IMPORT, ["1"], request=declarations_pb2.ImportDocumentsRequest(request_id="1"))]
    with pytest.raises(ServiceUnavailable):
        [answer async for answer in sending.answers(client, iter(sent))]
    assert client.done == ["1"] * apart.ATTEMPTS


def test_records_as_lines(layout: Layout, tmp_path: pathlib.Path) -> None:
    lines = (FIXTURES / "records" / "permit.jsonl").read_text(encoding="utf-8").splitlines()
    receipt = '{"declaration_number": "460120260000000001", "channel_code": "R", "notice_time": "2026-11-05T08:20:00Z"}'
    table = tmp_path / "permits.jsonl"
    table.write_text("\n".join([lines[0], lines[0], receipt, '{"permit": 1}']), encoding="utf-8")
    report = run(layout, [table])
    assert totals(report) == (4, 1, 1, 2)
    assert [(row["document"], row["rule"]) for row in report["refused"]] == [
        ("3", "LINE_MALFORMED"),
        ("4", "LINE_MALFORMED"),
    ]


def test_lines_that_need_no_mapping_beside_those_that_do(layout: Layout, tmp_path: pathlib.Path) -> None:
    receipt = {"declaration_number": "460120260000000001", "channel_code": "R", "notice_time": "2026-11-05T08:20:00Z"}
    (tmp_path / "receipts.jsonl").write_text(json.dumps(receipt), encoding="utf-8")
    records = [{"id": 1, "day": "20260102", "price": 1}, {"id": 2, "day": "20260102", "price": 2}]
    (tmp_path / "records.jsonl").write_text("\n".join(map(json.dumps, records)), encoding="utf-8")
    (tmp_path / "other.jsonl").write_text('{"Id": 1}', encoding="gb18030")
    paths = [tmp_path / f"{name}.jsonl" for name in ("receipts", "records", "other")]
    report = run(layout, paths, MAPPINGS / "retail_lists.toml", mapping_file(tmp_path))
    assert totals(report) == (4, 3, 0, 1)
    assert {pathlib.Path(row["file"]).name for row in report["refused"]} == {"other.jsonl"}
    assert (count(layout, receipts), count(layout, reference_records)) == (1, 2)


DECLARED = """
target = "declaration"
unmapped = "ignore"
[key]
columns = ["nr"]
[constants]
trade_mode = "0110"
enterprise = "91411023MAXY00112A"
lines.commodity_code = "6703000000"
[[fields]]
column = "nr"
path = "declaration_number"
required = true
[[fields]]
column = "total"
path = "lines.total"
transform = "amount"
currency = "USD"
[[fields]]
column = "name"
path = "lines.goods_name"
"""
NUMBERS = [f"4601202600000004{index:02}" for index in range(10)]


def problems(report: dict[str, Any]) -> list[tuple[str, str, str]]:
    """File, line or document, and rule of what was refused."""
    return [(pathlib.Path(row["file"]).name, row["document"], row["rule"]) for row in report["refused"]]


def test_rows_after_an_unclosed_quotation_mark_are_still_there(layout: Layout, tmp_path: pathlib.Path) -> None:
    table = tmp_path / "pipes.csv"
    names = ('"12 inch pipe', "elbow", 'pipe "8 inch', "flange")
    rows = [f"{number},100.00,{name}" for number, name in zip(NUMBERS, names, strict=False)]
    table.write_text("\n".join(["nr,total,name", *rows, ""]), encoding="utf-8")
    report = run(layout, [table], mapping_file(tmp_path, DECLARED))
    assert totals(report) == (4, 3, 0, 1)
    assert problems(report) == [("pipes.csv", "2", "ROW_MALFORMED")]
    assert report["ok"]


@pytest.mark.parametrize("enterprise", ["91411023MAXY00112A", "enterprises/91411023MAXY00112A", "91411023maxy00112a"])
def test_an_enterprise_by_its_plain_code(layout: Layout, tmp_path: pathlib.Path, enterprise: str) -> None:
    table = tmp_path / "declared.csv"
    table.write_text(f"nr,total,name,firm\n{NUMBERS[0]},1.00,pipe,{enterprise}\n", encoding="utf-8")
    field = '[[fields]]\ncolumn = "firm"\npath = "enterprise"\n'
    text = DECLARED.replace('enterprise = "91411023MAXY00112A"\n', "") + field
    assert totals(run(layout, [table], mapping_file(tmp_path, text))) == (1, 1, 0, 0)


def test_rows_apart_are_refused_and_the_others_taken(layout: Layout, tmp_path: pathlib.Path) -> None:
    table = tmp_path / "declared.csv"
    rows = [f"{NUMBERS[index]},1.00,pipe" for index in (0, 1, 0, 2, 2)]
    table.write_text("\n".join(["nr,total,name", *rows]), encoding="utf-8")
    report = run(layout, [table], mapping_file(tmp_path, DECLARED))
    assert totals(report) == (3, 2, 0, 1)
    (row,) = report["refused"]
    assert row["message"].startswith(f"declaration {NUMBERS[0]}: its rows stand apart (lines 2 and 4)")


async def declared_minor_units(layout: Layout, number: str) -> int:
    async with local.declarations(layout) as client:
        request = declarations_pb2.GetDeclarationRequest(name=f"declarations/{number}")
        found = await client.call("declarations", "GetDeclaration", request, local.WINDOW)
        return int(found.declared_value.minor_units)


def spreadsheet(file: pathlib.Path, number: str) -> pathlib.Path:
    book = openpyxl.Workbook()
    for row in (["nr", "total", "name"], [number, 19.5, "假发"], [number, 0.1, "发套"]):
        book.active.append(row)
    book.save(file)
    return file


def test_files_as_exporters_have_them(layout: Layout, tmp_path: pathlib.Path) -> None:
    sent = tmp_path / "sent"
    sent.mkdir()
    head = "nr,total,name"
    (sent / "a.tsv").write_text(f"{head}\n{NUMBERS[0]},1.00,pipe\n".replace(",", "\t"), encoding="utf-16")
    (sent / "b.csv.gz").write_bytes(gzip.compress(f"{head}\n{NUMBERS[1]},1.00,假发套\n".encode()))
    spreadsheet(sent / "c.xlsx", NUMBERS[2])
    with zipfile.ZipFile(sent / "d.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("in/one.xml", dec_message(5))
        archive.writestr("in/rows.csv", f"{head}\n{NUMBERS[3]},1.00,pipe\n{NUMBERS[4]},x,pipe\n")
        archive.write(spreadsheet(tmp_path / "e.xlsx", NUMBERS[5]), "in/e.xlsx")
        archive.writestr("in/again.zip", b"PK")
    mapping = mapping_file(tmp_path, DECLARED)
    report = run(layout, [sent], mapping)
    assert totals(report) == (8, 6, 0, 2)
    assert problems(report) == [("rows.csv", "3", "NUMBER_INVALID"), ("again.zip", "again.zip", "FILE_NESTED")]
    assert count(layout, declarations) == 6
    assert totals(run(layout, [sent], mapping)) == (8, 0, 6, 2)
    # Of two rows with 19.5 and 0.1 as numbers.
    assert asyncio.run(declared_minor_units(layout, NUMBERS[2])) == 1960


def test_a_file_that_can_t_be_read_names_itself_and_stops_no_folder(layout: Layout, tmp_path: pathlib.Path) -> None:
    """IN6: ten damaged files are one refused document each, under their names; the others are taken."""
    sent = tmp_path / "sent"
    sent.mkdir()
    (sent / "a.xml").write_bytes(dec_message(1))
    (sent / "b.xml.gz").write_bytes(gzip.compress(dec_message(2))[:-9])
    (sent / "c.xml.gz").write_bytes(gzip.compress(b"<a>" + b" " * 100_000_000))
    (sent / "d.zip").write_bytes(b"PK no zip")
    (sent / "e.csv").write_text("nr,total,name,name\n1,1,1,1\n")
    (sent / "f.csv").write_bytes(b"nr,total,name\n1,1.00,\xff\n")
    (sent / "g.jsonl").write_text('[{"nr": "1"}]')
    (sent / "h.xlsx").write_bytes(b"no spreadsheet")
    (sent / "i.csv").write_text("not,a,table,of,ours\n1,2,3,4,5\n")
    (sent / "j.csv.gz").write_bytes(gzip.compress(b"nr,total,name\n")[:-3])
    pathlib.Path(os.fsdecode(bytes(sent) + b"/j\xff.xml")).write_bytes(dec_message(3))
    (sent / "k.xml").symlink_to("/proc/self/mem")
    (sent / "z.csv").write_text(f"nr,total,name\n{NUMBERS[0]},1.00,pipe\n")
    arguments = ["import", str(sent), "--mapping", str(mapping_file(tmp_path, DECLARED))]
    told = CliRunner().invoke(main, [*arguments, "--folder", str(layout.folder), "--json"])
    report = json.loads(told.stdout)
    assert totals(report) == (13, 3, 0, 10)
    assert {(name, rule) for name, _, rule in problems(report)} == {
        ("b.xml.gz", "FILE_CUT_OFF"),
        ("c.xml.gz", "DOCUMENT_TOO_LARGE"),
        ("d.zip", "FILE_DAMAGED"),
        ("e.csv", "FILE_SHAPE"),
        ("f.csv", "FILE_ENCODING"),
        ("g.jsonl", "FILE_SHAPE"),
        ("h.xlsx", "FILE_DAMAGED"),
        ("i.csv", "FILE_UNFIT"),
        ("j.csv.gz", "FILE_CUT_OFF"),
        ("k.xml", "FILE_DAMAGED"),
    }
    assert all(pathlib.Path(row["file"]).name in row["message"] for row in report["refused"])
    assert (told.exit_code, report["ok"]) == (1, False)
    assert "Error: b.xml.gz is cut off" in told.stderr
    assert count(layout, declarations) == 3


class Slow(Broken):
    """A client whose service has no answer to any request with one of these documents in it."""

    def __init__(self, *unanswered: str) -> None:
        super().__init__()
        self.unanswered = unanswered
        self.requests: list[str] = []
        self.kept: list[Any] = []

    async def call(self, _service: str, method: str, request: Any, _caller: Any) -> Any:
        if method == "BatchCreateDeclarations" and request.source.unread:
            self.kept += request.source.unread
            return declarations_pb2.BatchCreateDeclarationsResponse()
        self.requests.append(request.request_id)
        names = [document.document_id for document in request.documents]
        if set(names) & set(self.unanswered):
            raise RemoteError(status_pb2.Status(code=4, message="Deadline Exceeded"))
        accepted = [declarations_pb2.IntakeVerdict(document_id=name, outcome="ACCEPTED") for name in names]
        return declarations_pb2.ImportDocumentsResponse(verdicts=accepted)


def documents(number: int) -> batches.Batch:
    """A batch of so many documents."""
    rows = [declarations_pb2.Document(document_id=f"{index}.xml", content=b"<a/>") for index in range(number)]
    request = declarations_pb2.ImportDocumentsRequest(request_id=str(uuid.UUID(int=1)), documents=rows)
    names = [(f"/sent/{document.document_id}", document.document_id) for document in rows]
    return batches.Batch(batches.IMPORT, ["k"], rows, names, documents=number, request=request)


@pytest.fixture
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sending, "PAUSE_SECONDS", 0.0)
    monkeypatch.setattr(apart, "PAUSE_SECONDS", 0.0)


@pytest.mark.usefixtures("no_pauses")
async def test_a_document_without_an_answer_is_refused_and_kept_and_the_others_are_taken() -> None:
    client: Any = Slow("7.xml", "20.xml")
    ((_, answer),) = [pair async for pair in sending.answers(client, iter([documents(33)]))]
    outcomes = {verdict.document_id: verdict.outcome for verdict in answer.verdicts}
    assert [verdict.document_id for verdict in answer.verdicts] == [f"{index}.xml" for index in range(33)]
    assert [name for name, outcome in outcomes.items() if outcome != 1] == ["7.xml", "20.xml"]
    (verdict,) = [entry for entry in answer.verdicts if entry.document_id == "7.xml"]
    assert verdict.problems[0].reason == "DOCUMENT_UNANSWERED"
    assert [(entry.format, entry.content, entry.problems[0].reason) for entry in client.kept] == [
        ("XML", b"<a/>", "DOCUMENT_UNANSWERED")
    ] * 2
    # The same again, so that what is sent twice is done once.
    again: Any = Slow("7.xml", "20.xml")
    assert [pair async for pair in sending.answers(again, iter([documents(33)]))]
    assert again.requests == client.requests


@pytest.mark.usefixtures("no_pauses")
async def test_a_service_that_answers_nothing_ends_the_import() -> None:
    client: Any = Slow(*(f"{index}.xml" for index in range(40)))
    with pytest.raises(RemoteError):
        [answer async for answer in sending.answers(client, iter([documents(40)]))]


@pytest.mark.usefixtures("no_pauses")
async def test_a_stream_s_batch_that_is_refused_is_sent_in_parts(tmp_path: pathlib.Path) -> None:
    table = tmp_path / "records.csv"
    rows = ["1,20260102,5", "2,2026,5", "3,20260102,5", "4,20260102,5"]
    table.write_text("\n".join(["id,day,price", *rows]), encoding="utf-8")
    source = importing.rows_of(files.Source(table), importing.loaded_mappings([mapping_file(tmp_path)]))
    (batch,) = batches.of_rows(source, 0, 0, lambda key, number: str(uuid.uuid5(uuid.NAMESPACE_OID, f"{key}{number}")))
    sent: list[Any] = []

    class Particular(Broken):
        async def call(self, _service: str, method: str, request: Any, _caller: Any) -> Any:
            sent.append((method, request))
            names = [row.key for row in getattr(request, "reference_records", ())]
            if "3" in names:
                raise RemoteError(status_pb2.Status(code=13, message="Internal"))
            verdicts = [declarations_pb2.IntakeVerdict(outcome="ACCEPTED") for _ in names]
            return declarations_pb2.BatchCreateReferenceRecordsResponse(verdicts=verdicts)

    client: Any = Particular()
    answer = await apart.Apart(client).answer(batch)
    assert [verdict.outcome for verdict in answer.verdicts] == [1, 3, 1]
    parts = [request for method, request in sent if method == "BatchCreateReferenceRecords"]
    assert [list(part.source.positions) for part in parts] == [[2], [4, 5], [4], [5]]
    # What couldn't be read goes along once.
    assert [[row.position for row in part.source.unread] for part in parts] == [[3], [], [], []]
    assert len({part.request_id for part in parts}) == len(parts)
    (kept,) = [request for method, request in sent if method == "BatchCreateDeclarations"]
    assert [(row.format, json.loads(row.content)["reference_record"]["key"]) for row in kept.source.unread] == [
        ("JSON", "3")
    ]


async def test_a_document_that_was_kept_without_an_answer_is_mended_when_it_is_taken(
    layout: Layout, tmp_path: pathlib.Path
) -> None:
    content = dec_message(9)
    problem = problem_pb2.Problem(reason=apart.UNANSWERED, message="none")
    batch = batches.Batch(
        batches.IMPORT,
        ["k"],
        [declarations_pb2.Document(document_id="slow.xml", content=content)],
        [("/sent/slow.xml", "slow.xml")],
        request=declarations_pb2.ImportDocumentsRequest(request_id=str(uuid.UUID(int=1))),
    )
    waiting = intake_pb2.ListRefusedDocumentsRequest(state="REFUSED")
    async with local.declarations(layout) as client:
        await client.call("declarations", "BatchCreateDeclarations", batch.kept(0, problem), local.WINDOW)
        page = await client.call("declarations", "ListRefusedDocuments", waiting, local.WINDOW)
        assert [(document.document_id, document.format) for document in page.refused_documents] == [
            ("slow.xml#0", "XML")
        ]
        request = declarations_pb2.ImportDocumentsRequest(request_id=str(uuid.UUID(int=2)), documents=batch.rows)
        await client.call("declarations", "ImportDocuments", request, local.WINDOW)
        page = await client.call("declarations", "ListRefusedDocuments", waiting, local.WINDOW)
        assert not page.refused_documents
