"""Blobs as they pass by: however they are cut, they are the same; their type is what their bytes say."""

import hashlib
import io
import zipfile
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.blobs import media_types, model
from chassis.blobs.model import PART_BYTES, Blob, Receiving

PDF = b"%PDF-1.7\n1 0 obj\n<< >>\nendobj\n%%EOF\n"
PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + bytes(17) + b"\0\0\0\0IEND\xaeB`\x82"
JPEG = b"\xff\xd8\xff\xe0\0\x10JFIF\0" + bytes(9) + b"\xff\xd9"
XML = '<?xml version="1.0" encoding="UTF-8"?><Invoice number="发票"/>'.encode()
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


def zipped(*members: str) -> bytes:
    """A ZIP file with these members."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for member in members:
            archive.writestr(member, "<x/>")
    return file.getvalue()


def received(
    pieces: Iterable[bytes], media_type: str = "text/plain"
) -> tuple[Receiving, list[tuple[Blob, int, bytes]]]:
    """An upload of these pieces at its end, and the parts that it was cut into."""
    receiving = Receiving(Blob(id="blob-1", owner="window", media_type=media_type))
    parts = [part for piece in pieces for part in receiving.add(piece)]
    return receiving, parts


@st.composite
def contents(draw: st.DrawFn) -> tuple[bytes, list[bytes]]:
    """A content of up to three parts, and a way to cut it."""
    seed, size = draw(st.binary(min_size=1, max_size=9)), draw(st.integers(0, 3 * PART_BYTES))
    content = (seed * (size // len(seed) + 1))[:size]
    ends = sorted(draw(st.lists(st.integers(0, size), max_size=12)))
    return content, [content[begin:end] for begin, end in zip([0, *ends], [*ends, size], strict=True)]


@given(contents())
def test_however_a_content_is_cut_it_is_the_same_parts_and_the_same_digest(cut: tuple[bytes, list[bytes]]) -> None:
    content, pieces = cut
    receiving, parts = received(pieces)
    assert receiving.sha256 == hashlib.sha256(content).hexdigest()
    parts.append(receiving.last())
    whole = parts[-1][0]
    assert whole.size == len(content)
    assert [part for _, _, part in parts] == (list(model.cut(content)) or [b""])
    assert [number for _, number, _ in parts] == list(range(len(parts)))
    assert len(whole.parts) == -(-len(content) // PART_BYTES)
    assert max(len(part) for _, _, part in parts) <= PART_BYTES


@given(contents())
def test_however_a_content_is_cut_its_type_is_the_same(cut: tuple[bytes, list[bytes]]) -> None:
    content, pieces = cut
    looked = media_types.Looked()
    for piece in pieces:
        looked.add(piece)
    found = looked.seen()
    assert (found.name if found else media_types.UNKNOWN) == media_types.seen(content)


@pytest.mark.parametrize(
    ("content", "media_type"),
    [
        (PDF, "application/pdf"),
        (PDF.removesuffix(b"%%EOF\n") + b"\xff", media_types.UNKNOWN),
        (PNG, "image/png"),
        (JPEG, "image/jpeg"),
        (XML, "application/xml"),
        (b"\xef\xbb\xbf" + XML, "application/xml"),
        ('<?xml version="1.0" encoding="GB18030"?><发票/>'.encode("gb18030"), "application/xml"),
        (zipped("a.txt"), "application/zip"),
        (zipped("OFD.xml", "Doc_0/Document.xml"), "application/ofd"),
        (zipped("[Content_Types].xml", "xl/workbook.xml"), XLSX),
        ("发票号，金额\n".encode(), "text/plain"),
        ("发票号，金额\n".encode("gb18030"), media_types.UNKNOWN),
        ("发".encode()[:2], media_types.UNKNOWN),
        (b"a\0b", media_types.UNKNOWN),
        (b"MZ\x90\0\x03", media_types.UNKNOWN),
    ],
)
def test_the_type_of_a_content(content: bytes, media_type: str) -> None:
    assert media_types.seen(content) == media_type


@pytest.mark.parametrize(
    ("content", "declared", "reasons"),
    [
        (PDF, "application/pdf", []),
        (PDF, "image/png", ["BLOB_TYPE_MISMATCH"]),
        (b"%PDF-1.7 cut \xff", "application/pdf", ["BLOB_TYPE_MISMATCH"]),
        (XML, "text/xml", []),
        (XML, "text/plain", ["BLOB_TYPE_MISMATCH"]),
        (b"a,b\n", "text/csv", []),
        (zipped("xl/workbook.xml"), "application/zip", []),
        (zipped("a.txt"), XLSX, ["BLOB_TYPE_MISMATCH"]),
        (b"", "text/plain", ["BLOB_EMPTY"]),
    ],
)
def test_the_declared_type_must_agree_with_what_is_seen(content: bytes, declared: str, reasons: list[str]) -> None:
    receiving, _ = received([content], declared)
    assert model.type_problems(declared) == []
    problems = receiving.problems(hashlib.sha256(content).hexdigest())
    assert [problem.reason for problem in problems] == reasons


def test_all_that_is_wrong_is_told_at_once() -> None:
    receiving, _ = received([b"\0"], "image/png")
    problems = receiving.problems("0" * 64)
    assert [(problem.path, problem.reason) for problem in problems] == [
        ("sha256", "BLOB_DIGEST_MISMATCH"),
        ("media_type", "BLOB_TYPE_MISMATCH"),
    ]


def test_a_type_that_nobody_takes_is_refused_before_any_content() -> None:
    (problem,) = model.type_problems("application/x-msdownload")
    assert problem.reason == "BLOB_TYPE_UNKNOWN"
    for name in ("application/pdf", "text/csv", "application/ofd"):
        assert name in problem.english
        assert name in problem.chinese
