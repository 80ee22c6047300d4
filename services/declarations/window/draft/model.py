"""A declaration before it has its customs number: finds the message that counts, and when it is a declaration.

All that is known of a draft are sets that only grow: its messages, the unified number that the window gave to the
client's number, the customs number that customs gave to the unified number. Its state follows from them, so that any
order and repetition of what comes in leads to the same.
"""

import enum
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date

from chassis.errors import Problem
from chassis.states import moved
from services.declarations.customs.direction import DIGITS, digit_of


class State(enum.StrEnum):
    """The state of a draft."""

    WAITING = "WAITING"
    DECLARED = "DECLARED"


class Verb(enum.StrEnum):
    """The act that moves a draft: customs numbers it."""

    NUMBER = "number"


TRANSITIONS: Mapping[tuple[State, Verb], State] = {(State.WAITING, Verb.NUMBER): State.DECLARED}


class Wait(enum.StrEnum):
    """The thing that a draft waits for."""

    NOTHING = ""
    NUMBERS = "DRAFT_WITHOUT_NUMBERS"
    UNIFIED_NUMBER = "UNIFIED_NUMBER_AWAITED"
    CUSTOMS_NUMBER = "CUSTOMS_NUMBER_AWAITED"
    ONE_ENTERPRISE = "CLIENT_NUMBER_OF_SEVERAL"
    ONE_NUMBER = "CUSTOMS_NUMBERS_SEVERAL"
    FITTING_NUMBER = "CUSTOMS_NUMBER_OF_ANOTHER"


# English and Chinese, by the thing that is waited for.
_WAITS: Mapping[Wait, tuple[str, str]] = {
    Wait.NUMBERS: (
        "The draft has neither its client's number nor a unified number, so nothing that comes can be joined to it; "
        "send it with ClientSeqNo or SeqNo.",
        "草稿既无客户端编号也无统一编号，后续回执无法与之关联；请填写 ClientSeqNo 或 SeqNo 后重新发送。",
    ),
    Wait.UNIFIED_NUMBER: (
        "The window's answer (DecImportResponse) that gives it its unified number hasn't come; send it.",
        "尚未收到给出统一编号的导入响应（DecImportResponse）；请发送该响应。",
    ),
    Wait.CUSTOMS_NUMBER: (
        "Customs hasn't given it its number; send the receipt (DEC_DATA) that has both numbers.",
        "海关尚未给出海关编号；请发送同时含两个编号的回执（DEC_DATA）。",
    ),
    Wait.ONE_ENTERPRISE: (
        "Several enterprises have drafts with this client number, so the window's answer can't be joined; send the "
        "message with its unified number (SeqNo).",
        "多家企业的草稿使用同一客户端编号，导入响应无法关联；请在报文中填写统一编号（SeqNo）后重新发送。",
    ),
    Wait.ONE_NUMBER: (
        "Several customs numbers are told of it; send the declaration itself with the right one (EntryId).",
        "该草稿对应多个海关编号；请发送含正确海关编号（EntryId）的报关单。",
    ),
    Wait.FITTING_NUMBER: (
        "Its customs number belongs to another enterprise's declaration, or to one of the other direction; check it.",
        "其海关编号属于其他企业或进出口方向不同的报关单；请核对。",
    ),
}


def waits_for(wait: Wait) -> Problem | None:
    """Returns the thing that a draft waits for, in words; None where it waits for nothing."""
    return Problem("", wait.value, *_WAITS[wait]) if wait is not Wait.NOTHING else None


def sealed(message: str) -> str:
    """Returns the name under which the persons of a message are sealed."""
    return f"draftMessages/{message}"


@dataclass(frozen=True, slots=True)
class Draft:
    """The row, with the content of the message that counts: a serialised Declaration without a customs number.

    `declared_digest` is that of the content that it gave its declaration, empty once that has another's.
    """

    id: str
    enterprise: str
    client_number: str
    unified_number: str
    direction: str
    state: State
    wait: Wait
    declaration: str
    declared_digest: bytes
    message: str
    sign_us: int
    body: bytes
    create_date: date
    create_us: int
    revision: int

    @property
    def name(self) -> str:
        """Its resource name."""
        return f"drafts/{self.id}"

    @property
    def sealed(self) -> str:
        """The name under which the persons of the message that counts are sealed."""
        return sealed(self.message)

    @property
    def place(self) -> str:
        """Its place in lists: by the day it came and its id."""
        return f"{self.create_date}/{self.id}"


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a draft; `sign_us` is 0 where it isn't signed, `minor_units` is the value that it declares.

    `unified_number` is the message's own, empty where its sender didn't know it yet.
    """

    id: str
    draft: str
    unified_number: str
    sign_us: int
    minor_units: int
    direction: str
    body: bytes
    arrive_us: int

    @property
    def sealed(self) -> str:
        """The name under which the persons that it names are sealed."""
        return sealed(self.id)

    @property
    def rank(self) -> tuple[int, int, str]:
        """The rank, by which the last counts: the later signed; of those signed at once or never, the least value."""
        return self.sign_us, -self.minor_units, self.id


@dataclass(frozen=True, slots=True)
class Numbered:
    """A customs number and when customs gave it, as far as that is known (else 0)."""

    declaration: str
    notice_us: int


def counting(messages: Sequence[Message], notice_us: int) -> Message:
    """Returns the message that counts: the last by rank of those signed until customs gave the number (0: unknown).

    Customs can't have a message that was signed later; if all were, the first counts.
    """
    until = [message for message in messages if not notice_us or message.sign_us <= notice_us]
    return max(until, key=lambda message: message.rank) if until else min(messages, key=lambda message: message.rank)


def unified_number(messages: Sequence[Message], given: str) -> str:
    """Returns the unified number that the last message by rank tells of those that tell one; else the window's."""
    telling = [message for message in messages if message.unified_number]
    return max(telling, key=lambda message: message.rank).unified_number if telling else given


def told(declared: Sequence[Numbered], received: Sequence[Numbered]) -> Sequence[Numbered]:
    """Returns the customs numbers of a draft: those under which its declaration came, else those that receipts tell."""
    numbers = {number.declaration for number in declared}
    return [
        *declared,
        *(number for number in received if not numbers or number.declaration in numbers),
    ]


def first_notice(numbers: Sequence[Numbered], declaration: str) -> int:
    """Returns the time at which customs first told the number; 0 where no notice does."""
    return min(
        (number.notice_us for number in numbers if number.declaration == declaration and number.notice_us), default=0
    )


def with_message(draft: Draft, message: Message) -> Draft:
    """Returns the draft with a message's content."""
    return replace(draft, message=message.id, sign_us=message.sign_us, direction=message.direction, body=message.body)


def waiting_for(draft: Draft, numbers: Collection[str], drafts_of_client: int) -> Wait:
    """Returns the thing that an undeclared draft waits for, by the customs numbers that are told of it."""
    if len(numbers) > 1:
        return Wait.ONE_NUMBER
    if numbers:
        return Wait.NOTHING if _fits(draft, *numbers) else Wait.FITTING_NUMBER
    if draft.unified_number:
        return Wait.CUSTOMS_NUMBER
    if not draft.client_number:
        return Wait.NUMBERS
    return Wait.ONE_ENTERPRISE if drafts_of_client > 1 else Wait.UNIFIED_NUMBER


def _fits(draft: Draft, number: str) -> bool:
    """Tells whether the number's ninth digit is the draft's direction, if that is known."""
    return DIGITS.get(draft.direction, digit_of(number)) == digit_of(number)


def numbered(draft: Draft, number: str) -> Draft:
    """Returns the draft as the declaration of that number. Raises WrongState where it is a declaration already."""
    state = moved(TRANSITIONS, draft, Verb.NUMBER)
    return replace(draft, state=state, wait=Wait.NOTHING, declaration=number)
