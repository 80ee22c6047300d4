"""Writes numbers the same: what differs only in writing gets the same token.

Stored tokens can't be made anew, since what they were made of isn't kept. So these foldings are code, not data: another
folding is another purpose of token (`tokens.VERSION`) and registrations made anew. Names have versions of their own
(trade.names).
"""

import re

from trade import names

# Characters that are mistaken for, or passed off as, others in a printed number; the second half looks Latin.
LOOK_ALIKES = str.maketrans("oilавекмнорстух", "011abekmh0pctyx")
LEADING_ZEROS = re.compile(r"(?<![0-9])0+(?=[0-9])")
WORDS = re.compile(r"[^\W_]+")
ENTERPRISE_MARK = "#"


def number(raw: str) -> str:
    """Returns a document's number but for case, width and white space: a number that differs in more is another.

    "INV ７-a" is "inv7-a".
    """
    return names.without_spaces(raw)


def skeletons(raw: str) -> frozenset[str]:
    """Returns a number without what is easily written otherwise: separators, look-alikes (O/0, I/l/1), leading zeros.

    Two, where separators part digits: 2026-0012 is 202612, as 2026-12 is, and 20260012, as without the hyphen.
    """
    pieces = WORDS.findall(names.text(raw).translate(LOOK_ALIKES))
    joined, stripped = "".join(pieces), "".join(map(_stripped, pieces))
    return frozenset({_stripped(joined), _stripped(stripped)} - {""})


def _stripped(digits: str) -> str:
    return LEADING_ZEROS.sub("", digits)


def identity(enterprise: str) -> str:
    """Returns the identity of a party known by its social credit code, apart from all names."""
    return ENTERPRISE_MARK + number(enterprise)


def is_kept(identity: str) -> bool:
    """Returns whether a new document is kept under an identity: a code, or the newest form of a name.

    "#enterprises/91411023maxy00112a" and "2:atlantichair" are, "atlantichair" is only looked for.
    """
    return identity.startswith(ENTERPRISE_MARK) or names.is_newest(identity)
