"""Computing derivations again from their own leaves, and comparing their rows with the tables of the program. Pure."""

import importlib.util
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from chassis.codetables import Row, code_table
from trade.derivations.model import Derivation, RowOrigin, Value, digest
from trade.derivations.rules import Rule, Rules

# What a rule raises that is given values which no rule gave: of two currencies, of another kind, a year of no days.
UNFIT = (ArithmeticError, AssertionError, AttributeError, LookupError, TypeError, ValueError)


@dataclass(frozen=True, slots=True)
class Difference:
    """A place in a derivation that isn't what its leaves give, and why: "" is the whole, accrued.annual_rate a leaf."""

    path: str
    text: str

    def __str__(self) -> str:
        return f"{self.path or 'result'}: {self.text}"


def recompute(derivation: Derivation, rules: Rules) -> list[Difference]:
    """Returns every difference between a derivation and what the rules give of its leaves; none where it holds."""
    return list(_Recomputing(rules).differences(derivation, ""))


@dataclass(frozen=True, slots=True)
class _Recomputing:
    rules: Rules

    def differences(self, node: Derivation, path: str) -> Iterator[Difference]:
        """Yields the differences of a node and all below it."""
        for place, argument in node.places(path):
            if isinstance(argument.origin, Derivation):
                yield from self.differences(argument.origin, place)
                if argument.value != argument.origin.result:
                    yield Difference(place, f"{argument.value} is given, the rule below gives {argument.origin.result}")
        if node.digest != digest(node):
            yield Difference(path, "it isn't what was derived: its digest differs")
        yield from self._of_rule(node, path)

    def _of_rule(self, node: Derivation, path: str) -> Iterator[Difference]:
        rule = self.rules.get(node.rule)
        if rule is None:
            yield Difference(path, f"there is no rule {node.rule}")
            return
        try:
            result = self._result(node, rule)
            rounding = rule.rounding(result)
        except UNFIT as error:
            yield Difference(path, f"{node.rule} can't be computed: {error}")
            return
        if result != node.result or type(result) is not type(node.result):
            yield Difference(path, f"{node.rule} gives {result}, not {node.result}")
        if rounding != node.rounding:
            yield Difference(path, f"{node.rule} rounds by {rounding}, not by {node.rounding}")

    def _result(self, node: Derivation, rule: Rule) -> Value:
        """Returns what the rule gives of the node's leaves. Raises what is UNFIT."""
        return rule.evaluate((argument.name, self._value(argument.origin, argument.value)) for argument in node.inputs)

    def _value(self, origin: object, given: Value) -> Value:
        """Returns the value of an input by the leaves below it; as it stands where the rule below isn't known."""
        if not isinstance(origin, Derivation) or origin.rule not in self.rules:
            return given
        return self._result(origin, self.rules[origin.rule])


def row_differences(derivation: Derivation) -> list[Difference]:
    """Returns where leaves aren't what the tables of the program have; tables with versions stand in stores.

    "annual_rate: 0.07 is no row of trade/rates".
    """
    return [
        Difference(path, text)
        for path, leaf in derivation.leaves()
        if isinstance(leaf.origin, RowOrigin)
        if (text := _row_difference(leaf.origin, leaf.value))
    ]


def _row_difference(origin: RowOrigin, value: Value) -> str:
    if origin.version or not origin.code:
        return ""
    row = _row(origin)
    if row is None:
        return f"{origin.table} has no row {origin.code} from {origin.effective_from}"
    stated = row.get(origin.column, "")
    return "" if _is_same(stated, value) else f"{value} is used, {origin.table} {origin.code} says {stated}"


def _row(origin: RowOrigin) -> Row | None:
    """Returns the row of a table of the program; None where there is none."""
    package, _, name = origin.table.rpartition("/")
    package = package if package == "trade" else f"services.{package}"
    if importlib.util.find_spec(package) is None:
        return None
    try:
        rows = code_table(package, name).rows()
    except FileNotFoundError:
        return None
    since = origin.effective_from.isoformat() if origin.effective_from else ""
    return next((row for row in rows if (row["code"], row["effective_from"]) == (origin.code, since)), None)


def _is_same(text: str, value: Value) -> bool:
    """Whether a table's text stands for a value: "0.90" for the rate 0.9."""
    if isinstance(value, Decimal | int):
        try:
            return Decimal(text) == value
        except ArithmeticError:
            return False
    return text == str(value)
