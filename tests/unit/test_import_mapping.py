"""Mapping files: what a column can become, what is absent, and every error of a mapping at once."""

import contextlib
import json
import pathlib
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.importing import documents, wording
from cli.importing.entries import Entry
from cli.importing.files import Opened, Source
from cli.importing.mapping import ColumnMapping, InvalidMapping, load
from cli.importing.targets import TARGETS, rules_of
from cli.importing.transforms import TRANSFORMS, Notation, Unmappable

EXAMPLES = pathlib.Path(__file__).parents[2] / "examples" / "mappings"
RECORD = """
target = "reference_record"
unmapped = "extra"
[key]
columns = ["id"]
[constants]
source = "tests"
"""


def record(*fields: str) -> ColumnMapping:
    """A mapping to reference records with these fields."""
    return load(RECORD + "".join(f"[[fields]]\n{field}\n" for field in fields))


def applied(field: str, **row: str) -> tuple[Any, list[tuple[str, str]]]:
    """The record of one row under a mapping of one field, and the problems of that field's columns."""
    found, problems = record(field).apply([{"id": "1", **row}])
    return found, [(problem.path, problem.reason) for problem in problems if problem.path in row]


def entries_of(file: pathlib.Path, mapping: ColumnMapping) -> list[Entry]:
    """The documents of a file."""
    with Opened(Source(file)) as opened:
        return list(documents.entries(opened, mapping))


def errors_of(text: str) -> list[str]:
    with pytest.raises(InvalidMapping) as refused:
        load(text)
    return list(refused.value.errors)


@pytest.mark.parametrize(
    ("options", "text", "expected"),
    [
        ('transform = "decimal"', "12.50", "12.50"),
        ('transform = "decimal"\nthousands = ","', "1,234,567.8", "1234567.8"),
        ('transform = "decimal"\nthousands = "."\npoint = ","', "1.234,5", "1234.5"),
        ('transform = "decimal"\nfactor = "0.001"', "2500", "2.500"),
        ('transform = "decimal"', "1,234", "NUMBER_INVALID"),
        ('transform = "decimal"\nthousands = ","', "12,34", "NUMBER_INVALID"),
        ('transform = "decimal"\nthousands = ","', ",123", "NUMBER_INVALID"),
        ('transform = "decimal"', "See ASN-93 (ID#:1281)", "NUMBER_INVALID"),
        ('transform = "decimal"', "1e3", "NUMBER_INVALID"),
        ('transform = "decimal"', "NaN", "NUMBER_INVALID"),
        ('transform = "decimal"\nabsent = ["", "N/A"]', "N/A", ""),
        ("transform = \"decimal\"\nabsent_pattern = 'See ASN-[0-9]+'", "See ASN-93", ""),
        ("transform = \"decimal\"\nabsent_pattern = 'See ASN-[0-9]+'", "See ASN-93 too", "NUMBER_INVALID"),
        ('transform = "quotient"\ndivisor = "n"', "10", "3.333333"),
    ],
)
def test_decimals(options: str, text: str, expected: str) -> None:
    found, problems = applied(f'column = "c"\npath = "net_weight_kilograms"\n{options}', c=text, n="3")
    assert (problems[0][1] if problems else found.net_weight_kilograms.value) == expected


@pytest.mark.parametrize(
    ("options", "text", "expected"),
    [
        ('currency = "USD"', "19.5", ("USD", 1950)),
        ('currency = "KRW"', "19.0", ("KRW", 19)),
        ('currency = "KRW"', "19.5", "AMOUNT_INVALID"),
        ('currency = "KRW"\nrounding = "half_even"', "19.5", ("KRW", 20)),
        ('currency = "KRW"\nrounding = "half_even"', "20.5", ("KRW", 20)),
        ('currency = "KRW"\nrounding = "half_up"', "20.5", ("KRW", 21)),
        ('currency = "KRW"\nrounding = "down"', "20.9", ("KRW", 20)),
        ('currency_column = "n"', "7", ("EUR", 700)),
        ('currency_column = "n"\ncurrency_system = "currency.customs_numeric"', "7", "CODE_UNKNOWN"),
        ('currency = "USD"', "999999999999999", ("USD", 99999999999999900)),
        ('currency = "USD"', "9999999999999999", "NUMBER_INVALID"),
    ],
)
def test_amounts(options: str, text: str, expected: Any) -> None:
    found, problems = applied(f'column = "c"\npath = "value"\ntransform = "amount"\n{options}', c=text, n="EUR")
    assert (problems[0][1] if problems else (found.value.currency_code, found.value.minor_units)) == expected


@pytest.mark.parametrize(("text", "expected"), [("2-Jun-06", (2006, 6, 2)), ("6/2/06", (2006, 6, 2)), ("2.6.06", None)])
def test_dates_in_several_forms(text: str, expected: tuple[int, int, int] | None) -> None:
    form = 'column = "c"\npath = "record_date"\ntransform = "date"\nformats = ["%d-%b-%y", "%m/%d/%y"]'
    found, problems = applied(form, c=text)
    day = found.record_date
    assert (problems == [("c", "DATE_INVALID")]) if expected is None else ((day.year, day.month, day.day) == expected)


@pytest.mark.parametrize(
    ("system", "text", "expected"),
    [
        ("country.iso_alpha_2", "CN", "CHN"),
        ("country.iso_alpha_3", "CHN", "CHN"),
        ("country.customs_numeric", "142", "CHN"),
        ("country.iso_alpha_2", "142", "CODE_UNKNOWN"),
        ("country.customs_numeric", "156", "CODE_UNKNOWN"),
        ("country.iso_alpha_3", "CN", "CODE_UNKNOWN"),
    ],
)
def test_code_systems_are_kept_apart(system: str, text: str, expected: str) -> None:
    form = f'column = "c"\npath = "origin_country"\ntransform = "code"\nsystem = "{system}"'
    found, problems = applied(form, c=text)
    assert (problems[0][1] if problems else found.origin_country) == expected


def test_units_of_the_statistics_are_units_of_customs() -> None:
    found, _ = applied('column = "c"\npath = "unit"\ntransform = "code"\nsystem = "unit.statistics"', c="09")
    assert found.unit == "035"


def test_what_no_field_takes_is_kept_and_what_is_absent_but_says_something_too() -> None:
    mapping = record('column = "w"\npath = "net_weight_kilograms"\ntransform = "decimal"\nabsent = ["", "elsewhere"]')
    found, _ = mapping.apply([{"id": "1", "w": "elsewhere", "brand": "Reveal", "empty": ""}])
    assert dict(found.extra) == {"w": "elsewhere", "brand": "Reveal"}
    assert not found.HasField("net_weight_kilograms")


def test_all_problems_of_a_row_those_of_the_target_too() -> None:
    mapping = record(
        'column = "day"\npath = "record_date"\ntransform = "date"\nformats = ["%Y-%m-%d"]',
        'column = "price"\npath = "value"\ntransform = "amount"\ncurrency = "USD"',
        'column = "mass"\npath = "net_weight_kilograms"\ntransform = "decimal"\nrequired = true',
        'column = "tax"\npath = "tax_percent"\ntransform = "decimal"',
    )
    _, problems = mapping.apply([{"id": "1", "day": "yesterday", "price": "0", "mass": "", "tax": "5"}])
    assert [(problem.path, problem.reason) for problem in problems] == [
        ("day", "DATE_INVALID"),
        ("mass", "COLUMN_EMPTY"),
        ("price", "AMOUNT_NOT_POSITIVE"),
    ]


DECLARATION = """
target = "declaration"
unmapped = "ignore"
[file]
lines = "%s"
[key]
columns = ["no"]
[constants]
trade_mode = "0110"
lines.origin_country = "CHN"
[[fields]]
column = "no"
path = "declaration_number"
[[fields]]
column = "%s"
path = "lines.total"
transform = "amount"
currency = "USD"
"""


def test_rows_of_one_key_are_lines_of_one_declaration(tmp_path: pathlib.Path) -> None:
    file = tmp_path / "lines.csv"
    file.write_text("no,total\nA,1.00\nA,2.50\nB,4\nB,5,6\nC,8\n", encoding="utf-8")
    mapping = load(DECLARATION % ("", "total"))
    entries = entries_of(file, mapping)
    assert [(entry.line, len(entry.rows), [problem.reason for problem in entry.problems]) for entry in entries] == [
        (2, 2, []),
        (5, 0, ["ROW_MALFORMED"]),
        (4, 0, ["ROWS_UNREAD"]),
        (6, 1, []),
    ]
    found, problems = mapping.apply(entries[0].rows)
    assert problems == []
    assert [(line.line_number, line.total.minor_units, line.origin_country) for line in found.lines] == [
        (1, 100, "CHN"),
        (2, 250, "CHN"),
    ]
    assert (found.declared_value.minor_units, found.declared_value.currency_code) == (350, "USD")
    assert (found.declaration_number, found.trade_mode) == ("A", "0110")


def test_rows_of_one_document_must_agree() -> None:
    mapping = load(DECLARATION % ("", "total") + '[[fields]]\ncolumn = "buyer"\npath = "buyer_name"\n')
    rows = [{"no": "A", "total": "1", "buyer": "one"}, {"no": "A", "total": "1", "buyer": "two"}]
    assert ("buyer", "ROWS_DISAGREE") in [(problem.path, problem.reason) for problem in mapping.apply(rows)[1]]


def test_objects_with_a_list_of_lines(tmp_path: pathlib.Path) -> None:
    file = tmp_path / "orders.jsonl"
    lines = [{"no": "A", "goods": {"items": [{"total": 1.5}, {"total": "2"}]}}, {"no": "B"}, ["C"]]
    file.write_text("\n".join(map(json.dumps, lines)) + "\n{\n", encoding="utf-8")
    mapping = load(DECLARATION % ("goods.items", "goods.items.total"))
    entries = entries_of(file, mapping)
    assert [[problem.reason for problem in entry.problems] for entry in entries] == [[], *[["LINE_MALFORMED"]] * 3]
    found, _ = mapping.apply(entries[0].rows)
    assert [line.total.minor_units for line in found.lines] == [150, 200]


@pytest.mark.parametrize(
    ("options", "text", "expected"),
    [
        # Groups are of three digits, and of one separator; neither is guessed.
        ('thousands = ","', "1,00,000", "NUMBER_INVALID"),
        ('thousands = "."\npoint = ","', "1.2345", "NUMBER_INVALID"),
        ('thousands = "."\npoint = ","', "1.5", "NUMBER_INVALID"),
        ('thousands = "."\npoint = ","', "1.488,69", "1488.69"),
        ('thousands = "."\npoint = ","', "1.000", "1000"),
        ('thousands = "."\npoint = ","', "1,488.69", "NUMBER_INVALID"),
        ('thousands = ","', "1,488,69", "NUMBER_INVALID"),
        ('thousands = ","', "1,234.567,8", "NUMBER_INVALID"),
        ('thousands = ","', "0,125", "NUMBER_INVALID"),
        ('thousands = ","', "1234,567", "NUMBER_INVALID"),
        ('point = ","', "1.500", "NUMBER_INVALID"),
        ('point = ","', "1,500", "1.500"),
        # A separator that spreadsheets write in several ways.
        ('thousands = " "', "1 234 567", "1234567"),
        ('thousands = " "', "1\u00a0234\u00a0567", "1234567"),
        ('thousands = " "', "1\u202f234", "1234"),
        ('thousands = " "', "1 234\u00a0567", "NUMBER_INVALID"),
        ('thousands = "\'"', "1\u2019234.50", "1234.50"),
        ('thousands = "\u2019"', "1'234", "1234"),
        # Other notations.
        ("", "1_000", "NUMBER_INVALID"),
        ("", "1e3", "NUMBER_INVALID"),
        ("", "1.23E+05", "NUMBER_SHORTENED"),
        ("", "\uff11\uff10", "NUMBER_INVALID"),
        ("", "\u0661\u0662", "NUMBER_INVALID"),
        ("", "0x10", "NUMBER_INVALID"),
        ("", "(5)", "NUMBER_INVALID"),
        ("", "5-", "NUMBER_INVALID"),
        ("", "$5", "NUMBER_INVALID"),
        ("", "5%", "NUMBER_INVALID"),
        ("", "5.", "NUMBER_INVALID"),
        ("", ".5", "0.5"),
        ("", ".", "NUMBER_INVALID"),
        ("", "1.50000000", "1.50000000"),
    ],
)
def test_numbers_are_read_as_declared_or_refused(options: str, text: str, expected: str) -> None:
    field = f'column = "c"\npath = "net_weight_kilograms"\ntransform = "decimal"\n{options}'
    found, problems = applied(field, c=text)
    assert (problems[0][1] if problems else found.net_weight_kilograms.value) == expected


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ('thousands = "."', "thousands and point are both '.'"),
        ('thousands = ","\npoint = ","', "thousands and point are both ','"),
        ('point = ""', "point is empty"),
        ('point = ";"', "point ';' is none of . ,"),
        ('thousands = ".."', "thousands '..' is no sign"),
        ('thousands = "0"', "thousands '0' is no sign"),
        ('thousands = "-"', "thousands '-' is no sign"),
        ('factor = "NaN"', "factor 'NaN' is no plain number"),
        ('factor = "Infinity"', "factor 'Infinity' is no plain number"),
        ('factor = "0"', "factor '0' is no plain number"),
        ('factor = "-1"', "factor '-1' is no plain number"),
        ('factor = "1e999999"', "factor '1e999999' is no plain number"),
    ],
)
@pytest.mark.parametrize("transform", ["decimal", "amount", "quotient"])
def test_a_notation_that_can_be_read_in_two_ways_is_an_error_of_the_mapping(
    transform: str, options: str, error: str
) -> None:
    path = {"amount": "value", "decimal": "net_weight_kilograms", "quotient": "unit_price"}[transform]
    needed = {"amount": 'currency = "USD"', "decimal": "", "quotient": 'divisor = "n"'}[transform]
    found = errors_of(
        f'{RECORD}[[fields]]\ncolumn = "c"\npath = "{path}"\ntransform = "{transform}"\n{needed}\n{options}'
    )
    assert any(error in name for name in found)


@given(
    st.integers(0, 10**12),
    st.sampled_from([(",", "."), (".", ","), (" ", ","), ("'", "."), ("", "."), ("", ",")]),
    st.integers(0, 99),
)
def test_a_number_that_is_written_in_a_notation_is_read_in_it_and_in_no_other(
    whole: int, notation: tuple[str, str], cents: int
) -> None:
    thousands, point = notation
    text = f"{whole:,}".replace(",", thousands) + f"{point}{cents:02}"
    expected = Decimal(whole * 100 + cents) / 100
    assert Notation(thousands, point).number(text) == expected
    for other in ((",", "."), (".", ",")):
        with contextlib.suppress(Unmappable):
            assert Notation(*other).number(text) == expected


@pytest.mark.parametrize(
    ("form", "text", "expected"),
    [
        ("%Y%m%d", "20261101", (2026, 11, 1)),
        # 1 November or 11 January.
        ("%Y%m%d", "2026111", None),
        ("%d%m%Y", "1112026", None),
        ("%Y-%m-%d", "2026-3-2", (2026, 3, 2)),
    ],
)
def test_a_day_without_all_its_digits_is_refused_where_it_could_be_two(
    form: str, text: str, expected: tuple[int, int, int] | None
) -> None:
    found, problems = applied(f'column = "c"\npath = "record_date"\ntransform = "date"\nformats = ["{form}"]', c=text)
    day = found.record_date
    assert (problems == [("c", "DATE_INVALID")]) if expected is None else ((day.year, day.month, day.day) == expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("91410100MA9F2K7T1P", "enterprises/91410100MA9F2K7T1P"),
        ("enterprises/91410100MA9F2K7T1P", "enterprises/91410100MA9F2K7T1P"),
        ("91410100ma9f2k7t1p", "enterprises/91410100MA9F2K7T1P"),
        ("91410100MA9F2K7T1Q", "SOCIAL_CREDIT_CODE_INVALID"),
        ("91410100MA9F2K7T1", "SOCIAL_CREDIT_CODE_INVALID"),
        ("enterprises/", "SOCIAL_CREDIT_CODE_INVALID"),
        ("9.1410E+17", "NUMBER_SHORTENED"),
    ],
)
@pytest.mark.parametrize("target", ["declaration", "record"])
@pytest.mark.parametrize("transform", ["", 'transform = "enterprise"'])
def test_an_enterprise_is_known_by_its_plain_code(target: str, transform: str, text: str, expected: str) -> None:
    mapping = load(f'target = "{target}"\n[[fields]]\ncolumn = "c"\npath = "enterprise"\n{transform}')
    found, problems = mapping.apply([{"c": text}])
    told = [(problem.reason, problem.english) for problem in problems if problem.path == "c"]
    assert (told[0][0] if told else found.enterprise) == expected
    assert not any("regex" in message for _, message in told)


def test_constants_name_enterprises_by_their_plain_code() -> None:
    text = 'target = "declaration"\n[constants]\nenterprise = "%s"\n[[fields]]\ncolumn = "c"\npath = "trade_mode"'
    found, _ = load(text % "91410100MA9F2K7T1P").apply([{"c": "0110"}])
    assert found.enterprise == "enterprises/91410100MA9F2K7T1P"
    assert "is no social credit code" in errors_of(text % "91410100MA9F2K7T1Q")[0]


def test_the_form_of_every_field_can_be_told_in_words() -> None:
    def patterns(descriptor: Any, seen: frozenset[str]) -> Iterator[str]:
        for field in descriptor.fields:
            yield str(rules_of(field).string.pattern)
            inner = field.message_type
            if inner is not None and inner.full_name not in seen:
                yield from patterns(inner, seen | {inner.full_name})

    for target in TARGETS.values():
        for pattern in filter(None, patterns(target.message.DESCRIPTOR, frozenset())):
            told = wording.plain(f"does not match regex pattern `{pattern}`")
            assert told.startswith("The value is not of the form wanted: "), pattern
    assert wording.plain("must be a list") == "must be a list"


@given(st.text(max_size=12))
def test_any_text_is_a_value_a_problem_or_absent(text: str) -> None:
    for field in (
        'column = "c"\npath = "net_weight_kilograms"\ntransform = "decimal"\nthousands = ","',
        'column = "c"\npath = "value"\ntransform = "amount"\ncurrency = "USD"',
        'column = "c"\npath = "record_date"\ntransform = "date"\nformats = ["%Y%m%d"]',
        'column = "c"\npath = "origin_country"\ntransform = "code"\nsystem = "country.iso_alpha_2"',
        'column = "c"\npath = "unit_price"\ntransform = "quotient"\ndivisor = "c"',
    ):
        found, problems = applied(field, c=text)
        path = field.split('path = "')[1].split('"')[0]
        is_set = bool(getattr(found, path)) if path == "origin_country" else found.HasField(path)
        assert is_set or problems or not text


def test_every_error_of_a_mapping_at_once() -> None:
    found = errors_of(
        """
target = "reference_record"
unmapped = "drop"
colour = "blue"
[file]
encoding = "utf-99"
delimiter = ";;"
[constants]
source = 7
colour = "blue"
[[fields]]
column = "a"
path = "record_date"
transform = "date"
[[fields]]
column = "b"
path = "value"
transform = "amount"
currency = "XXL"
[[fields]]
column = "c"
path = "value"
transform = "decimal"
precision = 2
[[fields]]
column = "d"
path = "nothing"
[[fields]]
column = "e"
path = "origin_country"
transform = "code"
system = "country.fifa"
[[fields]]
path = "seller"
[[fields]]
column = "f"
path = "extra"
[[fields]]
column = "g"
path = "seller"
absent_pattern = "("
[[fields]]
column = "h"
path = "net_weight_kilograms"
transform = "text"
[[fields]]
column = "i"
path = "buyer"
transform = "guess"
"""
    )
    expected = [
        "knows no 'colour'", "encoding 'utf-99'", "delimiter ';;'", "unmapped 'drop'", "source takes no 7",
        "'colour' is no field", "formats is missing", "'XXL' is no ISO 4217", "knows no 'precision'",
        "'nothing' is no field", "'country.fifa' is none", "column is missing", "'extra' is no field",
        "unterminated subpattern", "text makes text, the field is decimal", "transform 'guess'",
        "[key] columns must say",
    ]  # fmt: skip
    assert [text for text in expected if not any(text in error for error in found)] == []
    assert len(found) == len(expected)


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("target = ", "no TOML"),
        ('target = "invoice"\n[[fields]]', "target 'invoice' is none of declaration, receipt"),
        ('target = "receipt"', "there are no [[fields]]"),
        ('target = "receipt"\nunmapped = "extra"\n[[fields]]\ncolumn="a"\npath="note"', "receipt has no extra"),
        (RECORD + '[[fields]]\ncolumn = "a"\npath = "source"', "'source' is filled twice"),
        (DECLARATION.replace('columns = ["no"]', "") % ("", "t"), "[key] columns must say which belong together"),
        (
            'target = "retail_order"\n[constants]\ndirection = "OUT"\n[[fields]]\ncolumn="a"\npath="order_number"',
            "direction has no value 'OUT'",
        ),
        (
            'target="retail_order"\n[[fields]]\ncolumn="a"\npath="direction"\ntransform="enumeration"\nvalues={E="OUT"}',
            "direction has no value 'OUT'",
        ),
    ],
)
def test_errors_of_the_whole(text: str, error: str) -> None:
    assert any(error in found for found in errors_of(text))


def test_enumerations_fill_enumerations_by_name() -> None:
    mapping = load(
        'target="retail_order"\nunmapped="ignore"\n[[fields]]\ncolumn="d"\npath="direction"\n'
        'transform="enumeration"\nvalues={E="EXPORT", I="IMPORT"}'
    )
    found, problems = mapping.apply([{"d": "E"}])
    assert found.direction == 1
    assert "d" not in [problem.path for problem in problems]
    assert ("d", "VALUE_UNKNOWN") in [(problem.path, problem.reason) for problem in mapping.apply([{"d": "X"}])[1]]


PERSONS = """
target = "declaration"
unmapped = "ignore"
[constants]
persons.TYPIST.identity_type = "IC"
[[fields]]
column = "typist"
path = "persons.TYPIST.identity_number"
[[fields]]
column = "kind"
path = "persons.DECLARANT.identity_type"
transform = "enumeration"
values = {card = "1"}
[[fields]]
column = "declarant"
path = "persons.DECLARANT.name"
"""


def test_persons_by_their_part() -> None:
    mapping = load(PERSONS)
    found, _ = mapping.apply([{"typist": "T1", "kind": "card", "declarant": "林"}])
    assert [(person.part, person.identity_type, person.identity_number, person.name) for person in found.persons] == [
        (4, "IC", "T1", ""),
        (6, "1", "", "林"),
    ]
    assert not mapping.apply([{"typist": "", "kind": "", "declarant": ""}])[0].persons
    _, problems = mapping.apply([{"typist": "", "kind": "护照 E1234", "declarant": ""}])
    (told,) = [problem for problem in problems if problem.path == "kind"]
    assert (told.reason, "E1234" in told.english) == ("VALUE_UNKNOWN", False)


@pytest.mark.parametrize("path", ["persons.name", "persons.OWNER.name", "persons.BUYER.part", "persons.BUYER.a.b"])
def test_a_person_has_a_part_and_a_field(path: str) -> None:
    (error,) = errors_of(PERSONS.replace("persons.DECLARANT.name", path))
    assert "persons.PART.FIELD" in error
    assert "BUYER" in error


def test_what_has_no_persons_takes_none() -> None:
    assert "no field of receipt" in errors_of(PERSONS.replace('"declaration"', '"receipt"'))[0]


def test_files_must_have_the_columns_and_no_others_unless_told() -> None:
    assert record('column = "c"\npath = "seller"').unfit(["c", "d"]) == ["the file has no column 'id'"]
    strict = load('target = "receipt"\n[[fields]]\ncolumn = "code"\npath = "channel_code"')
    assert strict.unfit(["code", "why"]) == ["the mapping says nothing of column 'why'"]


@pytest.mark.parametrize("file", sorted(EXAMPLES.glob("*.toml")), ids=lambda file: file.stem)
def test_every_example_is_a_mapping(file: pathlib.Path) -> None:
    assert load(file.read_text(encoding="utf-8")).fields


def test_the_guide_names_every_transform() -> None:
    guide = (EXAMPLES.parents[1] / "docs" / "import-mapping.md").read_text(encoding="utf-8")
    assert [name for name in TRANSFORMS if f"`{name}`" not in guide] == []
