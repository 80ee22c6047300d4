"""How numbers and names are written the same: what differs only in writing gets the same token.

Stored tokens can't be made anew, since what they were made of isn't kept. So these foldings are code,
not data: another folding is another purpose of token (`tokens.VERSION`) and registrations made anew.
"""

import re
import unicodedata

# What is mistaken for, or passed off as, another character in a printed number; the second line looks Latin.
LOOK_ALIKES = str.maketrans("oilавекмнорстух", "011abekmh0pctyx")
LEADING_ZEROS = re.compile(r"(?<![0-9])0+(?=[0-9])")
WORDS = re.compile(r"[^\W_]+")
# Legal forms are left out or written in several ways.
LEGAL_FORMS = re.compile(
    "ab|ag|and|aps|as|bhd|bv|co|company|corp|corporation|gmbh|inc|incorporated|kg|kk|limited|llc|llp|ltd|nv|oy|plc"
    "|pte|pty|sa|sarl|sas|sdn|spa|srl|the"
)
CHINESE_LEGAL_FORMS = re.compile(r"股份有限公司|有限责任公司|股份公司|有限公司|集团公司|公司$")


def text(raw: str) -> str:
    """Compatibility forms (full width, circled, superscript), case, the digits of all scripts and invisible
    characters made one; idempotent.
    """
    if raw.isascii() and raw.isprintable():
        return raw.lower()
    folded = unicodedata.normalize("NFKC", raw)
    while (again := unicodedata.normalize("NFKC", _visible(folded).casefold())) != folded:
        folded = again
    return folded


def _visible(written: str) -> str:
    """Without what can't be seen, and in the digits 0 to 9."""
    return "".join(
        str(unicodedata.decimal(character)) if character.isdecimal() else character
        for character in written
        if unicodedata.category(character) not in ("Cf", "Cc", "Mn")
    )


def number(raw: str) -> str:
    """A document's number but for case, width and white space: who differs in more is another number."""
    return "".join(text(raw).split())


def skeletons(raw: str) -> frozenset[str]:
    """A number without what is easily written otherwise: separators, look-alikes (O/0, I/l/1), leading zeros.

    Two, where separators part digits: 2026-0012 is 202612, as 2026-12 is, and 20260012, as without the hyphen.
    """
    pieces = WORDS.findall(text(raw).translate(LOOK_ALIKES))
    joined, stripped = "".join(pieces), "".join(map(_stripped, pieces))
    return frozenset({_stripped(joined), _stripped(stripped)} - {""})


def _stripped(digits: str) -> str:
    return LEADING_ZEROS.sub("", digits)


def party(raw: str) -> str:
    """A company's name without accents, punctuation, spaces and its legal form."""
    # The full stops of abbreviations (S.A.R.L.) part no words.
    bare = CHINESE_LEGAL_FORMS.sub("", text(_unaccented(text(raw))).replace(".", ""))
    words = WORDS.findall(bare)
    telling = [word for word in words if not LEGAL_FORMS.fullmatch(word)]
    return "".join(telling or words) or number(raw)


def _unaccented(written: str) -> str:
    decomposed = unicodedata.normalize("NFKD", written)
    return "".join(character for character in decomposed if not unicodedata.combining(character))


def identity(enterprise: str) -> str:
    """A party known by its social credit code, apart from all names."""
    return "#" + number(enterprise)
