"""Describes CEB messages as data: a table of elements for each, read by one reader."""

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
    """The texts of one head or line by element name, where they stand, and the direction and day of its document.

    inherited: the texts of the head, for a line that leaves out what all have in common. direction: E or I,
    empty where the message has none. on: the day whose code tables count.
    """

    reader: Reader
    texts: Mapping[str, str]
    inherited: Mapping[str, str]
    direction: str
    on: date

    def text(self, *elements: str) -> str:
        """Returns the first text along these elements that isn't empty, here or in the head."""
        for texts in (self.texts, self.inherited):
            for element in elements:
                if texts.get(element):
                    return texts[element]
        return ""

    def given(self, field: "Field") -> tuple[str, str]:
        """Returns (element, text) of a field: of its element or, where that is empty, of another name for it."""
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
    """A kind of CEB message.

    documents: names of the element of one document. heads: of its head; senders leave the one or the other out.
    line: of its lines. direction: the letter that a flag in it must have, empty for none. total: the field that sums up
    the lines, where no element does. references: the elements by which each line adds to a repeated field.
    constants: the fields that follow from the message's kind alone.
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
