"""The normal forms of names: parties whose names differ only in writing have one.

A token is made of a normal form and can't be made again, since the name isn't kept. So a version of the normal form
never changes: neither its rules here nor its tables (data/*_2.csv). Whoever looks a name up asks by every version, and
keeps what is new under the newest.
"""

import csv
import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from functools import cache, lru_cache
from importlib.resources import files

NEWEST = 2
WORDS = re.compile(r"[^\W_]+")
# Legal forms are left out or written in several ways: those of version 1.
LEGAL_FORMS = re.compile(
    "ab|ag|and|aps|as|bhd|bv|co|company|corp|corporation|gmbh|inc|incorporated|kg|kk|limited|llc|llp|ltd|nv|oy|plc"
    "|pte|pty|sa|sarl|sas|sdn|spa|srl|the"
)
CHINESE_LEGAL_FORMS = re.compile(r"股份有限公司|有限责任公司|股份公司|有限公司|集团公司|公司$")
# As people write them in Latin letters; a name in characters has lost them before.
CHINESE_FORMS_IN_PINYIN = (
    "gongsi", "youxian gongsi", "youxiangongsi", "youxian zeren gongsi", "youxianzeren gongsi", "youxianzerengongsi",
    "gufen gongsi", "gufengongsi", "gufen youxian gongsi", "gufen youxiangongsi", "gufenyouxian gongsi",
    "gufenyouxiangongsi",
)  # fmt: skip
ARTICLE = "the"


def text(raw: str) -> str:
    """Returns text with one spelling of what is only written otherwise; applying it again changes nothing.

    Compatibility forms (full width, circled, superscript), case, the digits of all scripts and invisible characters:
    "ＡＢ①" is "ab1".
    """
    if raw.isascii() and raw.isprintable():
        return raw.lower()
    folded = unicodedata.normalize("NFKC", raw)
    while (again := unicodedata.normalize("NFKC", _visible(folded).casefold())) != folded:
        folded = again
    return folded


def _visible(written: str) -> str:
    """Returns text without what can't be seen, and in the digits 0 to 9."""
    return "".join(
        str(unicodedata.decimal(character)) if character.isdecimal() else character
        for character in written
        if unicodedata.category(character) not in ("Cf", "Cc", "Mn")
    )


def without_spaces(raw: str) -> str:
    """Returns text without case, width and white space: "Nr. ７ a" is "nr.7a"."""
    return "".join(text(raw).split())


def without_accents(written: str) -> str:
    """Returns text without combining marks: "société" is "societe"."""
    decomposed = unicodedata.normalize("NFKD", written)
    return "".join(character for character in decomposed if not unicodedata.combining(character))


@lru_cache(maxsize=65536)
def spaced(raw: str) -> str:
    """Returns a name in small letters, its words parted by one space: "HAIR-World, Inc." is "hair world inc"."""
    return re.sub(r"[\W_]+", " ", unicodedata.normalize("NFKC", raw).casefold()).strip()


def letters_and_digits(raw: str) -> str:
    """Returns a contract's number by its letters and digits alone, in capitals: "ht-2026/７" is "HT20267"."""
    usual = unicodedata.normalize("NFKC", raw).upper()
    return "".join(character for character in usual if character.isalnum())


def searchable(raw: str) -> str:
    """Returns text as searches compare it: in capitals, without NUL, which no store takes. "ht-7" is "HT-7"."""
    return raw.upper().replace("\0", " ")


def party(raw: str, version: int = NEWEST) -> str:
    """Returns a party's name in a version of the normal form, never empty for a name that isn't.

    "许昌发制品有限公司", "Xuchang Fazhipin Co., Ltd." and the latter with a Cyrillic С are "xuchangfazhipin".
    """
    return _PARTY[version](raw)


def identities(raw: str) -> tuple[str, ...]:
    """Returns a name as identities of its party: every version's normal form, bearing its version, the newest first.

    "Atlantic Hair Ltd." gives ("2:atlantichair", "atlantichair"): version 1 has no mark, as what stands hasn't.
    """
    return tuple(_marked(version, party(raw, version)) for version in sorted(_PARTY, reverse=True))


def is_newest(identity: str) -> bool:
    """Returns whether an identity by name bears the newest version: "2:atlantichair" does, "atlantichair" doesn't."""
    return identity.startswith(_marked(NEWEST, ""))


def _marked(version: int, name: str) -> str:
    """Returns a name with its version: 2 and "hair" give "2:hair", version 1 no mark.

    No name of version 1 has a colon beside letters or digits, so that no two versions' identities are alike.
    """
    return name if version == 1 else f"{version}:{name}"


@lru_cache(maxsize=1 << 14)
def _first(raw: str) -> str:
    """Returns the name in version 1: without accents, punctuation, spaces and its legal forms, wherever they stand.

    "The Société Hair Co., Ltd." is "societehair".
    """
    # The full stops of abbreviations (S.A.R.L.) part no words.
    bare = CHINESE_LEGAL_FORMS.sub("", text(without_accents(text(raw))).replace(".", ""))
    words = WORDS.findall(bare)
    telling = [word for word in words if not LEGAL_FORMS.fullmatch(word)]
    return "".join(telling or words) or without_spaces(raw)


@lru_cache(maxsize=1 << 14)
def _second(raw: str) -> str:
    """Returns the name in version 2: look-alike letters as Latin, characters by reading, no legal forms at the end.

    "许昌发制品有限公司" is "xuchangfazhipin".
    """
    words = _latin_words(CHINESE_LEGAL_FORMS.sub("", _plain(raw))) or _latin_words(_plain(raw))
    telling = _without_legal_forms(words[words[:1] == [ARTICLE] :])
    return "".join(telling or words) or without_spaces(raw)


def _plain(raw: str) -> str:
    return text(without_accents(text(raw)))


def _latin_words(plain: str) -> list[str]:
    """Returns a text's words in Latin letters: "许昌 хair" gives xuchang and hair."""
    bare = plain.replace(".", "").translate(_confusable_letters())
    return WORDS.findall(_read_aloud(bare))


def _read_aloud(written: str) -> str:
    """Returns text with its characters replaced by their reading, by words first: "厦门" is "xiamen", "厦" "sha"."""
    if written.isascii():
        return written
    readings, longest = _readings()
    spoken, at = [], 0
    while at < len(written):
        lengths = range(longest, 0, -1)
        length = next((length for length in lengths if written[at : at + length] in readings), 1)
        word = written[at : at + length]
        spoken.append(readings.get(word, word))
        at += length
    return "".join(spoken)


def _without_legal_forms(words: Sequence[str]) -> Sequence[str]:
    """Returns words without the legal forms that end them, as many as there are: "hair co ltd" is "hair"."""
    forms, longest = _legal_forms()
    while length := next((n for n in range(min(longest, len(words)), 0, -1) if tuple(words[-n:]) in forms), 0):
        words = words[:-length]
    return words


def _rows(name: str) -> list[list[str]]:
    """Returns a table's rows without their header."""
    content = files("trade").joinpath("data", f"{name}.csv").read_text(encoding="utf-8")
    return list(csv.reader(content.splitlines()))[1:]


@cache
def _confusable_letters() -> Mapping[int, str]:
    return str.maketrans(dict(_rows("confusable_letters_2")))


@cache
def _readings() -> tuple[Mapping[str, str], int]:
    """Returns the readings of words, and the length of the longest word."""
    readings = dict(_rows("pinyin_2"))
    return readings, max(map(len, readings))


@cache
def _legal_forms() -> tuple[frozenset[tuple[str, ...]], int]:
    """Returns the legal forms as words, and how many words the longest has."""
    written = [*(form for (form,) in _rows("legal_forms_2")), *CHINESE_FORMS_IN_PINYIN]
    forms = frozenset(tuple(_latin_words(_plain(form))) for form in written)
    return forms, max(map(len, forms))


_PARTY: Mapping[int, Callable[[str], str]] = {1: _first, NEWEST: _second}
