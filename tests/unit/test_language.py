"""The language that a caller asks for, by weight."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.errors import LANGUAGES
from chassis.status import language_of


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("", "en"),
        ("zh-CN", "zh-CN"),
        ("ZH", "zh-CN"),
        ("zh-Hans-CN,zh;q=0.9,en;q=0.8", "zh-CN"),
        ("fr, zh;q=0.8", "zh-CN"),
        ("fr;q=0.9, zh;q=0.1", "zh-CN"),
        ("en;q=0.5, zh;q=0.9", "zh-CN"),
        ("en, zh;q=0.9", "en"),
        ("zh;q=0.4, en", "en"),
        ("zh, en", "zh-CN"),
        ("en, zh", "en"),
        ("zh;q=0", "en"),
        ("zh;q=0.0, de", "en"),
        ("*", "en"),
        ("zhong", "en"),
        ("fr;q=0.9;level=1, zh ; Q=0.7", "zh-CN"),
        ("zh;q=2, en;q=0.1", "en"),
        ("zh;q=nan, en;q=0.1", "en"),
        ("zh;q=０.９, en;q=0.1", "en"),
    ],
)
def test_the_language_that_weighs_most(header: str, language: str) -> None:
    assert language_of([("accept-language", header), ("other", "zh")]) == language


@given(st.text(max_size=300))
def test_any_header_gives_a_language_of_ours(header: str) -> None:
    assert language_of([("accept-language", header)]) in LANGUAGES
