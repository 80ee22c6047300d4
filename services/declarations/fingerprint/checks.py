"""Checks the documents of a request: every problem at once, before anything is asked."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aval.declarations.v1 import fingerprint_pb2

from chassis.errors import Problem
from services.declarations.fingerprint import canonical
from services.declarations.fingerprint.document import Document, Kind

DECLARATION_NUMBER = re.compile(r"[0-9]{4}(19|20)[0-9]{2}[01][0-9]{9}")


@dataclass(frozen=True, slots=True)
class PresentedDocument:
    """A document as it came, as it is compared, and the enterprise of its declaration if that is known."""

    message: fingerprint_pb2.FinancedDocument
    document: Document
    applicant: str
    declarant: str = ""

    @property
    def said(self) -> Any:
        """Returns the member of the oneof."""
        return getattr(self.message, self.message.WhichOneof("document"))

    @property
    def enterprises(self) -> set[str]:
        """Returns the enterprises that an invoice names."""
        return {self.said.seller.enterprise, self.said.buyer.enterprise}


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule: its kinds, its field, when it is broken, and what to do."""

    kinds: frozenset[Kind]
    field: str
    reason: str
    is_broken: Callable[[PresentedDocument], bool]
    english: str
    chinese: str


NUMBERED = frozenset({Kind.INVOICE, Kind.TRANSPORT_DOCUMENT, Kind.ORDER})
PRICED = frozenset({Kind.INVOICE, Kind.ORDER})
RULES: Sequence[Rule] = (
    Rule(
        frozenset({Kind.DECLARATION}),
        "declaration_number",
        "DECLARATION_NUMBER_INVALID",
        lambda presented: not DECLARATION_NUMBER.fullmatch(presented.document.number),
        "Give the 18 digits of the customs declaration.",
        "请填写 18 位海关报关单号。",
    ),
    # One answer for an unknown declaration and for somebody else's: the number can't be probed.
    Rule(
        frozenset({Kind.DECLARATION}),
        "declaration_number",
        "DECLARATION_NOT_APPLICANTS",
        lambda presented: presented.declarant != presented.applicant,
        "The register knows no such declaration of the applicant; check the number, or wait for the window to send it.",
        "登记系统没有该企业的此报关单；请核对编号，或等待单一窗口推送。",
    ),
    Rule(
        frozenset({Kind.INVOICE}),
        "invoice.seller.enterprise",
        "APPLICANT_NOT_PARTY",
        lambda presented: presented.applicant not in presented.enterprises,
        "Give the applicant's code as seller or buyer: the invoice must be its own.",
        "请在卖方或买方处填写申请企业代码：发票须为该企业所有。",
    ),
    Rule(
        NUMBERED,
        "number",
        "NUMBER_EMPTY",
        lambda presented: not presented.document.skeletons,
        "Give the number as printed, with letters or digits.",
        "请按票面填写含字母或数字的编号。",
    ),
    Rule(
        NUMBERED,
        "date",
        "DATE_INVALID",
        lambda presented: presented.document.date is None,
        "Give a day of the calendar.",
        "请填写有效日期。",
    ),
    Rule(
        PRICED,
        "amount",
        "AMOUNT_INVALID",
        lambda presented: presented.document.amount is None,
        "Give a positive amount in an ISO 4217 currency.",
        "请填写正数金额及 ISO 4217 币种。",
    ),
)


def problems(presented_documents: Sequence[PresentedDocument], path: str) -> Iterator[Problem]:
    """Yields all problems; `path` is the field that the documents came in."""
    seen: set[object] = set()
    for index, presented in enumerate(presented_documents):
        where = f"{path}[{index}]"
        for rule in RULES:
            if presented.document.kind in rule.kinds and rule.is_broken(presented):
                yield Problem(f"{where}.{_field(presented, rule)}", rule.reason, rule.english, rule.chinese)
        if (identity := _identity(presented.document)) in seen:
            yield Problem(where, "DOCUMENT_REPEATED", "Name each document once.", "每份单证只能列一次。")
        seen.add(identity)


def _field(presented: PresentedDocument, rule: Rule) -> str:
    """Returns the path within the document."""
    is_whole = presented.document.kind is Kind.DECLARATION or "." in rule.field
    return rule.field if is_whole else f"{presented.message.WhichOneof('document')}.{rule.field}"


def _identity(document: Document) -> object:
    number = canonical.number(document.number)
    return document.kind, document.issuers, number, document.parties, document.date, document.amount


def presented(
    messages: Sequence[fingerprint_pb2.FinancedDocument],
    documents: Sequence[Document],
    applicant: str,
    declarants: Mapping[str, str],
) -> list[PresentedDocument]:
    """Returns each document with what the rules look at."""
    return [
        PresentedDocument(message, document, applicant, declarants.get(document.number, ""))
        for message, document in zip(messages, documents, strict=True)
    ]
