"""Pages: a token belongs to its query and to nothing else."""

import base64
import json
from dataclasses import dataclass

import pytest
from aval.settlement.v1 import settlement_pb2
from hypothesis import given
from hypothesis import strategies as st

from chassis import paging
from chassis.errors import InvalidPageToken

Request = settlement_pb2.ListTransfersRequest


@dataclass
class Row:
    """A record to list."""

    id: str


def test_a_token_leads_to_the_row_after_it() -> None:
    request = Request(page_size=2)
    page, token = paging.cut(request, [Row("c"), Row("b"), Row("a")], "id")
    assert [row.id for row in page] == ["c", "b"]
    assert paging.after(Request(page_size=7, page_token=token)) == "b"


def test_the_last_page_has_no_token() -> None:
    assert paging.cut(Request(page_size=2), [Row("b"), Row("a")], "id") == ([Row("b"), Row("a")], "")
    assert paging.after(Request()) == ""


def test_the_token_of_another_query_is_refused() -> None:
    token = paging.token(Request(account="accounts/1"), "b")
    assert paging.after(Request(account="accounts/1", page_token=token)) == "b"
    with pytest.raises(InvalidPageToken):
        paging.after(Request(account="accounts/2", page_token=token))


@given(st.text(max_size=40) | st.binary(max_size=40).map(lambda b: base64.urlsafe_b64encode(b).decode()))
def test_no_other_text_is_a_token(text: str) -> None:
    if text:
        with pytest.raises(InvalidPageToken):
            paging.after(Request(page_token=text))


@pytest.mark.parametrize("content", [b"5", b"null", b"[]", b'["a"]', b'{"a": 1, "b": 2}', b"[1, 2]"])
def test_other_json_is_no_token(content: bytes) -> None:
    with pytest.raises(InvalidPageToken):
        paging.after(Request(page_token=base64.urlsafe_b64encode(content).decode()))


@pytest.mark.parametrize("key", ["\0", "\ud800", "a/\0", "a\nb", 1, 10**30, None, ["b"]])
def test_a_made_up_key_is_no_token(key: object) -> None:
    whole = json.loads(base64.urlsafe_b64decode(paging.token(Request(), "b")))
    made_up = base64.urlsafe_b64encode(json.dumps([whole[0], key]).encode()).decode()
    with pytest.raises(InvalidPageToken):
        paging.after(Request(page_token=made_up))


@pytest.mark.parametrize("key", ["-1", "²", "1e3", "9" * 19, " 7", "x"])
def test_the_key_of_numbered_rows_is_a_number(key: str) -> None:
    assert paging.after_number(Request(page_token=paging.token(Request(), "12"))) == 12
    with pytest.raises(InvalidPageToken):
        paging.after_number(Request(page_token=paging.token(Request(), key)))
