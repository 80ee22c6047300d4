"""Documents in envelopes are read as if they came bare, and hostile envelopes cost little."""

import base64
import json
import pathlib
import resource
import time
from collections.abc import Callable

import pytest
from aval.declarations.v1 import declarations_pb2
from hypothesis import given
from hypothesis import strategies as st

from services.declarations.intake.formats import envelopes, parsing
from services.declarations.intake.formats.parsing import Read

FIXTURES = pathlib.Path(__file__).parent.parent / "fixtures"
RETURN = (FIXTURES / "ceb" / "good_604.xml").read_bytes()
DECLARATION = (FIXTURES / "decmessage" / "good_general_trade.xml").read_bytes()
DXP = 'xmlns:dxp="http://www.chinaport.gov.cn/dxp"'
LARGE = 4_000_000


def dxp(content: bytes, kind: str = "CEB604Message", **texts: str) -> bytes:
    """A DxpMsg around a document; texts replace those of its header by element."""
    header = {"CopMsgId": "RX1", "SenderId": "DXPEDCCEB0000002", "CreatTime": "2026-03-02T10:11:12", "MsgType": kind}
    fields = {name: f"<dxp:{name}>{text}</dxp:{name}>" for name, text in {**header, **texts}.items()}
    receivers = texts.get("ReceiverIds", "<dxp:ReceiverId>DXPENT0000000000</dxp:ReceiverId>")
    fields["ReceiverIds"] = f"<dxp:ReceiverIds>{receivers}</dxp:ReceiverIds>"
    names = ("CopMsgId", "SenderId", "ReceiverIds", "CreatTime", "MsgType")
    info = "".join(fields[name] for name in names)
    data = base64.b64encode(content).decode()
    return (
        f'<?xml version="1.0" encoding="UTF-8"?><dxp:DxpMsg {DXP} ver="1.0">'
        f"<dxp:TransInfo>{info}</dxp:TransInfo><dxp:Data>{data}</dxp:Data></dxp:DxpMsg>"
    ).encode()


def transported(content: bytes) -> bytes:
    inner = dxp(content).partition(b"?>")[2].decode()
    return f'<dxp:DxpMsgSv {DXP} ver="1.0"><dxp:SvNo Ver="1.0"/>{inner}</dxp:DxpMsgSv>'.encode()


def window_file(content: bytes, root: str = "SWImportMessage") -> bytes:
    inner = content.partition(b"?>")[2].decode()
    head = "<SWImpHead><CopMsgId>Dec1.xml</CopMsgId><MsgType>SWDEC001</MsgType><Compress>0</Compress></SWImpHead>"
    return f"<{root}>{head}<SWImpData>{inner}</SWImpData></{root}>".encode()


def encoded_window_file(content: bytes) -> bytes:
    data = base64.encodebytes(content).decode()
    head = "<SWImpHead><CopMsgId>Dec1.xml</CopMsgId></SWImpHead>"
    return f"<SWImportMessage>{head}<SWImpData>{data}</SWImpData></SWImportMessage>".encode()


def in_json(content: bytes) -> bytes:
    return json.dumps({"msgType": "any", "data": base64.b64encode(content).decode()}).encode()


def in_nested_json(content: bytes) -> bytes:
    return json.dumps([{"body": {"content": base64.encodebytes(content).decode()}}], indent=2).encode()


def read(content: bytes) -> Read:
    return parsing.read(declarations_pb2.Document(document_id="one", content=content))


def problems(content: bytes) -> set[tuple[str, str]]:
    return {(problem.path, problem.reason) for part in read(content).parts for problem in part.problems}


def without_namespace(content: bytes) -> bytes:
    return dxp(content).replace(f" {DXP}".encode(), b"").replace(b"dxp:", b"")


def in_several_namespaces(content: bytes) -> bytes:
    named = dxp(content).replace(b"xmlns:dxp", b"xmlns").replace(b"dxp:", b"")
    return named.replace(b"<TransInfo>", b'<TransInfo xmlns="">').replace(b"<Data>", b'<Data xmlns="">')


WRAPPERS: dict[str, Callable[[bytes], bytes]] = {
    "DxpMsg": dxp,
    "DxpMsg by agreement": lambda content: dxp(content, "QG-604"),
    "DxpMsg without namespace": without_namespace,
    "DxpMsg in several namespaces": in_several_namespaces,
    "DxpMsgSv": transported,
    "base64 in SWImportMessage": encoded_window_file,
    "JSON": in_json,
    "JSON in depth": in_nested_json,
    "DxpMsg in JSON": lambda content: in_json(dxp(content)),
    "SWImportMessage in DxpMsg": lambda content: dxp(encoded_window_file(content), "SWDEC001"),
}


@pytest.mark.parametrize("wrapper", WRAPPERS.values(), ids=WRAPPERS)
def test_a_document_in_an_envelope_is_the_document(wrapper: Callable[[bytes], bytes]) -> None:
    assert read(wrapper(RETURN)) == read(RETURN)


@pytest.mark.parametrize("root", ["SWImportMessage", "ImportMessage"])
def test_a_declaration_stands_in_the_windows_file(root: str) -> None:
    assert read(window_file(DECLARATION, root)) == read(DECLARATION)


def test_several_documents_in_json_are_taken_in_order() -> None:
    texts = [base64.b64encode(content).decode() for content in (RETURN, DECLARATION)]
    both = read(json.dumps({"messages": texts}).encode())
    assert both.format == ""
    assert list(both.parts) == [*read(RETURN).parts, *read(DECLARATION).parts]


def test_documents_in_json_lines_are_taken_in_order() -> None:
    both = read(in_json(RETURN) + b"\n" + in_json(DECLARATION) + b"\n\n")
    assert list(both.parts) == [*read(RETURN).parts, *read(DECLARATION).parts]


def test_json_lines_of_which_one_has_no_document_are_rows() -> None:
    assert read(in_json(RETURN) + b'\n{"receipt": {}}\n').format == "JSONL"


def test_paths_begin_at_the_outermost_envelope() -> None:
    broken = RETURN.replace(b"returnStatus", b"returnState")
    inside = problems(broken)
    assert inside
    assert problems(dxp(broken)) == {(f"DxpMsg/Data/{path}", reason) for path, reason in inside}
    assert problems(in_json(dxp(broken))) == {(f"data/DxpMsg/Data/{path}", reason) for path, reason in inside}


@pytest.mark.parametrize(
    ("envelope", "path", "reason"),
    [
        (dxp(RETURN, "CEB603Message"), "DxpMsg/TransInfo/MsgType", "ENVELOPE_TYPE_DIFFERS"),
        (dxp(RETURN, "M" * 31), "DxpMsg/TransInfo/MsgType", "TOO_LONG"),
        (dxp(RETURN, SenderId=""), "DxpMsg/TransInfo/SenderId", "MISSING_ELEMENT"),
        (dxp(RETURN, SenderId="D" * 17), "DxpMsg/TransInfo/SenderId", "TOO_LONG"),
        (dxp(RETURN, CopMsgId=""), "DxpMsg/TransInfo/CopMsgId", "MISSING_ELEMENT"),
        (dxp(RETURN, CreatTime="yesterday"), "DxpMsg/TransInfo/CreatTime", "TIME_INVALID"),
        (dxp(RETURN, ReceiverIds=""), "DxpMsg/TransInfo/ReceiverIds", "ENVELOPE_RECEIVERS"),
        (
            dxp(RETURN, ReceiverIds="<dxp:ReceiverId>A</dxp:ReceiverId>" * 6),
            "DxpMsg/TransInfo/ReceiverIds",
            "ENVELOPE_RECEIVERS",
        ),
        (dxp(RETURN).replace(b'ver="1.0"', b'ver="2.0"'), "DxpMsg/@ver", "ENVELOPE_VERSION_UNKNOWN"),
        (dxp(b""), "DxpMsg/Data", "BASE64_INVALID"),
        (dxp(RETURN).replace(b"<dxp:Data>", b"<dxp:Data>%"), "DxpMsg/Data", "BASE64_INVALID"),
        (dxp(RETURN).replace(b"dxp:Data", b"dxp:Dato"), "DxpMsg/Data", "ENVELOPE_DATA_COUNT"),
        (dxp(b"<other/>", ""), "DxpMsg/Data/other", "FORMAT_UNKNOWN"),
        (dxp(b"no xml", ""), "DxpMsg/Data", "XML_MALFORMED"),
        (f"<dxp:DxpRep {DXP} ver='1.0'/>".encode(), "DxpRep", "TRANSPORT_RESPONSE"),
        (f"<dxp:DxpMsgSv {DXP}/>".encode(), "DxpMsgSv/DxpMsg", "MISSING_ELEMENT"),
        (b"<SWImportMessage/>", "SWImportMessage/SWImpData", "ENVELOPE_DATA_COUNT"),
        (
            window_file(DECLARATION).replace(b"<Compress>0", b"<Compress>1"),
            "SWImportMessage/SWImpHead/Compress",
            "ENVELOPE_COMPRESSED",
        ),
    ],
)
def test_what_is_wrong_with_an_envelope_is_told_at_its_element(envelope: bytes, path: str, reason: str) -> None:
    assert (path, reason) in problems(envelope)


def test_a_format_that_is_meant_is_the_documents() -> None:
    document = declarations_pb2.Document(content=dxp(RETURN), format="CEB603")
    (part,) = parsing.read(document).parts
    assert [(problem.path, problem.reason) for problem in part.problems] == [("DxpMsg/Data", "FORMAT_MISMATCH")]


def test_rows_in_json_are_no_envelope() -> None:
    row = json.dumps({"declarationNumber": "1", "note": base64.b64encode(b"no xml at all, whatever").decode()}).encode()
    assert [payload.path for payload in envelopes.unpacked(row)] == [""]


def test_envelopes_nest_so_deep_and_no_deeper() -> None:
    content = RETURN
    for _ in range(envelopes.DEPTH_MAX):
        content = dxp(content, "")
    assert read(content) == read(RETURN)
    assert {reason for _, reason in problems(dxp(content, ""))} == {"ENVELOPE_NESTED"}


def _many(text: str, count: int) -> bytes:
    return json.dumps([base64.b64encode(text.encode()).decode()] * count).encode()


@pytest.mark.parametrize(
    "content",
    [
        dxp(b"<a>" + b" " * (LARGE // 2) + b"</a>", ""),
        dxp(b"<a>" * (LARGE // 8), ""),
        dxp(b"A" * (LARGE // 2), ""),
        b"<SWImportMessage><SWImpData>" + b"<a/>" * (LARGE // 4) + b"</SWImpData></SWImportMessage>",
        _many("<?xml version='1.0'?><a/>", 90_000),
        _many("<a>b</a><!-- 123456 -->", envelopes.PAYLOADS_MAX),
        b'{"a":"PD94' + b"A" * LARGE + b'"}',
        b'["PD94AAAAAAAAAAAA"' + b"[" * LARGE,
        b'"PD94AAAAAAAAAAAAAAAA"' * (LARGE // 22),
        b"[" + b'"PD94AAAAAAAAAAAAAAAA",' * (LARGE // 24) + b"1]",
    ],
    ids=range(10),
)
def test_a_hostile_envelope_costs_little(content: bytes) -> None:
    before_kilobytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started = time.process_time()
    assert any(part.problems for part in read(content).parts)
    assert time.process_time() - started < 10
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kilobytes < 300_000


@given(st.binary(max_size=200))
def test_whatever_is_inside_has_a_verdict(content: bytes) -> None:
    for wrapper in (dxp, encoded_window_file):
        assert read(wrapper(content)).parts
