"""`aval refused`: a person lists what an import refused, mends it, sends it again or gives it up."""

import json
import pathlib
from collections.abc import Sequence
from typing import Any

import pytest
from click.testing import CliRunner

from cli.layout import Layout
from cli.main import main
from tests.service.intake_world import dec_message
from tests.service.test_import_files import layout

__all__ = ["layout"]

MAPPING = """
target = "declaration"
[file]
encoding = "gb18030"
[key]
columns = ["报关单号"]
[constants]
enterprise = "enterprises/91411023MAXY00112A"
trade_mode = "0110"
transport_mode = "2"
destination_country = "USA"
[[fields]]
column = "报关单号"
path = "declaration_number"
[[fields]]
column = "出口日期"
path = "export_date"
transform = "date"
formats = ["%Y/%m/%d"]
[[fields]]
column = "商品编码"
path = "lines.commodity_code"
[[fields]]
column = "品名"
path = "lines.goods_name"
[[fields]]
column = "数量"
path = "lines.quantity"
transform = "decimal"
[[fields]]
column = "总价"
path = "lines.total"
transform = "amount"
currency = "USD"
[[fields]]
column = "总价"
path = "lines.unit_price"
transform = "quotient"
divisor = "数量"
"""
HEAD = "报关单号,出口日期,商品编码,品名,数量,总价"
# Sound, with a day that is none (of two lines, of which the second is broken), with a code too short, and cut off.
ROWS = (
    "460120260000000301,2026/11/02,6704200000,假发,10,100.00",
    "460120260000000302,2026/13/02,6704200000,假发,10,100.00",
    '460120260000000302,2026/13/02,6704200000,"假发,长",1o,50.00',
    "460120260000000303,2026/11/02,6704,假发,10,100.00",
    "460120260000000304,2026/11/02,6704200000",
)


class Desk:
    """A person at the command line."""

    def __init__(self, layout: Layout, folder: pathlib.Path) -> None:
        self._layout, self.folder = layout, folder
        self.mapping = folder / "mapping.toml"
        self.mapping.write_text(MAPPING, encoding="utf-8")

    def run(self, *arguments: str, status: int = 0) -> Any:
        """The JSON that the command prints; its error where there is none."""
        told = CliRunner().invoke(main, [*arguments, "--folder", str(self._layout.folder), "--json"])
        assert told.exit_code == status, told.output
        return json.loads(told.stdout) if told.stdout else told.stderr

    def table(self, name: str, rows: Sequence[str]) -> str:
        """A CSV file of rows."""
        file = self.folder / name
        file.write_text("\n".join([HEAD, *rows]) + "\n", encoding="gb18030")
        return str(file)

    def imported(self, rows: Sequence[str]) -> tuple[int, int, int]:
        """Accepted, duplicates and refused of a file's import."""
        report = self.run("import", self.table("declared.csv", rows), "--mapping", str(self.mapping))
        return report["accepted"], report["duplicates"], report["refused_documents"]

    def waiting(self, *filters: str) -> dict[str, Any]:
        """Returns what is listed, by where it came from."""
        return {entry["document"]: entry for entry in self.run("refused", "list", *filters)["refused"]}


@pytest.fixture
def desk(layout: Layout, tmp_path: pathlib.Path) -> Desk:
    return Desk(layout, tmp_path)


def test_rows_are_mended_in_their_file_and_one_by_one(desk: Desk) -> None:
    assert desk.imported(ROWS) == (1, 0, 3)
    found = desk.waiting()
    assert {
        document: (entry["format"], {p["rule"] for p in entry["problems"]}) for document, entry in found.items()
    } == {
        "declared.csv#3": ("CSV", {"DATE_INVALID", "NUMBER_INVALID"}),
        "declared.csv#5": ("declaration", {"FIELD_STRING_PATTERN"}),
        "declared.csv#6": ("CSV", {"ROW_MALFORMED"}),
    }
    assert desk.waiting("--reason", "ROW_MALFORMED").keys() == {"declared.csv#6"}
    # What is taken out is a file that the mapping reads.
    cut = desk.folder / "cut.csv"
    desk.run("refused", "show", found["declared.csv#3"]["name"], "--out", str(cut))
    assert cut.read_text(encoding="gb18030").splitlines() == [HEAD, *ROWS[1:3]]
    mended = [*ROWS[:1], *(row.replace("/13/", "/11/").replace("1o", "1") for row in ROWS[1:3]), *ROWS[3:]]
    assert desk.imported(mended) == (1, 1, 2)
    assert desk.waiting().keys() == {"declared.csv#5", "declared.csv#6"}
    # One by one: by a file of one row, and by the JSON.
    name = found["declared.csv#6"]["name"]
    assert "no row yet" in desk.run("refused", "resend", name, status=1)
    broken = desk.table("one.csv", [ROWS[4]])
    assert "7 columns" not in desk.run("refused", "resend", name, broken, "--mapping", str(desk.mapping), status=1)
    whole = desk.table("one.csv", [f"{ROWS[4]},假发,10,100.00"])
    assert desk.run("refused", "resend", name, whole, "--mapping", str(desk.mapping))["state"] == "MENDED"
    out = desk.folder / "one.json"
    name = found["declared.csv#5"]["name"].removeprefix("refusedDocuments/")
    desk.run("refused", "show", name, "--out", str(out))
    assert not desk.run("refused", "resend", name, str(out), status=1)["ok"]
    row = json.loads(out.read_text(encoding="utf-8"))
    row["declaration"]["lines"][0]["commodity_code"] = "6704200000"
    out.write_text(json.dumps(row, indent=1), encoding="utf-8")
    assert desk.run("refused", "resend", name, str(out))["state"] == "MENDED"
    assert desk.waiting() == {}
    assert desk.waiting("--state", "MENDED").keys() == found.keys()
    whole_rows = [*mended[:3], ROWS[3].replace(",6704,", ",6704200000,"), f"{ROWS[4]},假发,10,100.00"]
    assert desk.imported(whole_rows) == (0, 4, 0)


def test_documents_are_mended_and_given_up(desk: Desk) -> None:
    for index in (1, 2):
        (desk.folder / f"{index}.xml").write_bytes(dec_message(index, TrafMode="TrafMude"))
    desk.run("import", *(str(desk.folder / f"{index}.xml") for index in (1, 2)))
    found = desk.waiting("--format", "DecMessage")
    fresh = desk.folder / "fresh.xml"
    fresh.write_bytes(dec_message(1))
    assert desk.run("refused", "resend", found["1.xml"]["name"], str(fresh))["state"] == "MENDED"
    (given_up,) = desk.run("refused", "discard", found["2.xml"]["name"])["discarded"]
    assert (given_up["state"], desk.waiting()) == ("DISCARDED", {})
    assert "doesn't exist" in desk.run("refused", "show", "nothing", status=1)
    assert "nothing" not in desk.waiting("--most", "1")


def test_the_newest_are_listed_page_by_page(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cli.refusals.PAGE", 2)
    desk.imported([ROWS[4].replace("304", f"{304 + index}") for index in range(5)])
    desk.imported([ROWS[4].replace("304", "399")])
    listed = [entry["document"] for entry in desk.run("refused", "list")["refused"]]
    assert listed == [f"declared.csv#{line}" for line in (2, 2, 3, 4, 5, 6)]
    assert len(desk.run("refused", "list", "--most", "3")["refused"]) == 3


def test_rows_of_every_kind_without_a_mapping(desk: Desk) -> None:
    desk.imported(ROWS[3:4])
    (entry,) = desk.waiting().values()
    out = desk.folder / "rows.jsonl"
    desk.run("refused", "show", entry["name"], "--out", str(out))
    report = desk.run("import", str(out))
    assert [(row["path"], row["rule"]) for row in report["refused"]] == [
        ("lines[0].commodity_code", "FIELD_STRING_PATTERN")
    ]
    out.write_text(out.read_text(encoding="utf-8").replace('"6704"', '"6704200000"'), encoding="utf-8")
    assert desk.run("import", str(out))["accepted"] == 1
    assert desk.waiting() == {}
