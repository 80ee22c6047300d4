"""Refusals on the wire: one ErrorInfo, all problems, both languages, and back."""

import string

import pytest
from google.rpc import error_details_pb2, status_pb2

from chassis import errors, server, status
from chassis.errors import DomainError, InvalidFields, NotFound, Problem
from chassis.status import RemoteError
from ledger.store import LedgerRefused

MODULES = {errors.__name__, server.__name__, LedgerRefused.__module__}
CLASSES = [kind for kind in DomainError.__subclasses__() if kind.__module__ in MODULES]


def _names(template: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(template) if name}


@pytest.mark.parametrize("kind", CLASSES)
@pytest.mark.parametrize("language", errors.LANGUAGES)
def test_every_refusal_has_one_error_info_and_its_text_in_both_languages(
    kind: type[DomainError], language: str
) -> None:
    sent = status.to_status(kind(resource="loans/1"), language)
    infos = [d for d in sent.details if d.Is(error_details_pb2.ErrorInfo.DESCRIPTOR)]
    texts = [d for d in sent.details if d.Is(error_details_pb2.LocalizedMessage.DESCRIPTOR)]
    assert (len(infos), len(texts)) == (1, 1)
    info = error_details_pb2.ErrorInfo.FromString(infos[0].value)
    assert (info.reason, info.domain) == (kind.reason, "aval")
    localized = error_details_pb2.LocalizedMessage.FromString(texts[0].value)
    assert (localized.locale, localized.message) == (language, kind(resource="loans/1").text(language))
    assert sent.code == kind.code.value[0]


@pytest.mark.parametrize("kind", CLASSES)
def test_both_languages_say_the_same_names(kind: type[DomainError]) -> None:
    assert kind.__doc__
    assert kind.chinese != DomainError.chinese
    assert _names(kind.__doc__) == _names(kind.chinese)


def test_reasons_are_unique() -> None:
    assert len({kind.reason for kind in CLASSES}) == len(CLASSES) >= 14


def test_a_refusal_survives_the_wire() -> None:
    problems = [
        Problem("amount", "FIELD_A", "Too much.", "过多。"),
        Problem("lines[2].hs", "FIELD_B", "Bad.", "错误。"),
    ]
    refusal = InvalidFields(problems, limit=12)
    received = RemoteError(status_pb2.Status.FromString(status.to_status(refusal, "zh-CN").SerializeToString()))
    assert (received.reason, received.code, received.metadata) == ("INVALID_FIELDS", refusal.code, {"limit": "12"})
    assert (received.text("en"), received.text("zh-CN")) == (refusal.text("en"), refusal.text("zh-CN"))
    assert [(p.path, p.reason, p.text("zh-CN")) for p in received.problems] == [
        ("amount", "FIELD_A", "过多。"),
        ("lines[2].hs", "FIELD_B", "错误。"),
    ]
    again = status.to_status(received, "en")
    assert sum(d.Is(error_details_pb2.ErrorInfo.DESCRIPTOR) for d in again.details) == 1


def test_a_status_of_a_stranger_keeps_its_code() -> None:
    received = RemoteError(status_pb2.Status(code=14, message="connection refused"))
    assert (received.reason, received.text("en"), list(received.problems)) == ("UNAVAILABLE", "connection refused", [])
    assert RemoteError(status_pb2.Status(code=99)).reason == "UNKNOWN"


def test_missing_metadata_leaves_its_name() -> None:
    assert NotFound().text("en").startswith("{resource} doesn't exist")
    assert NotFound(resource="loans/1").text("zh-CN").startswith("loans/1 不存在")


@pytest.mark.parametrize(
    ("header", "language"), [("zh-CN,zh;q=0.9", "zh-CN"), ("ZH", "zh-CN"), ("en-GB", "en"), ("fr", "en")]
)
def test_the_callers_language(header: str, language: str) -> None:
    assert status.language_of([("accept-language", header)]) == language
    assert status.language_of([]) == "en"
