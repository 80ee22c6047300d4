"""`aval export`: files that a spreadsheet opens, with what was declared and nothing else."""

import asyncio
import csv
import datetime
import io
import json
import pathlib
import uuid
from typing import Any

import openpyxl
import pytest
from aval.declarations.v1 import declarations_pb2
from click.testing import CliRunner

from chassis.money import Money, to_proto
from cli import exporting, local
from cli.layout import Layout
from cli.main import main
from services.declarations.insight.export.model import COLUMNS, lines, to_csv
from tests.service.insight_world import ENTERPRISES, goods, number, row

COUNT = 1_203


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """A platform's folder with declarations on more than two pages, the first of them hostile."""
    found = tmp_path_factory.mktemp("exported")

    async def fill() -> None:
        async with local.declarations(Layout(found)) as client:
            for start in range(0, COUNT, 1000):
                rows = [
                    row(index, enterprise=ENTERPRISES[index % 2]) for index in range(start, min(start + 1000, COUNT))
                ]
                if start == 0:
                    rows[0] = row(
                        0, goods(cents=12345, quantity="3"), goods("8541100000"), buyer_name="=1+1", day="2026-12-24"
                    )
                request = declarations_pb2.BatchCreateDeclarationsRequest(
                    request_id=str(uuid.uuid4()), declarations=rows
                )
                await client.call("declarations", "BatchCreateDeclarations", request, local.WINDOW)

    asyncio.run(fill())
    return found


def run(folder: pathlib.Path, *arguments: str) -> dict[str, object]:
    """The command's report."""
    result = CliRunner().invoke(main, ["export", "--folder", str(folder), "--json", *arguments])
    assert result.exit_code == 0, result.output
    report: dict[str, object] = json.loads(result.stdout)
    return report


def test_csv_has_every_line_once(folder: pathlib.Path, tmp_path: pathlib.Path) -> None:
    path = tmp_path / "all.csv"
    report = run(folder, "--out", str(path), "--bom")
    assert report == {"ok": True, "file": str(path), "declarations": COUNT, "lines": COUNT + 1}
    assert path.read_bytes().startswith(b"\xef\xbb\xbfdeclaration_number,")
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [entry["declaration_number"] for entry in rows[:3]] == [number(0), number(0), number(COUNT - 1)]
    assert len({(entry["declaration_number"], entry["line_number"]) for entry in rows}) == COUNT + 1
    assert rows[0]["buyer_name"] == "'=1+1"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("name", "magic"), [("a.xlsx", b"PK"), ("B.XLSX", b"PK"), ("c.csv", b"decl"), ("d.CSV", b"decl")]
)
def test_the_files_name_says_the_format(folder: pathlib.Path, tmp_path: pathlib.Path, name: str, magic: bytes) -> None:
    run(folder, "--out", str(tmp_path / name), "--from", "2026-12-01")
    assert (tmp_path / name).read_bytes().startswith(magic)


@pytest.mark.parametrize("name", ["out", "out.txt", "out.xls", "out.csv.gz", ".csv"])
def test_a_name_that_says_no_format_is_refused(folder: pathlib.Path, tmp_path: pathlib.Path, name: str) -> None:
    arguments = ["export", "--folder", str(folder), "--out", str(tmp_path / name), "--from", "2026-12-01"]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 1
    assert "must end in .csv or .xlsx, or give --format" in result.stderr
    assert list(tmp_path.iterdir()) == []
    assert CliRunner().invoke(main, [*arguments, "--format", "csv"]).exit_code == 0
    assert (tmp_path / name).read_bytes().startswith(b"declaration_number")


def test_xlsx_has_typed_cells(folder: pathlib.Path, tmp_path: pathlib.Path) -> None:
    path = tmp_path / "some.xlsx"
    options = ("--format", "xlsx", "--enterprise", ENTERPRISES[0], "--from", "2026-12-01")
    report = run(folder, "--out", str(path), *options)
    assert (report["declarations"], report["lines"]) == (1, 2)
    heads, first, second = openpyxl.load_workbook(path).active.iter_rows()
    cells = {head.value: cell for head, cell in zip(heads, first, strict=True)}
    assert [cells[name].value for name in ("declaration_number", "quantity", "total")] == [number(0), 3, 370.35]
    assert (cells["buyer_name"].value, cells["buyer_name"].data_type) == ("=1+1", "s")
    assert (cells["total"].data_type, cells["declared_value"].value) == ("n", 1370.35)
    assert cells["export_date"].value == datetime.datetime(2026, 12, 24)  # noqa: DTZ001 a spreadsheet's days have no zone
    assert second[0].value == number(0)


def test_heads_are_in_either_language(folder: pathlib.Path, tmp_path: pathlib.Path) -> None:
    only = ("--enterprise", ENTERPRISES[0], "--from", "2026-12-01", "--language", "zh-CN")
    run(folder, "--out", str(tmp_path / "some.csv"), *only)
    run(folder, "--out", str(tmp_path / "some.xlsx"), "--format", "xlsx", *only)
    with (tmp_path / "some.csv").open(encoding="utf-8", newline="") as file:
        heads = next(csv.reader(file))
    sheet = openpyxl.load_workbook(tmp_path / "some.xlsx").active
    assert heads == [cell.value for cell in next(sheet.iter_rows())]
    assert (heads[0], heads[-1], len(set(heads))) == ("报关单号", "总价", len(COLUMNS))


def opened(path: pathlib.Path, *rows: declarations_pb2.Declaration) -> list[dict[str, Any]]:
    """The cells of a workbook of these declarations' lines, by their heads, as openpyxl reads them."""
    with exporting.FORMATS["xlsx"](path, False, "en") as file:
        for declaration in rows:
            for line in lines(declaration, "DECLARED"):
                file.add(line)
    heads, *found = openpyxl.load_workbook(path).active.iter_rows()
    return [{head.value: cell for head, cell in zip(heads, entry, strict=True)} for entry in found]


@pytest.mark.parametrize(
    ("cents", "currency", "value", "shown"),
    [
        (10, "USD", 0.1, "0.00"),
        (123456789012345, "USD", 1234567890123.45, "0.00"),
        (5, "JPY", 5, "0"),
        (1, "KWD", 0.001, "0.000"),
        (9007199254740993, "USD", "90071992547409.93", "General"),
        (2**63 - 1, "USD", "92233720368547758.07", "General"),
    ],
)
def test_amounts_are_exact_and_shown_with_their_decimals(
    tmp_path: pathlib.Path, cents: int, currency: str, value: Any, shown: str
) -> None:
    declared = row(1)
    declared.declared_value.CopyFrom(to_proto(Money(currency, cents)))
    (found,) = opened(tmp_path / "one.xlsx", declared)
    assert (found["declared_value"].value, found["declared_value"].number_format) == (value, shown)


@pytest.mark.parametrize(
    ("day", "value"),
    [
        ("2026-02-28", datetime.datetime(2026, 2, 28)),  # noqa: DTZ001 a spreadsheet's days have no zone
        ("1900-01-01", datetime.datetime(1900, 1, 1)),  # noqa: DTZ001
        ("1899-12-31", "1899-12-31"),
        ("0001-01-01", "0001-01-01"),
    ],
)
def test_days_are_days_or_the_text_of_a_day(tmp_path: pathlib.Path, day: str, value: Any) -> None:
    (found,) = opened(tmp_path / "one.xlsx", row(1, day=day))
    assert found["export_date"].value == value


FORMULAS = (
    "=1+1",
    "+1",
    "-1",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    "＝1+1",
    "＋1",
    "－1",
    "＠SUM(A1)",
    " =1",
    "\u3000＝1",
    "\ufeff=1",
)


@pytest.mark.parametrize("text", FORMULAS)
def test_no_text_is_a_formula(tmp_path: pathlib.Path, text: str) -> None:
    declared = row(1, buyer_name=text)
    (found,) = opened(tmp_path / "one.xlsx", declared)
    assert found["buyer_name"].data_type == "s"
    (cells,) = csv.reader(io.StringIO(to_csv(lines(declared, "DECLARED")).decode(), newline=""))
    assert cells[list(COLUMNS).index("buyer_name")] == f"'{text}"


def test_a_full_sheet_is_followed_by_another(
    folder: pathlib.Path, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exporting, "SPREADSHEET_ROWS", 1_000)
    path = tmp_path / "all.xlsx"
    run(folder, "--out", str(path), "--format", "xlsx")
    sheets = openpyxl.load_workbook(path).worksheets
    assert [sum(1 for _ in sheet.iter_rows()) for sheet in sheets] == [1_000, 1 + COUNT + 1 - 999]


def test_what_is_no_filter_leaves_no_file(folder: pathlib.Path, tmp_path: pathlib.Path) -> None:
    arguments = ["export", "--folder", str(folder), "--out", str(tmp_path / "none.csv"), "--status", "GONE"]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 1
    assert "invalid fields" in result.output
    assert not list(tmp_path.iterdir())
