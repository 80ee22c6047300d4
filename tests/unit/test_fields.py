"""Field rules: all violations at once, each with its path, in both languages."""

import pytest
from aval.declarations.v1 import declarations_pb2, insight_pb2, pre_shipment_pb2, reference_pb2
from aval.events.v1 import events_pb2
from aval.type.v1 import money_pb2

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


@pytest.mark.parametrize(("seconds", "nanos"), [(10**18, 0), (253_402_300_799, 0), (-62_135_596_800, 0), (0, -5)])
def test_a_time_that_no_calendar_has_is_refused(seconds: int, nanos: int) -> None:
    request = declarations_pb2.GetDeclarationRequest(name="declarations/460120260000000001")
    request.as_of.seconds, request.as_of.nanos = seconds, nanos
    (problem,) = fields.row_problems(request)
    assert (problem.path, problem.reason) == ("as_of", "TIME_OUT_OF_RANGE")


def test_nul_is_in_no_text() -> None:
    filter_ = insight_pb2.DeclarationFilter(statuses=["DECLARED", "\0"], enterprise="\0")
    request = declarations_pb2.ListDeclarationsRequest(filter=filter_, saved_filter="savedFilters/\0")
    found = {problem.path for problem in fields.row_problems(request) if problem.reason == "TEXT_NUL"}
    assert found == {"filter.enterprise", "filter.statuses[1]", "saved_filter"}


def test_a_row_is_judged_by_itself() -> None:
    request = declarations_pb2.BatchCreateReceiptsRequest(request_id="2c7d5bb2-9c2f-4e0a-a9a3-1d8a2e9d1f00")
    row = request.receipts.add(declaration_number="460120260000000001", channel_code="P", note="\0")
    row.notice_time.seconds = -(10**15)
    assert fields.row_problems(request) == []
    assert [problem.path for problem in fields.row_problems(row)] == ["notice_time", "note"]


def test_an_amount_has_an_opposite() -> None:
    amount = money_pb2.Money(currency_code="CNY", minor_units=-(2**63))
    (problem,) = fields.row_problems(amount)
    assert problem.reason == "AMOUNT_OUT_OF_RANGE"


def test_nul_is_neither_in_keys_nor_in_values() -> None:
    for extra in ({"a\0": "b"}, {"a": "b\0"}):
        row = reference_pb2.ReferenceRecord(extra=extra)
        assert "TEXT_NUL" in {problem.reason for problem in fields.row_problems(row)}


# XTS is for tests, XXX for none, XAU and XDR have no minor units, CLF is a fund, DEM and BGN were money once.
NO_MONEY = ["BTC", "ZZZ", "XTS", "XXX", "XAU", "XDR", "CLF", "USN", "XAD", "DEM", "BGN"]


@pytest.mark.parametrize("code", NO_MONEY)
def test_an_amount_of_no_currency_is_refused_wherever_it_stands(code: str) -> None:
    amount = money_pb2.Money(currency_code=code, minor_units=5)
    whole = pre_shipment_pb2.CreatePreShipmentRequest(pre_shipment={"amount": amount})
    items = [declarations_pb2.EncumberedValue(asset="rebates/1", amount=amount)] * 2
    repeated = declarations_pb2.ConfirmEncumbranceRequest(items=items)
    for request, path in ((whole, "pre_shipment.amount"), (repeated, "items[1].amount"), (amount, "")):
        found = {problem.path for problem in fields.row_problems(request) if problem.reason == "CURRENCY_UNKNOWN"}
        assert f"{path}.currency_code".lstrip(".") in found


@pytest.mark.parametrize("code", ["CNY", "JPY", "KWD", "XOF", "XCG", "ZWG"])
def test_an_amount_that_is_paid_passes(code: str) -> None:
    assert fields.row_problems(money_pb2.Money(currency_code=code, minor_units=5)) == []


@pytest.mark.parametrize("code", ["", "usd", "US", "USDT", "ＵＳＤ"])
def test_a_code_of_another_form_is_refused_once(code: str) -> None:
    (problem,) = fields.row_problems(money_pb2.Money(currency_code=code, minor_units=5))
    assert (problem.path, problem.reason) == ("currency_code", "FIELD_STRING_PATTERN")
