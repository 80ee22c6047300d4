"""Records on the wire and back, by name: what is copied, what must be given, and that nothing is forgotten anywhere."""

import ast
import dataclasses
import datetime
import importlib
import pathlib
import typing
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from types import ModuleType
from typing import Any

import pytest
from aval.credit_insurance.v1 import credit_insurance_pb2
from aval.loans.v1 import loans_pb2
from aval.settlement.v1 import settlement_pb2
from google.protobuf import message_factory
from google.protobuf.message import Message

from chassis import wire
from chassis.money import Money
from services.credit_insurance.policy.model import Policy, State
from services.settlement.incoming_payment.division import Part

ROOT = pathlib.Path(__file__).parents[2]
POLICY = Policy(
    id="policy-1",
    insurer="insurers/1",
    enterprise="enterprises/1",
    insured_ratio=Decimal("0.90"),
    maximum_liability=Money("USD", 1_000_00),
    start_date=datetime.date(2026, 1, 1),
    end_date=datetime.date(2026, 12, 31),
    premium_rate=None,
    state=State.IN_FORCE,
    maker="m",
    checker="c",
    revision=3,
    create_us=1_764_500_000_123_456,
)


def test_fields_of_the_same_name_are_copied() -> None:
    message = wire.fill(credit_insurance_pb2.Policy, POLICY)
    assert (message.name, message.insurer, message.etag) == ("policies/policy-1", "insurers/1", "3")
    assert (message.maximum_liability.currency_code, message.maximum_liability.minor_units) == ("USD", 1_000_00)
    assert (message.start_date.year, message.start_date.month, message.start_date.day) == (2026, 1, 1)
    assert message.insured_ratio.value == "0.90"
    assert message.state == credit_insurance_pb2.Policy.IN_FORCE
    assert message.create_time.ToMicroseconds() == POLICY.create_us


def test_none_leaves_a_field_unset() -> None:
    assert not wire.fill(credit_insurance_pb2.Policy, POLICY).HasField("premium_rate")
    assert not wire.fill(credit_insurance_pb2.Policy, POLICY, end_date=None).HasField("end_date")


def test_a_keyword_goes_before_the_field() -> None:
    message = wire.fill(credit_insurance_pb2.Policy, POLICY, maker="", premium_rate=Decimal("0.004"))
    assert (message.maker, message.premium_rate.value) == ("", "0.004")


@dataclass(frozen=True, kw_only=True)
class Parts:
    """Some fields of a payment."""

    parts: tuple[Part, ...]


def test_records_within_a_record_are_filled_too() -> None:
    """All but the parts is given."""
    others = {field.name: None for field in settlement_pb2.IncomingPayment.DESCRIPTOR.fields if field.name != "parts"}
    parts = (Part("declarations/1", amount=Money("USD", 5)), Part("declarations/2"))
    message = wire.fill(settlement_pb2.IncomingPayment, Parts(parts=parts), **others)
    assert [part.declaration for part in message.parts] == ["declarations/1", "declarations/2"]
    assert [part.HasField("amount") for part in message.parts] == [True, False]


@dataclass(frozen=True, kw_only=True)
class Bare:
    """Too little for a policy."""

    name: str


def test_a_field_that_nothing_fills_is_named() -> None:
    with pytest.raises(wire.NotFilled, match=r"Policy\.insurer: Bare has no insurer; give insurer by keyword"):
        wire.fill(credit_insurance_pb2.Policy, Bare(name="policies/1"))


def test_a_keyword_that_the_message_lacks_is_named() -> None:
    with pytest.raises(wire.NotFilled, match=r"has no \['premium'\]"):
        wire.fill(credit_insurance_pb2.Policy, POLICY, premium=1)


@dataclass(frozen=True, kw_only=True)
class Wrong:
    """Fields by the right names, the first of another kind."""

    derivation: str
    principal: Decimal


WRONG = Wrong(derivation="", principal=Decimal(1))


def test_a_field_of_another_kind_is_named() -> None:
    with pytest.raises(wire.NotFilled, match=r"Payoff\.principal can't be filled by .*Decimal"):
        wire.fill(loans_pb2.Payoff, WRONG, date=None, interest=None, total=None, days=1)


def test_every_state_needs_its_value_in_the_contract() -> None:
    fields = {field.name: None for field in loans_pb2.Application.DESCRIPTOR.fields if field.name != "state"}
    with pytest.raises(wire.NotFilled, match=r"Application\.state can't be filled by .*State"):
        wire.fill(loans_pb2.Application, POLICY, **fields)


def test_a_record_is_read_from_a_message() -> None:
    message = wire.fill(credit_insurance_pb2.Policy, POLICY)
    given = {"id": POLICY.id, "insurer": POLICY.insurer, "state": POLICY.state}
    policy = wire.read(Policy, message, maker="m", checker="c", revision=3, create_us=POLICY.create_us, **given)
    assert policy == POLICY


def test_what_is_the_platforms_own_is_never_read() -> None:
    """WF2: a maker that fills `checker`, `state` or `maker` changes nothing."""
    message = wire.fill(credit_insurance_pb2.Policy, POLICY)
    given = {"id": "policy-2", "insurer": "insurers/2", "maker": "n", "create_us": 1}
    policy = wire.read(Policy, message, **given)
    assert (policy.insurer, policy.maker, policy.checker) == ("insurers/2", "n", "")
    assert (policy.state, policy.revision, policy.create_us) == (State.PENDING_APPROVAL, 1, 1)


def test_a_field_that_nothing_reads_is_named() -> None:
    with pytest.raises(wire.NotFilled, match=r"Policy\.id: aval\.credit_insurance\.v1\.Policy has no such input"):
        wire.read(Policy, credit_insurance_pb2.Policy())


@dataclass(frozen=True, slots=True)
class Use:
    """A call of fill or read, in the code."""

    place: str
    kind: str
    first: Any
    second: Any
    keywords: tuple[str, ...]

    @property
    def record(self) -> type:
        """The record's class."""
        return typing.cast(type, self.second if self.kind == "fill" else self.first)

    @property
    def message(self) -> type[Message]:
        """The message's class."""
        return typing.cast(type[Message], self.first if self.kind == "fill" else self.second)


def uses() -> Iterator[Use]:
    """Every call of `wire.fill` and `wire.read` in the services."""
    for file in sorted((ROOT / "services").rglob("*.py")):
        text = file.read_text("utf-8")
        if "from chassis import" in text and ("wire.fill(" in text or "wire.read(" in text):
            name = ".".join(file.relative_to(ROOT).with_suffix("").parts)
            yield from _of_module(importlib.import_module(name), ast.parse(text))


def _of_module(module: ModuleType, tree: ast.Module) -> Iterator[Use]:
    for function in [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]:
        for call in [node for node in ast.walk(function) if isinstance(node, ast.Call)]:
            if ast.unparse(call.func) in ("wire.fill", "wire.read"):
                yield _use(module, function, call)


def _use(module: ModuleType, function: ast.FunctionDef, call: ast.Call) -> Use:
    """The second argument is a parameter of the function, or a field of one, so that its class is known."""
    place = f"{module.__name__}.{function.name}:{call.lineno}"
    hints = typing.get_type_hints(getattr(module, function.name))
    first, second = call.args
    keywords = tuple(keyword.arg or "**" for keyword in call.keywords)
    assert "**" not in keywords, f"{place}: name the keywords"
    return Use(
        place=place,
        kind=ast.unparse(call.func).rpartition(".")[2],
        first=eval(ast.unparse(first), dict(vars(module))),
        second=_class_of(place, second, hints),
        keywords=keywords,
    )


def _class_of(place: str, argument: ast.expr, hints: dict[str, Any]) -> Any:
    if isinstance(argument, ast.Name):
        assert argument.id in hints, f"{place}: {argument.id} is no parameter"
        return hints[argument.id]
    assert isinstance(argument, ast.Attribute), f"{place}: hand in a parameter, or a field of one"
    owner = _class_of(place, argument.value, hints)
    if dataclasses.is_dataclass(owner):
        return typing.get_type_hints(owner)[argument.attr]
    return message_factory.GetMessageClass(owner.DESCRIPTOR.fields_by_name[argument.attr].message_type)


USES = list(uses())
# Inputs that say which record is meant, or that a rule of the command reads.
NOT_THE_RECORDS = {
    "CoveredShipment": {"buyer_limit"},
    "HoldCoverRequest": {"cover_hold_id"},
    "Offer": {"application"},
}


def test_the_services_fill_and_read_by_name() -> None:
    assert len([use for use in USES if use.kind == "fill"]) >= 10
    assert len([use for use in USES if use.kind == "read"]) >= 3


@pytest.mark.parametrize("use", [use for use in USES if use.kind == "fill"], ids=lambda use: use.place)
def test_every_field_of_a_message_is_filled(use: Use) -> None:
    """WF1: by its name or by a keyword: a contract that grows a field says here who forgot it."""
    wire.check_filling(use.message, use.record, use.keywords)


@pytest.mark.parametrize("use", [use for use in USES if use.kind == "read"], ids=lambda use: use.place)
def test_every_input_of_a_message_is_read(use: Use) -> None:
    left = set(wire.unread(use.record, use.message, use.keywords))
    assert left == NOT_THE_RECORDS.get(use.message.DESCRIPTOR.name, set())
