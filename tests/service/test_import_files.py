"""`aval import`: every format from files, mappings, what is refused, and going on after a kill."""

import asyncio
import csv
import gzip
import json
import os
import pathlib
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest
import sqlalchemy as sa

from chassis.database import Database
from cli import importing
from cli.importing import files, journal, progress
from cli.importing.mapping import InvalidMapping
from cli.importing.report import Counts
from cli.layout import Layout
from services.declarations.tables import declarations, reference_records, refused_documents
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
    report = run(layout, [FIXTURES])
    refused = {pathlib.Path(row["file"]) for row in report["refused"]}
    assert set(FIXTURES.rglob("bad_*.xml")) - refused == set()
    # Fixtures are written apart, so a few stand under a number that another has.
    rules = {row["rule"] for row in report["refused"] if pathlib.Path(row["file"]).name.startswith("good_")}
    assert {rule for rule in rules if not rule.endswith(("KNOWN_WITH_OTHER_CONTENT", "NUMBER_TAKEN"))} == set()
    assert {set(row) == {"file", "document", "path", "code", "rule", "message"} for row in report["refused"]} == {True}
    assert count(layout, refused_documents) >= len({one.read_bytes() for one in FIXTURES.rglob("bad_*.xml")})
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
        ("5", "day", "DATE_INVALID"),
        ("5", "price", "AMOUNT_NOT_POSITIVE"),
        ("8", "", "ROW_MALFORMED"),
        ("9", "day", "DATE_INVALID"),
        ("4", "id", "RECORD_KNOWN_WITH_OTHER_CONTENT"),
        ("6", "day", "DATE_IN_FUTURE"),
        ("6", "price", "AMOUNT_NOT_POSITIVE"),
        ("7", "id", "FIELD_STRING_MIN_LEN"),
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
    sent = tmp_path / "sent"
    sent.mkdir()
    for index in range(30):
        broken = {"TrafMode": "TrafMude"} if index % 10 == 3 else {}
        (sent / f"{index:03}.xml").write_bytes(dec_message(index + 1, **broken))
    write_records(sent / "records.csv", 20_000)
    arguments = [str(sent), "--mapping", str(mapping_file(tmp_path))]
    kill_after(layout, 3, *arguments)
    (state,) = (layout.folder / journal.FOLDER).glob("*.jsonl")
    with state.open("a", encoding="utf-8") as torn:
        torn.write('{"files": ["cut off in the mid')
    kill_after(layout, _lines(layout) + 4, *arguments)
    ended = subprocess.run(command(layout, *arguments), capture_output=True, check=True, cwd=ROOT)
    report = json.loads(ended.stdout)
    assert totals(report) == (20_030, 27 + 19_800, 0, 3 + 200)
    assert Counter(row["rule"] for row in report["refused"]) == {"MISSING_ELEMENT": 3, "DATE_INVALID": 200}
    assert count(layout, reference_records) == 19_800
    assert count(layout, declarations) == 27
    assert not list((layout.folder / journal.FOLDER).iterdir())


def test_what_can_t_be_reached_is_a_failure(layout: Layout, tmp_path: pathlib.Path) -> None:
    missing = subprocess.run(command(layout, str(tmp_path / "nothing.xml")), capture_output=True, cwd=ROOT)
    assert missing.returncode != 0
    table = write_records(tmp_path / "records.csv", 10)
    unfit = subprocess.run(command(layout, str(table)), capture_output=True, cwd=ROOT, text=True)
    assert (unfit.returncode, "needs --mapping" in unfit.stderr) == (1, True)


def test_the_foreign_records(tmp_path: pathlib.Path, real_data: pathlib.Path) -> None:
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
