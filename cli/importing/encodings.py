"""In which encoding a table is: as its mapping declares, else as its byte-order mark or its columns prove.

A text that fits several encodings is refused with what it would say in each: 鞋帽 in GB18030 is Ьñ in UTF-8, and
nothing in it tells which of the two its sender wrote.
"""

import codecs
from collections.abc import Iterable, Iterator

from cli.importing import files
from cli.importing.files import FILE_ENCODING, RefusedFile, Source

UTF_8, GB18030 = "utf-8", "gb18030"
# What is written back for a sender who says no encoding is marked, so that it is read without a doubt.
MARKED = "utf-8-sig"
# What a sender's system may have written without saying so.
UNDECLARED = (UTF_8, GB18030)
# Windows writes GBK where it says GB2312; GB18030 has all of both.
WIDER = {"gb2312": GB18030, "gbk": GB18030}
# The longer marks first, since one begins like another.
MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, UTF_8),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
FIRST_LINE_BYTES = 65_536
# Of the pairs of bytes that GB18030 texts are made of one in seven is a sign of UTF-8 too, and of its triples one in
# three hundred. Two hanzi, or six signs of two bytes, are less than one in 60,000 by chance.
ENOUGH_EVIDENCE = 6
LAST_OF_TWO_BYTES = "\u07ff"
SHOWN_SIGNS = 12


def is_text_encoding(name: str) -> bool:
    """Whether Python reads texts by this name: gb18030, not base64."""
    try:
        return bool("a".encode(name))
    except (LookupError, UnicodeError):
        return False


def of(source: Source, declared: str, columns: Iterable[str]) -> str:
    """Returns the encoding to read a table by; `columns` are those that its mapping names.

    Raises RefusedFile if it isn't sure.
    """
    first = files.beginning(source, FIRST_LINE_BYTES)
    marked = next((encoding for mark, encoding in MARKS if first.startswith(mark)), "")
    if declared:
        return _believed(source, declared, marked)
    proven = marked or _proven(source, first, {name for name in columns if not name.isascii()})
    return MARKED if proven == UTF_8 else proven


def _believed(source: Source, declared: str, marked: str) -> str:
    """Returns the declared encoding. Raises RefusedFile where the file's mark contradicts it."""
    encoding = codecs.lookup(declared).name
    if marked and not encoding.replace("_", "-").startswith(marked):
        message = f"{source.name} begins with the mark of {marked}, the mapping says {declared}; correct one of them."
        raise RefusedFile(FILE_ENCODING, message)
    return WIDER.get(encoding, encoding)


def _proven(source: Source, first: bytes, columns: set[str]) -> str:
    """Returns UTF-8 or GB18030, proved by the columns' names where these aren't all ASCII, else by what fits."""
    naming = [encoding for encoding in UNDECLARED if columns and _names(first, encoding) & columns]
    if naming:
        return naming[0]
    fitting, evidence = _fitting(source)
    if fitting == [UTF_8] or (UTF_8 in fitting and evidence >= ENOUGH_EVIDENCE):
        return UTF_8
    raise RefusedFile(FILE_ENCODING, _unsure(source, fitting))


def _names(first: bytes, encoding: str) -> set[str]:
    """Returns the cells of the first line: `单价;Qty` has 单价 and Qty."""
    line = first.decode(encoding, "replace").splitlines()[:1]
    for sign in ";\t|":
        line = [text.replace(sign, ",") for text in line]
    return {cell.strip(' "') for text in line for cell in text.split(",")}


def _fitting(source: Source) -> tuple[list[str], int]:
    """Returns the encodings in which the whole file is a text, and how much speaks for UTF-8.

    UTF-8 alone where it is ASCII.
    """
    decoders = {name: codecs.getincrementaldecoder(name)() for name in UNDECLARED}
    evidence, is_ascii = 0, True
    for chunk in files.chunks(source):
        is_ascii = is_ascii and chunk.isascii()
        decoders = {name: decoder for name, decoder in decoders.items() if _takes(decoder, chunk)}
        if evidence < ENOUGH_EVIDENCE:
            evidence += _evidence(chunk)
    fitting = [name for name, decoder in decoders.items() if _takes(decoder, b"", is_end=True)]
    return [UTF_8] if is_ascii else fitting, evidence


def _evidence(chunk: bytes) -> int:
    """Returns how much speaks for UTF-8: a sign of two bytes 1, one of three or four 3."""
    signs = chunk.decode(UTF_8, "ignore")
    return sum(3 if sign > LAST_OF_TWO_BYTES else 1 for sign in signs if not sign.isascii())


def _takes(decoder: codecs.IncrementalDecoder, chunk: bytes, is_end: bool = False) -> bool:
    try:
        decoder.decode(chunk, is_end)
    except UnicodeDecodeError:
        return False
    return True


def _unsure(source: Source, fitting: list[str]) -> str:
    """Returns why the encoding isn't sure, with the first text in each of those that fit."""
    line = next((line for line in _lines(source) if not line.isascii()), b"")
    shown = " and ".join(f"{name} ({_shown(line, name)!r})" for name in fitting)
    told = f"fits {shown}" if fitting else f"fits neither {' nor '.join(UNDECLARED)}"
    return f"{source.name} {told}; say its encoding in the mapping, under [file]."


def _lines(source: Source) -> Iterator[bytes]:
    rest = b""
    for chunk in files.chunks(source):
        *whole, rest = (rest + chunk).split(b"\n")
        yield from whole
        rest = rest[-FIRST_LINE_BYTES:]
    yield rest


def _shown(line: bytes, encoding: str) -> str:
    """Returns the line's first signs that aren't ASCII, with those between."""
    text = line.decode(encoding, "replace")
    start = next((index for index, sign in enumerate(text) if not sign.isascii()), 0)
    return text[start : start + SHOWN_SIGNS]
