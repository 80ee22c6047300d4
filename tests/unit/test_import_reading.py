"""Files of rows as they are read: tables, spreadsheets and JSON Lines, and what is refused of them and why."""

import gzip
import io
import json
import pathlib
import resource
import zipfile
from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

import openpyxl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli import importing
from cli.importing import cells, documents, encodings, files
from cli.importing.entries import Entry
from cli.importing.files import Opened, RefusedFile, Source
from cli.importing.mapping import ColumnMapping, load

HEAD = "nr,total,name"
MAPPING = """
target = "declaration"
unmapped = "ignore"
[file]
%s
[key]
columns = ["nr"]
[constants]
trade_mode = "0110"
[[fields]]
column = "nr"
path = "declaration_number"
[[fields]]
column = "total"
path = "lines.total"
transform = "amount"
currency = "USD"
%s
[[fields]]
column = "name"
path = "lines.goods_name"
"""
DATED = MAPPING + '[[fields]]\ncolumn = "day"\npath = "export_date"\ntransform = "date"\nformats = ["%%d.%%m.%%Y"]\n'
# Each row of a record is a document of its own.
RECORDS = """
target = "reference_record"
unmapped = "ignore"
[key]
columns = ["nr"]
[constants]
source = "tests"
[[fields]]
column = "total"
path = "value"
transform = "amount"
currency = "USD"
[[fields]]
column = "name"
path = "goods_name"
"""


def mapping(file: str = 'encoding = "utf-8"', total: str = "", text: str = MAPPING) -> ColumnMapping:
    return load(text % (file, total))


def entries(file: pathlib.Path, found: ColumnMapping) -> list[Entry]:
    with Opened(Source(file)) as opened:
        return list(documents.entries(opened, found))


def told(read: Sequence[Entry]) -> list[tuple[int, int, list[str]]]:
    """Line, number of rows and reasons of each entry."""
    return [(one.line, len(one.rows), [problem.reason for problem in one.problems]) for one in read]


def read(folder: pathlib.Path, text: str, found: ColumnMapping, name: str = "t.csv") -> list[Entry]:
    file = folder / name
    file.write_bytes(text.encode(found.encoding or "utf-8"))
    return entries(file, found)


def message(read: Sequence[Entry]) -> str:
    (text,) = [problem.english for one in read for problem in one.problems]
    return text


# Quotation marks.


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        # Never closed; closed by a mark of a later row; closed and gone on; closed by the next cell's mark.
        (['1,1.00,"12 inch pipe', "2,2.00,elbow", "3,3.00,flange"], [2]),
        (['1,1.00,"8 inch pipe', "2,2.00,elbow", '3,3.00,flange 6"'], [2]),
        (['1,1.00,"8" inch pipe', "2,2.00,elbow", "3,3.00,flange"], [2]),
        (['1,"1.00,8 inch', '2,"2.00,9 inch', "3,3.00,flange"], [2, 3]),
        (['1,1.00,"pipe"', '2,2.00,"elbow', '3,3.00,"flange"'], [3]),
    ],
)
def test_an_unclosed_quotation_mark_is_refused_by_its_line(
    tmp_path: pathlib.Path, rows: list[str], expected: list[int]
) -> None:
    found = read(tmp_path, "\n".join([HEAD, *rows, ""]), mapping())
    # Every row is read or refused: none is gone.
    assert sorted(one.line for one in found) == [2, 3, 4]
    assert sorted(one.line for one in found if one.problems) == expected
    assert {problem.reason for one in found for problem in one.problems} == {"ROW_MALFORMED"}


def test_marks_within_a_cell_and_lines_within_a_quoted_one_are_taken(tmp_path: pathlib.Path) -> None:
    text = f'{HEAD}\n1,1.00,pipe "8 inch\n2,2.00,"a ""b"", c\nsecond line"\n3,3.00,"x"\n'
    found = read(tmp_path, text, mapping())
    assert [one.rows[0]["name"] for one in found] == ['pipe "8 inch', 'a "b", c\nsecond line', "x"]


def test_the_row_of_an_unclosed_mark_is_kept_as_it_stands(tmp_path: pathlib.Path) -> None:
    found = read(tmp_path, f'{HEAD}\n1,1.00,"pipe\n2,2.00,elbow\n', mapping())
    assert found[0].cut().decode() == f'{HEAD}\n1,1.00,"pipe\n'


def test_a_header_whose_mark_isn_t_closed_refuses_the_file(tmp_path: pathlib.Path) -> None:
    with pytest.raises(RefusedFile, match=r"t\.csv: a quotation mark of the header"):
        read(tmp_path, 'nr,total,"name\n1,1.00,elbow\n', mapping())


@given(st.lists(st.text('"a,\n', max_size=8), max_size=8))
def test_no_line_is_gone_whatever_the_marks(lines: list[str]) -> None:
    """Each line after the header is in exactly one entry, or blank."""
    text = f"{HEAD}\n" + "".join(f"{index},1,{line}\n" for index, line in enumerate(lines))
    numbered = [line for line in text.split("\n")[1:] if line.strip(",")]
    found = load(RECORDS + '[file]\nencoding = "utf-8"\n')
    source = _Memory(text.encode())
    read_lines: list[str] = []
    for entry in documents.entries(source, found):
        read_lines += [line for line in entry.cut().decode().split("\n")[1:] if line.strip(',"')]
    assert len(read_lines) <= len(numbered) + len(lines)
    assert {line.split(",")[0] for line in numbered if line[:1].isdigit()} <= {
        cell.strip() for line in read_lines for cell in line.replace('"', "").split(",")
    }


class _Memory(Opened):
    """A table in memory."""

    def __init__(self, content: bytes) -> None:
        self.source = Source(pathlib.Path("t.csv"))
        self.stream = io.BytesIO(content)

    def text(self, encoding: str) -> Any:
        return io.TextIOWrapper(self.stream, encoding, newline="")

    def __exit__(self, *_: object) -> None:
        self.stream.close()


# Rows of one key.


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        # Apart once and twice; one of them malformed; next to a row whose key can't be read; without a key.
        (["A,1,x", "B,1,x", "A,2,y"], [(2, 0, ["ROWS_APART"]), (3, 1, [])]),
        (["A,1,x", "B,1,x", "A,2,y", "B,2,y", "C,1,x"], [(2, 0, ["ROWS_APART"]), (3, 0, ["ROWS_APART"]), (6, 1, [])]),
        (["A,1,x", "A,2", "B,1,x"], [(3, 0, ["ROW_MALFORMED"]), (2, 0, ["ROWS_UNREAD"]), (4, 1, [])]),
        (["A,1,x", "B,1,x", "A,2"], [(4, 0, ["ROW_MALFORMED"]), (2, 0, ["ROWS_APART"]), (3, 1, [])]),
        (["A,1,x", 'A,2,"y', "B,1,x"], [(3, 0, ["ROW_MALFORMED"]), (2, 0, ["ROWS_UNREAD"]), (4, 1, [])]),
        (["A,1,x", ",2,y", "B,1,x"], [(3, 0, ["KEY_MISSING"]), (2, 0, ["ROWS_UNREAD"]), (4, 0, ["ROWS_UNREAD"])]),
        (["A,1,x", ",,", "A,2,y"], [(2, 2, [])]),
    ],
)
def test_a_document_is_never_made_of_a_part_of_its_rows(
    tmp_path: pathlib.Path, rows: list[str], expected: list[Any]
) -> None:
    """IN6: a document one row of which is malformed, or stands apart, is refused whole."""
    found = told(read(tmp_path, "\n".join([HEAD, *rows, ""]), mapping()))
    assert sorted(found) == sorted(expected)


def test_rows_apart_are_told_with_their_lines(tmp_path: pathlib.Path) -> None:
    found = read(tmp_path, f"{HEAD}\nA,1,x\nB,1,x\nA,2,y\n", mapping())
    assert message(found) == "declaration A: its rows stand apart (lines 2 and 4); sort the file by nr."
    many = read(tmp_path, f"{HEAD}\n" + "A,1,x\nB,1,x\n" * 20, mapping())
    assert "(lines 2, 4, 6, 8, 10, 12, 14, 16, 18, 20 and more)" in many[0].problems[0].english


def test_where_the_key_isn_t_first_a_malformed_row_may_be_of_either_neighbour(tmp_path: pathlib.Path) -> None:
    text = "name,nr,total\nx,A,1\nx,y,A,2\nx,B,1\nx,C,1\n"
    assert sorted(told(read(tmp_path, text, mapping()))) == [
        (2, 0, ["ROWS_UNREAD"]),
        (3, 0, ["ROW_MALFORMED"]),
        (4, 0, ["ROWS_UNREAD"]),
        (5, 1, []),
    ]


def test_objects_of_one_key_are_one_document_too(tmp_path: pathlib.Path) -> None:
    rows = [{"nr": nr, "total": 1, "name": "x"} for nr in ("A", "A", "B", "A")]
    text = "\n".join(map(json.dumps, rows))
    assert told(read(tmp_path, text, mapping(), "t.jsonl")) == [(1, 0, ["ROWS_APART"]), (3, 1, [])]
    assert told(read(tmp_path, "\n".join(map(json.dumps, rows[:3])), mapping(), "t.jsonl")) == [(1, 2, []), (3, 1, [])]


def test_more_rows_of_one_key_than_a_document_may_have_are_refused_once(tmp_path: pathlib.Path) -> None:
    text = f"{HEAD}\n" + "A,1.00,pipe\n" * 50_000 + "B,1.00,pipe\n"
    before = peak_kilobytes()
    found = read(tmp_path, text, mapping())
    assert told(found) == [(2, 0, ["ROWS_TOO_MANY"]), (50_002, 1, [])]
    assert "has 50000 rows, more than 50" in found[0].problems[0].english
    assert peak_kilobytes() - before < 16_000


def test_keys_are_kept_on_disk(tmp_path: pathlib.Path) -> None:
    file = tmp_path / "t.csv"
    with file.open("w") as out:
        out.write(f"{HEAD}\n")
        out.writelines(f"{index:018},1.00,pipe\n" for index in range(200_000))
        out.write("000000000000000007,2.00,elbow\n")
    before = peak_kilobytes()
    with Opened(Source(file)) as opened:
        assert [one.line for one in documents.entries(opened, mapping()) if one.problems] == [9]
    # As texts the keys alone would take as much.
    assert peak_kilobytes() - before < 16_000


def peak_kilobytes() -> int:
    """The most memory that this process has had, that of the parsers too."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


# Cells.


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ('="460420260000002101"', "460420260000002101"),
        ("'460420260000002101", "460420260000002101"),
        ("'91410100MA9F2K7T1P", "91410100MA9F2K7T1P"),
        ("\t460420260000002101", "460420260000002101"),
        ("'s-Hertogenbosch", "'s-Hertogenbosch"),
        ("'quoted'", "'quoted'"),
        ("=1+1", "=1+1"),
        ("", ""),
    ],
)
def test_what_spreadsheets_put_around_numbers_is_no_part_of_them(cell: str, expected: str) -> None:
    assert cells.cleaned(cell) == expected


def test_a_number_that_a_spreadsheet_shortened_is_told_in_words(tmp_path: pathlib.Path) -> None:
    (entry,) = read(tmp_path, f"{HEAD}\n4.6042E+17,1.00,pipe\n", mapping())
    problems = {one.path: one for one in mapping().apply(entry.rows)[1]}
    assert problems["nr"].reason == "NUMBER_SHORTENED"
    assert "its last digits are lost" in problems["nr"].english
    found = load(RECORDS)
    _, of_key = found.apply([{"nr": "4.6E+17", "total": "1", "name": ""}])
    assert ("nr", "NUMBER_SHORTENED") in [(one.path, one.reason) for one in of_key]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1250", "1250"),
        ("12.5", "12.5"),
        ("1488.6900000000001", "1488.69"),
        ("89128874356304.55", "89128874356304.5"),
        ("0.30000000000000004", "0.3"),
        ("1.25E-2", "0.0125"),
        ("1E3", "1000"),
        ("-0", "0"),
        ("460420260000002106", "4.60420260000002E+17"),
        ("1E400", "1E400"),
        ("x", "x"),
    ],
)
def test_numbers_of_spreadsheets(text: str, expected: str) -> None:
    assert cells.spreadsheet_number(text) == expected


@given(st.decimals(-(10**14), 10**14, places=2))
def test_what_is_typed_into_a_spreadsheet_is_read_to_its_last_digit(amount: Any) -> None:
    # As a spreadsheet writes it: the shortest text of its float.
    assert float(cells.spreadsheet_number(repr(float(amount)))) == float(f"{float(amount):.15g}")


# Columns and empty rows.


def test_empty_rows_are_passed_over_and_rows_keep_their_lines(tmp_path: pathlib.Path) -> None:
    text = f"\n,,\n{HEAD}\n1,1.00,pipe\n,,,,\n  ,\t,\n\n2,2.00,elbow\n,,\n"
    assert told(read(tmp_path, text, mapping())) == [(4, 1, []), (8, 1, [])]


@pytest.mark.parametrize("head", ["nr,total,name,name", "nr,total,name, name ", "nr,nr,total,name"])
def test_a_column_that_is_there_twice_is_refused_by_its_name(tmp_path: pathlib.Path, head: str) -> None:
    file = tmp_path / "t.csv"
    file.write_text(f"{head}\n1,1.00,pipe,x\n", encoding="utf-8")
    name = "nr" if "nr,nr" in head else "name"
    with pytest.raises(RefusedFile, match=f"t.csv has more than one column '{name}'"):
        importing.rows_of(Source(file), [("", mapping())])


def test_blanks_around_columns_names_are_no_part_of_them_unless_mapped(tmp_path: pathlib.Path) -> None:
    (entry,) = read(tmp_path, "nr , total,name\n1,1.00,pipe\n", mapping())
    assert entry.rows[0] == {"nr": "1", "total": "1.00", "name": "pipe"}
    found = load(RECORDS.replace('column = "total"', 'column = " total"') + '[file]\nencoding = "utf-8"\n')
    (entry,) = read(tmp_path, "nr, total,name\n1,1.00,pipe\n", found)
    assert entry.rows[0][" total"] == "1.00"


def test_a_column_that_nothing_reads_may_be_there_twice(tmp_path: pathlib.Path) -> None:
    file = tmp_path / "t.csv"
    file.write_text("nr,total,name,note,note,,\n1,1.00,pipe,x,y,,\n", encoding="utf-8")
    assert importing.rows_of(Source(file), [("", mapping())])


# Encodings.


@pytest.mark.parametrize("name", ["gbk", "gb2312", "gb18030"])
def test_a_declared_encoding_is_believed(tmp_path: pathlib.Path, name: str) -> None:
    file = tmp_path / "t.csv"
    # As UTF-8 the same bytes say Ьñ.
    file.write_bytes(f"{HEAD}\n1,1.00,鞋帽\n".encode("gbk"))
    rows = importing.rows_of(Source(file), [("", mapping(f'encoding = "{name}"'))])
    with Opened(rows.source) as opened:
        (entry,) = rows.entries(opened)
    assert entry.rows[0]["name"] == "鞋帽"


@pytest.mark.parametrize(
    ("name", "text"), [("utf-8-sig", "鞋帽"), ("utf-16", "鞋帽"), ("utf-8", "塑料鞋和布帽"), ("ascii", "shoes")]
)
def test_an_encoding_that_isn_t_declared_is_that_of_the_mark_or_the_only_one(
    tmp_path: pathlib.Path, name: str, text: str
) -> None:
    file = tmp_path / "t.tsv"
    file.write_bytes(f"{HEAD}\n1,1.00,{text}\n".replace(",", "\t").encode(name))
    rows = importing.rows_of(Source(file), [("", mapping(""))])
    with Opened(rows.source) as opened:
        (entry,) = rows.entries(opened)
    assert entry.rows[0]["name"] == text


def test_the_columns_names_prove_the_encoding(tmp_path: pathlib.Path) -> None:
    file = tmp_path / "t.csv"
    for name in ("utf-8-sig", "gb18030"):
        file.write_bytes("品名,数量\n鞋帽,1\n".encode(name.removesuffix("-sig")))
        assert encodings.of(Source(file), "", ["品名", "数量"]) == name


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (f"{HEAD}\n1,1.00,鞋帽\n".encode("gbk"), "fits utf-8 .'Ьñ'. and gb18030 .'鞋帽'."),
        (f"{HEAD}\n1,1.00,MÜLLER\n".encode(), "fits utf-8 .'ÜLLER'. and gb18030 "),
        (f"{HEAD}\n1,1.00,MÜLLER\n".encode("latin-1"), "fits gb18030"),
        (b"nr,total,name\n1,1.00,\x80\xff\n", "fits neither utf-8 nor gb18030"),
    ],
)
def test_a_text_that_fits_several_encodings_is_told(tmp_path: pathlib.Path, content: bytes, text: str) -> None:
    file = tmp_path / "t.csv"
    file.write_bytes(content)
    with pytest.raises(RefusedFile, match=f"t.csv {text}") as refused:
        importing.rows_of(Source(file), [("", mapping(""))])
    assert "say its encoding in the mapping" in str(refused.value)


def test_a_mark_that_contradicts_the_mapping_is_told(tmp_path: pathlib.Path) -> None:
    file = tmp_path / "t.csv"
    file.write_bytes(HEAD.encode("utf-8-sig"))
    with pytest.raises(RefusedFile, match="begins with the mark of utf-8, the mapping says gb18030"):
        importing.rows_of(Source(file), [("", mapping('encoding = "gb18030"'))])


def test_bytes_that_are_no_text_are_told_with_their_line(tmp_path: pathlib.Path) -> None:
    file = tmp_path / "t.csv"
    file.write_bytes(f"{HEAD}\n".encode() + b"1,1.00,pipe\n" * 10_000 + b"2,2.00,\xff\n")
    with pytest.raises(RefusedFile, match=r"t.csv is no utf-8 after line \d+"):
        entries(file, mapping())


# JSON Lines.


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('[{"nr": "1"}]', "is an array; write one object a line"),
        ('[\n {"nr": "1"}\n]', "is an array; write one object a line"),
        ('{\n "nr": "1"\n}', "an object over several lines; write one object a line"),
        ('{"nr": "1",\n "total": 1}', "an object over several lines; write one object a line"),
    ],
)
def test_json_that_isn_t_one_object_a_line_is_told_once(tmp_path: pathlib.Path, text: str, expected: str) -> None:
    file = tmp_path / "t.json"
    file.write_text(text, encoding="utf-8")
    for mappings in ([("", mapping())], []):
        with pytest.raises(RefusedFile, match=f"t.json (is|has) .*{expected.split(' ', 2)[2]}"):
            importing.rows_of(Source(file), mappings)


@pytest.mark.parametrize(
    "line",
    [
        '{"nr": "1", "nr": "2", "total": 1, "name": "x"}',
        '{"nr": "1", "total": 1, "name": {"x": ' + '{"x": ' * 5000 + "1" + "}" * 5002,
        '{"nr": "1", "total": [1], "name": "x"}',
        '{"nr": "1", "total": {"of": 1}, "name": "x"}',
        '{"nr": "1", "a.b": 1, "a": {"b": 2}, "total": 1}',
        '{"nr": "\\ud800", "total": 1}',
    ],
)
def test_lines_of_mapped_json_are_read_strictly(tmp_path: pathlib.Path, line: str) -> None:
    found = read(tmp_path, '{"nr": "0", "total": 1, "name": "x"}\n' + line, mapping(), "t.jsonl")
    assert [problem.reason for problem in found[0].problems] in ([], ["LINE_MALFORMED"])
    reasons = {problem.reason for one in found for problem in one.problems}
    assert "LINE_MALFORMED" in reasons


@pytest.mark.parametrize(
    ("number", "minor_units"),
    [
        ("1.25", 125),
        ("1.2e1", 1200),
        ("1.234", "AMOUNT_INVALID"),
        ("12345678901234.56", 1234567890123456),
        ("1E99", "NUMBER_INVALID"),
    ],
)
def test_numbers_of_json_are_read_as_json_writes_them(
    tmp_path: pathlib.Path, number: str, minor_units: int | str
) -> None:
    found = mapping(total='thousands = "."\npoint = ","')
    (entry,) = read(tmp_path, f'{{"nr": "1", "total": {number}, "name": "x"}}', found, "t.jsonl")
    row, problems = found.apply(entry.rows)
    reasons = [one.reason for one in problems if one.path == "total"]
    if isinstance(minor_units, int):
        assert (reasons, row.lines[0].total.minor_units) == ([], minor_units)
    else:
        assert reasons == [minor_units]


# Spreadsheets.


def workbook(file: pathlib.Path, rows: Sequence[Any], **sheets: Sequence[Any]) -> pathlib.Path:
    """A spreadsheet of one sheet, and more by their names; a name that begins with _ is hidden."""
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    for name, some in sheets.items():
        sheet = book.create_sheet(name.lstrip("_"))
        sheet.sheet_state = "hidden" if name.startswith("_") else "visible"
        for row in some:
            sheet.append(row)
    book.save(file)
    return file


def test_a_spreadsheet_s_numbers_and_days_are_read_as_what_they_are(tmp_path: pathlib.Path) -> None:
    rows = [
        ["nr", "total", "name", "day"],
        ["460420260000002101", 1488.69, '管 12"', date(2026, 3, 2)],
        ["460420260000002102", 0.1 + 0.2, "管", datetime(2026, 3, 2, 9, 30)],  # noqa: DTZ001 a cell has no zone
        [None, None, None, None],
        ["460420260000002103", "1.000,50", "管", "02.03.2026"],
        ["460420260000002104", 1000, "管", "2026-03-02"],
    ]
    found = mapping("", 'thousands = "."\npoint = ","', DATED)
    read = entries(workbook(tmp_path / "t.xlsx", rows), found)
    applied = [found.apply(entry.rows) for entry in read]
    assert [row.lines[0].total.minor_units for row, _ in applied] == [148869, 30, 100050, 100000]
    assert [entry.line for entry in read] == [2, 3, 5, 6]
    assert [row.export_date.month for row, _ in applied] == [3, 3, 3, 0]
    assert [one.reason for one in applied[3][1] if one.path == "day"] == ["DATE_INVALID"]
    assert applied[0][0].lines[0].goods_name == '管 12"'


def test_long_numbers_of_spreadsheets_are_refused_in_words(tmp_path: pathlib.Path) -> None:
    read = entries(workbook(tmp_path / "t.xlsx", [HEAD.split(","), [460420260000002106, 1, "管"]]), mapping(""))
    problems = [one for one in mapping("").apply(read[0].rows)[1] if one.path == "nr"]
    assert [one.reason for one in problems] == ["NUMBER_SHORTENED"]


def test_a_percentage_is_neither_its_number_nor_a_hundredth_of_it(tmp_path: pathlib.Path) -> None:
    book = openpyxl.Workbook()
    book.active.append(HEAD.split(","))
    book.active.append(["1", 0.05, "管"])
    book.active["B2"].number_format = "0%"
    book.save(tmp_path / "t.xlsx")
    (entry,) = entries(tmp_path / "t.xlsx", mapping(""))
    assert entry.rows[0]["total"] == "5%"


def test_formulas_without_values_and_errors_are_refused_by_their_cell(tmp_path: pathlib.Path) -> None:
    rows = [HEAD.split(","), ["1", "=1+1", "管"], ["2", 2, "管"], ["3", "#N/A", "管"]]
    read = entries(workbook(tmp_path / "t.xlsx", rows), mapping(""))
    assert sorted((one.line, bool(one.problems)) for one in read) == [(2, True), (3, False), (4, True)]
    read.sort(key=lambda one: one.line)
    assert "Cell B2 has a formula without its value" in read[0].problems[0].english
    assert "Cell B4 says #N/A" in read[2].problems[0].english


def test_the_sheet_is_the_only_visible_one_with_rows_or_the_named_one(tmp_path: pathlib.Path) -> None:
    rows = [HEAD.split(","), ["1", 1, "管"]]
    more = [HEAD.split(","), ["2", 2, "管"]]
    file = workbook(tmp_path / "t.xlsx", rows, _old=more, empty=[])
    assert [one.rows[0]["nr"] for one in entries(file, mapping(""))] == ["1"]
    assert [one.rows[0]["nr"] for one in entries(file, mapping('sheet = "old"'))] == ["2"]
    file = workbook(tmp_path / "t.xlsx", rows, second=more)
    with pytest.raises(RefusedFile, match=r"t.xlsx has several sheets \('Sheet', 'second'\); name one"):
        entries(file, mapping(""))
    with pytest.raises(RefusedFile, match="has no sheet 'third'; it has 'Sheet', 'second'"):
        entries(file, mapping('sheet = "third"'))


def test_a_packed_spreadsheet_and_one_that_is_none(tmp_path: pathlib.Path) -> None:
    plain = workbook(tmp_path / "t.xlsx", [HEAD.split(","), ["1", 1, "管"]])
    packed = tmp_path / "p.xlsx.gz"
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    assert len(entries(packed, mapping(""))) == 1
    plain.write_bytes(plain.read_bytes()[:-400])
    with pytest.raises(RefusedFile, match=r"t\.xlsx is no \.xlsx, cut off, or locked"):
        entries(plain, mapping(""))


SHEET = (
    '<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>%s</sheetData></worksheet>'
)


def hostile(file: pathlib.Path, part: str, content: bytes) -> pathlib.Path:
    """A spreadsheet one of whose parts is replaced."""
    whole = io.BytesIO()
    workbook(file, [HEAD.split(","), ["1", 1, "管"]])
    with zipfile.ZipFile(file) as before, zipfile.ZipFile(whole, "w", zipfile.ZIP_DEFLATED) as after:
        for name in before.namelist():
            if name != part:
                after.writestr(name, before.read(name))
        after.writestr(part, content)
    file.write_bytes(whole.getvalue())
    return file


@pytest.mark.parametrize(
    ("part", "content", "error"),
    [
        ("xl/worksheets/sheet1.xml", (SHEET % f"<row>{'<c/>' * 1_000_000}</row>").encode(), "is damaged"),
        ("xl/worksheets/sheet1.xml", (SHEET % f"<row><c><is>{'<r/>' * 1_000_000}</is></c></row>").encode(), "larger"),
        ("xl/sharedStrings.xml", b"<sst>" + b"<si/>" * 8_000_000 + b"</sst>", "more than 32 MiB of texts"),
        ("xl/styles.xml", b"<styleSheet>" + b"<xf/>" * 1_000_000 + b"</styleSheet>", "larger than any"),
        ("xl/worksheets/sheet1.xml", (SHEET % '<row><c t="s"><v>99</v></c></row>').encode(), "is damaged"),
        ("xl/worksheets/sheet1.xml", (SHEET % '<row><c r="ZZZZ1"/></row>').encode(), "is damaged"),
        ("xl/worksheets/sheet1.xml", b"<worksheet><sheetData>", "is damaged"),
        ("xl/workbook.xml", b"<workbook/>", "no visible sheet"),
    ],
)
def test_a_hostile_spreadsheet_is_refused_in_little_memory(
    tmp_path: pathlib.Path, part: str, content: bytes, error: str
) -> None:
    file = hostile(tmp_path / "t.xlsx", part, content)
    before = peak_kilobytes()
    with pytest.raises(RefusedFile, match=error):
        entries(file, mapping(""))
    assert peak_kilobytes() - before < 150_000


# Packed files.


def test_members_of_zip_files_are_files_and_archives_in_them_are_named(tmp_path: pathlib.Path) -> None:
    file = tmp_path / "sent.zip"
    with zipfile.ZipFile(file, "w") as archive:
        for name in ("a/one.xml", "two.csv", "notes.txt", "inner.zip", "b.xml.gz", "old.rar"):
            archive.writestr(name, "x")
    found = files.found([file])
    assert [str(one).removeprefix(f"{file}/") for one in found.sources] == ["a/one.xml", "two.csv"]
    assert [(one.source.name, one.rule) for one in found.refusals] == [
        ("b.xml.gz", "FILE_NESTED"),
        ("inner.zip", "FILE_NESTED"),
        ("old.rar", "FILE_NESTED"),
    ]
    assert "inner.zip is packed again inside sent.zip" in found.refusals[1].message


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_name_that_several_members_of_a_zip_file_have_is_refused(tmp_path: pathlib.Path) -> None:
    with zipfile.ZipFile(tmp_path / "sent.zip", "w") as archive:
        for name in ("one.xml", "one.xml", "a/one.xml"):
            archive.writestr(name, "x")
    found = files.found([tmp_path])
    assert [one.member for one in found.sources] == ["a/one.xml"]
    assert [(one.source.member, one.rule) for one in found.refusals] == [("one.xml", "FILE_SHAPE")]
    assert "one.xml is in sent.zip 2 times" in found.refusals[0].message


def test_what_programs_put_beside_a_file_is_passed_over(tmp_path: pathlib.Path) -> None:
    for name in ("~$rows.xlsx", "._one.xml", "one.xml"):
        (tmp_path / name).write_bytes(b"x")
    with zipfile.ZipFile(tmp_path / "sent.zip", "w") as archive:
        for name in ("two.xml", "__MACOSX/._two.xml", "~$rows.xlsx"):
            archive.writestr(name, "x")
    found = files.found([tmp_path])
    assert [one.name for one in found.sources] == ["one.xml", "two.xml"]
    assert found.refusals == []


def test_a_damaged_zip_file_is_named_and_stops_no_other(tmp_path: pathlib.Path) -> None:
    (tmp_path / "bad.zip").write_bytes(b"PK\x03\x04 nothing")
    (tmp_path / "one.xml").write_bytes(b"<a/>")
    found = files.found([tmp_path])
    assert [one.name for one in found.sources] == ["one.xml"]
    assert [(one.rule, one.message.startswith("bad.zip is damaged")) for one in found.refusals] == [
        ("FILE_DAMAGED", True)
    ]


def test_a_zip_file_of_very_many_files_is_refused(tmp_path: pathlib.Path) -> None:
    file = tmp_path / "many.zip"
    with zipfile.ZipFile(file, "w") as archive:
        for index in range(files.MOST_MEMBERS + 1):
            archive.writestr(f"{index}.txt", "")
    (refusal,) = files.found([file]).refusals
    assert refusal.rule == "FILE_TOO_LARGE"


def damaged(content: bytes) -> bytes:
    packed = bytearray(gzip.compress(content, mtime=0))
    packed[len(packed) // 2] ^= 0xFF
    return bytes(packed)


@pytest.mark.parametrize(
    ("content", "rule", "message"),
    [
        (gzip.compress(b"<a>" * 5000)[:-12], "FILE_CUT_OFF", "one.xml.gz is cut off"),
        (gzip.compress(b"")[:5], "FILE_CUT_OFF", "one.xml.gz is cut off"),
        (b"no gzip at all", "FILE_DAMAGED", "one.xml.gz is damaged"),
        (damaged(bytes(range(256)) * 40), "FILE_DAMAGED", "one.xml.gz is damaged"),
        (gzip.compress(b"<a/>") + b"trailing", "FILE_DAMAGED", "one.xml.gz is damaged"),
        (gzip.compress(b" " * 50_000_000), "DOCUMENT_TOO_LARGE", "one.xml.gz unpacks to more than 3 MiB"),
    ],
)
def test_a_packed_document_that_can_t_be_read_names_itself(
    tmp_path: pathlib.Path, content: bytes, rule: str, message: str
) -> None:
    file = tmp_path / "one.xml.gz"
    file.write_bytes(content)
    before = peak_kilobytes()
    with pytest.raises(RefusedFile, match=message) as refused:
        files.content(Source(file))
    assert refused.value.rule == rule
    assert peak_kilobytes() - before < 16_000


def test_a_table_that_unpacks_to_very_much_more_than_it_is_is_refused(tmp_path: pathlib.Path) -> None:
    file = tmp_path / "t.csv.gz"
    file.write_bytes(gzip.compress(b"a\n" * 50_000_000))
    with pytest.raises(RefusedFile, match=r"t\.csv\.gz unpacks to more than 250 times its size"):
        files.check_whole(Source(file))
    file.write_bytes(gzip.compress(b"nr,total,name\n" + b"1,1.00,pipe\n" * 10_000))
    files.check_whole(Source(file))


def test_a_line_without_an_end_is_refused(tmp_path: pathlib.Path) -> None:
    for name in ("t.csv", "t.jsonl"):
        (tmp_path / name).write_bytes(b"{" + b"x" * 10_000_000)
        with pytest.raises(RefusedFile, match=f"{name}: line 1 has more than 3 MiB"):
            entries(tmp_path / name, mapping())


@given(st.binary(max_size=400), st.sampled_from(["t.csv", "t.tsv", "t.jsonl", "t.xlsx", "t.csv.gz", "t.xlsx.gz"]))
def test_any_bytes_are_entries_or_refused(tmp_path_factory: pytest.TempPathFactory, content: bytes, name: str) -> None:
    file = tmp_path_factory.getbasetemp() / name
    file.write_bytes(content)
    for found in (mapping(), mapping("")):
        try:
            files.check_whole(Source(file))
            rows = importing.rows_of(Source(file), [("", found)])
            with Opened(rows.source) as opened:
                for entry in rows.entries(opened):
                    assert entry.problems or rows.make(entry)
        except files.UnreadableFile:
            continue
