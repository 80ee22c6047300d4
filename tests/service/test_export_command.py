"""`aval export`: files that a spreadsheet opens, with what was declared and nothing else."""

import asyncio
import csv
import datetime
import json
import pathlib
import uuid

import openpyxl
import pytest
from aval.declarations.v1 import declarations_pb2
from click.testing import CliRunner

from cli import exporting, local
from cli.layout import Layout
from cli.main import main
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
    assert [one["declaration_number"] for one in rows[:3]] == [number(0), number(0), number(COUNT - 1)]
    assert len({(one["declaration_number"], one["line_number"]) for one in rows}) == COUNT + 1
    assert rows[0]["buyer_name"] == "'=1+1"
    assert list(tmp_path.iterdir()) == [path]


def test_xlsx_has_typed_cells(folder: pathlib.Path, tmp_path: pathlib.Path) -> None:
    path = tmp_path / "some.xlsx"
    report = run(folder, "--out", str(path), "--format", "xlsx", "--enterprise", ENTERPRISES[0], "--from", "2026-12-01")
    assert (report["declarations"], report["lines"]) == (1, 2)
    heads, first, second = openpyxl.load_workbook(path).active.iter_rows()
    cells = {head.value: cell for head, cell in zip(heads, first, strict=True)}
    assert [cells[name].value for name in ("declaration_number", "quantity", "total")] == [number(0), 3, 370.35]
    assert (cells["buyer_name"].value, cells["buyer_name"].data_type) == ("=1+1", "s")
    assert (cells["total"].data_type, cells["declared_value"].value) == ("n", 1370.35)
    assert cells["export_date"].value == datetime.datetime(2026, 12, 24)  # noqa: DTZ001 a spreadsheet's days have no zone
    assert second[0].value == number(0)


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
