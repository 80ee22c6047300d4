"""DEC_DATA and DecImportResponse, as the window's clients get them."""

from typing import Any

import pytest

from services.declarations.intake.formats import decresult

RESULT = (
    "<DEC_DATA{space}><DEC_RESULT{inner}>{numbers}<NOTICE_DATE>2026-03-02T10:20:30</NOTICE_DATE><CHANNEL>7</CHANNEL>"
    "<NOTE>{note}</NOTE></DEC_RESULT><RESULT_INFO/></DEC_DATA>"
)
SPACE = ' xmlns="http://www.chinaport.gov.cn/dec"'


def receipt(numbers: str = "<CUS_CIQ_NO>E2026</CUS_CIQ_NO>", note: str = "x", space: str = "", inner: str = "") -> Any:
    """The one receipt of a document."""
    content = RESULT.format(numbers=numbers, note=note, space=space, inner=inner).encode()
    (parsed,) = decresult.parse(content)
    assert parsed.problems == []
    return parsed.row


@pytest.mark.parametrize(
    ("numbers", "unified", "number"),
    [
        ("<SEQ_NO>E20260000123456789</SEQ_NO>", "E20260000123456789", ""),
        ("<CUS_CIQ_NO/><SEQ_NO>I20260000123456789</SEQ_NO><ENTRY_ID/>", "I20260000123456789", ""),
        ("<CUS_CIQ_NO>E1</CUS_CIQ_NO><SEQ_NO>E2</SEQ_NO>", "E1", ""),
        ("<SEQ_NO>E2</SEQ_NO><ENTRY_ID>460420260123456789</ENTRY_ID>", "E2", "460420260123456789"),
    ],
)
def test_where_the_unified_number_stands(numbers: str, unified: str, number: str) -> None:
    found = receipt(numbers)
    assert (found.unified_number, found.declaration_number) == (unified, number)


@pytest.mark.parametrize("length", [255, 256, 4096])
def test_a_long_note_is_kept(length: int) -> None:
    assert receipt(note="审" * length).note == "审" * length


def test_a_longer_note_is_cut_and_the_receipt_taken() -> None:
    assert receipt(note="审" * 5000).note == "审" * 4096


@pytest.mark.parametrize(("space", "inner"), [("", ""), (SPACE, ""), (SPACE, ' xmlns=""'), ("", SPACE)])
def test_namespaces_of_a_receipt(space: str, inner: str) -> None:
    assert receipt(space=space, inner=inner).unified_number == "E2026"


@pytest.mark.parametrize("space", ["", SPACE])
@pytest.mark.parametrize("inner", ["", ' xmlns=""'])
def test_the_windows_answer(space: str, inner: str) -> None:
    content = (
        f"<DecImportResponse{space}><ResponseCode{inner}>0</ResponseCode><ErrorMessage/>"
        f"<ClientSeqNo{inner}>QH001</ClientSeqNo><SeqNo{inner}>E20260000123456789</SeqNo></DecImportResponse>"
    )
    (parsed,) = decresult.parse_response(content.encode())
    assert parsed.problems == []
    row: Any = parsed.row
    assert (row.client_number, row.unified_number) == ("QH001", "E20260000123456789")
