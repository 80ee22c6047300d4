"""Field rules: all violations at once, each with its path, in both languages."""

import pytest
from aval.declarations.v1 import declarations_pb2
from aval.events.v1 import events_pb2

from chassis import fields
from chassis.errors import InvalidFields


def test_all_violations_come_at_once_with_their_paths() -> None:
    request = events_pb2.WatchRequest(log_epoch="x" * 65, after_position=-1, resource="r" * 257)
    with pytest.raises(InvalidFields) as refused:
        fields.check(request)
    problems = {problem.path: problem for problem in refused.value.problems}
    assert set(problems) == {"log_epoch", "after_position", "resource"}
    assert problems["log_epoch"].reason == "FIELD_STRING_MAX_LEN"
    assert problems["log_epoch"].chinese == "长度超限。"
    assert all(problem.english and problem.chinese for problem in problems.values())


def test_the_path_of_a_row_in_a_list_is_numbered() -> None:
    items = [declarations_pb2.EncumberedValue()] * 2
    request = declarations_pb2.ConfirmEncumbranceRequest(items=items)
    paths = {problem.path for problem in fields.problems(request)}
    assert any(path.startswith("items[1].") for path in paths), paths
    assert "request_id" in paths


def test_a_prefix_says_where_the_message_stood() -> None:
    (problem,) = fields.problems(events_pb2.WatchRequest(after_position=-1), prefix="watch")
    assert problem.path == "watch.after_position"


def test_a_valid_message_passes() -> None:
    fields.check(events_pb2.WatchRequest(after_position=3))
