"""Rules by name: each a pure function over exact values, where it is written, and its words in both languages.

A rule never changes, since what it gave is computed again for ever: a changed rule is another name. A service hands its
own rules over beside these, as one table.
"""

import datetime
import string
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from chassis import money
from chassis.codetables import Row
from chassis.currencies import kept_digits
from chassis.money import Money
from trade.derivations.model import (
    Derivation,
    FieldOrigin,
    Input,
    Origin,
    Rounding,
    RowOrigin,
    Value,
    digested,
)


@dataclass(frozen=True, slots=True)
class Parameter:
    """An argument of a rule by name, its name in Chinese, and whether it is a list."""

    name: str
    chinese: str
    is_list: bool = False

    @property
    def english(self) -> str:
        """Returns its name for a person: annual_rate is "annual rate"."""
        return self.name.replace("_", " ")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A rule. The function takes its parameters by name, lists as tuples.

    Sentences and `formula` have places for the arguments, as {annual_rate:%}; a rule without a formula stands in a line
    by its result. `mode` is how its function rounds, to the minor unit of an amount or to `decimals`; "" where it
    doesn't.
    """

    name: str
    function: Callable[..., Value]
    source: str
    parameters: tuple[Parameter, ...]
    english: str
    chinese: str
    formula: str = ""
    mode: str = ""
    decimals: int = 0

    def rounding(self, result: Value) -> Rounding | None:
        """Returns how a result of the rule was rounded: CNY 1.50 by HALF_UP to 2 decimals.

        An amount in what was never money is in minor units: a row that bears one is still read.
        """
        if not self.mode:
            return None
        decimals = kept_digits(result.currency) or 0 if isinstance(result, Money) else self.decimals
        return Rounding(self.mode, decimals)

    def evaluate(self, inputs: Iterable[tuple[str, Value]]) -> Value:
        """Returns what the rule gives of arguments by name. Raises WrongArguments where others are given."""
        given = _by_name(inputs)
        lists = {parameter.name for parameter in self.parameters if parameter.is_list}
        names = {parameter.name for parameter in self.parameters}
        if not given.keys() <= names or not names - lists <= given.keys():
            raise WrongArguments(f"{self.name} takes {sorted(names)}, not {sorted(given)}")
        if several := [name for name, values in given.items() if len(values) > 1 and name not in lists]:
            raise WrongArguments(f"{self.name} takes {several[0]} once")
        return self.function(**{name: _argument(given, name, name in lists) for name in names})


Rules = Mapping[str, Rule]


class WrongArguments(TypeError):
    """A rule is given other arguments than it takes."""


def _by_name(inputs: Iterable[tuple[str, Value]]) -> dict[str, list[Value]]:
    given: dict[str, list[Value]] = {}
    for name, value in inputs:
        given.setdefault(name, []).append(value)
    return given


def _argument(given: Mapping[str, Sequence[Value]], name: str, is_list: bool) -> Any:
    return tuple(given.get(name, ())) if is_list else given[name][0]


def table(*rules: Rule) -> Rules:
    """Returns rules by their names."""
    by_name = {rule.name: rule for rule in rules}
    assert len(by_name) == len(rules), "two rules have one name"
    return by_name


@dataclass(frozen=True, slots=True)
class Leaf:
    """A value with its origin; None where it is a word of the rule itself."""

    value: Value
    origin: Origin | None = None


def field(value: Value, resource: str, path: str) -> Leaf:
    """Returns a leaf that is a field of a resource."""
    return Leaf(value, FieldOrigin(resource, path))


def row(value: Value, table: str, row: Row, column: str = "value") -> Leaf:
    """Returns a leaf that is a column of a code table's row; the table by its service or "trade", and its name."""
    since = datetime.date.fromisoformat(row["effective_from"])
    return Leaf(value, RowOrigin(table=table, code=row["code"], column=column, effective_from=since))


Argument = Leaf | Derivation


def derived(rule: Rule, source: str = "", **arguments: Argument | Sequence[Argument]) -> Derivation:
    """Returns what a rule gives of these arguments, with how.

    `source` where a row says it of the day, not the rule. `derived(SUM, amount=[field(…), field(…)])` is their sum.
    """
    inputs = tuple(
        _input(parameter.name, argument)
        for parameter in rule.parameters
        for argument in _members(arguments.pop(parameter.name))
    )
    assert not arguments, f"{rule.name} takes no {sorted(arguments)}"
    result = rule.evaluate((argument.name, argument.value) for argument in inputs)
    return digested(
        Derivation(
            rule=rule.name,
            source=source or rule.source,
            inputs=inputs,
            rounding=rule.rounding(result),
            result=result,
        )
    )


def _members(argument: Argument | Sequence[Argument]) -> Sequence[Argument]:
    return [argument] if isinstance(argument, Leaf | Derivation) else argument


def _input(name: str, argument: Argument) -> Input:
    if isinstance(argument, Derivation):
        return Input(name, argument.result, argument)
    return Input(name, argument.value, argument.origin)


def with_input(derivation: Derivation, index: int, changed: Input) -> Derivation:
    """Returns the derivation with one input changed and all else as it was: its digest too."""
    inputs = tuple(changed if place == index else standing for place, standing in enumerate(derivation.inputs))
    return replace(derivation, inputs=inputs)


def places(template: str) -> set[str]:
    """Returns the names that have a place in a sentence or formula."""
    return {name for _, name, _, _ in string.Formatter().parse(template) if name}


def _sum(amount: tuple[Money, ...], currency: str) -> Money:
    return money.total(amount, currency)


def _times(amount: Money, rate: Decimal) -> Money:
    return amount.times(rate)


SUM = Rule(
    name="money.sum",
    function=_sum,
    source="Arithmetic",
    parameters=(Parameter("amount", "金额", is_list=True), Parameter("currency", "币种")),
    english="Sum of {amount}",
    chinese="{amount} 之和",
    formula="{amount:+}",
)
DIFFERENCE = Rule(
    name="money.difference",
    function=lambda minuend, subtrahend: minuend - subtrahend,
    source="Arithmetic",
    parameters=(Parameter("minuend", "被减数"), Parameter("subtrahend", "减数")),
    english="{minuend} less {subtrahend}",
    chinese="{minuend} 减 {subtrahend}",
    formula="{minuend:+} - {subtrahend}",
)
LEAST = Rule(
    name="money.least",
    function=lambda amount: min(amount),
    source="Arithmetic",
    parameters=(Parameter("amount", "金额", is_list=True),),
    english="Least of {amount}",
    chinese="{amount} 中最小者",
)
TIMES = Rule(
    name="money.times",
    function=_times,
    source="Arithmetic, rounded half up to the minor unit",
    parameters=(Parameter("amount", "金额"), Parameter("rate", "比率")),
    english="{amount} at {rate:%}",
    chinese="{amount} 乘以 {rate:%}",
    formula="{amount} x {rate:%}",
    mode="HALF_UP",
)


def summed(amounts: Sequence[Argument], currency: str) -> Derivation:
    """Returns the sum of amounts in a currency, which may be none."""
    return derived(SUM, amount=amounts, currency=Leaf(currency))


ARITHMETIC = table(SUM, DIFFERENCE, LEAST, TIMES)
