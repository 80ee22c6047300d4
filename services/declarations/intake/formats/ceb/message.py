"""What a CEB message is, as data: a table of elements for each, read by one reader."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from google.protobuf.message import Message as Row

from chassis.xml import Reader

NAMESPACE = "http://www.chinaport.gov.cn/ceb"
EXPORT, IMPORT = "E", "I"


@dataclass(frozen=True, slots=True)
class Source:
    """The texts of one head or line by element name, where they stand, and what its document says of itself.

    inherited: the texts of the head, for a line that leaves out what all have in common. direction: E or I,
    empty where the message has none. on: the day whose code tables count.
    """

    reader: Reader
    texts: Mapping[str, str]
    inherited: Mapping[str, str]
    direction: str
    on: date

    def text(self, *elements: str) -> str:
        """The first text along these elements that isn't empty, here or in the head."""
        for texts in (self.texts, self.inherited):
            for element in elements:
                if texts.get(element):
                    return texts[element]
        return ""

    def given(self, field: "Field") -> tuple[str, str]:
        """(element, text) of a field: of its element or, where that is empty, of another name for it."""
        for element in (field.element, *field.others):
            if self.texts.get(element):
                return element, self.texts[element]
        return field.element, ""


@dataclass(frozen=True, slots=True)
class Field:
    """An element, the field of the row that it fills (a path, empty for none), and how it is read.

    others: names that other senders have for the element. currency: for an amount, the elements its currency
    may stand in. mark: the element that says whether it is an amount, a
    rate of the message's total, or a price of a ton.
    """

    element: str
    path: str
    kind: Callable[[Source, "Field"], Any]
    is_required: bool = False
    currency: Sequence[str] = ()
    mark: str = ""
    others: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class PersonElements:
    """A natural person in a head: the part, and the element of each of the person's fields."""

    part: str
    elements: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Message:
    """One CEB message.

    documents: names of the element of one document. heads: of its head; senders leave the one or the other
    out. line: of its lines. direction: what a flag in it must say, empty for none. total: the field that sums
    up the lines, where no element does. references: what each line adds to a repeated field. constants: what
    the message's kind alone says.
    """

    format: str
    documents: Sequence[str]
    row: Callable[..., Row]
    fields: Sequence[Field]
    heads: Sequence[str] = ()
    line: str = ""
    line_fields: Sequence[Field] = ()
    references: Sequence[Field] = ()
    persons: Sequence[PersonElements] = ()
    direction: str = ""
    total: str = ""
    constants: Mapping[str, Any] = field(default_factory=dict)
