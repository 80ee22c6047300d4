"""Derivations as text for a person: a tree, a line for each rule and leaf, in either language; or a single line."""

import string
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from chassis.errors import LANGUAGES
from trade.derivations.model import CloseOrigin, Derivation, FieldOrigin, Input, Origin, RowOrigin, Value
from trade.derivations.rules import Parameter, Rule, Rules

ENGLISH, CHINESE = LANGUAGES
INDENT = "  "
PERCENT, SUMMAND = "%", "+"
# Between the members of a list.
SEPARATORS: Mapping[str, str] = {ENGLISH: ", ", CHINESE: "、"}
COLON: Mapping[str, str] = {ENGLISH: ": ", CHINESE: "："}
PARENTHESES: Mapping[str, str] = {ENGLISH: " ({})", CHINESE: "（{}）"}
NOTHING: Mapping[str, str] = {ENGLISH: "nothing", CHINESE: "无"}


def told(value: Value, form: str = "") -> str:
    """Returns a value for a person: USD 1,500.00, 2026-11-30, 0.06 or, as "%", 6 %."""
    if isinstance(value, Decimal):
        number = value * 100 if form == PERCENT else value
        text = format(number.normalize(), "f") if number else "0"
        return f"{text} %" if form == PERCENT else text
    return str(value)


def lines(derivation: Derivation, rules: Rules, language: str) -> list[str]:
    """Returns the tree: a line for each rule and leaf, indented below what it gives.

    Of interest: "USD 1,500.00: Interest on … (source)", below it "  annual rate 6 % (loans/1: annual_rate)".
    """
    return list(_Tree(rules, language).lines(derivation))


def line(derivation: Derivation, rules: Rules) -> str:
    """Returns the computation as a line that a person can check: USD 100,000.00 x 90 x 6 % / 360 = USD 1,500.00."""
    return f"{_formula(derivation, rules, SUMMAND)} = {told(derivation.result)}"


@dataclass(frozen=True, slots=True)
class _Tree:
    rules: Rules
    language: str

    def lines(self, node: Derivation, name: str = "", depth: int = 0) -> Iterator[str]:
        """Yields the lines of a node and all below it; `name` is what the node is to the one above."""
        rule, colon = self.rules[node.rule], COLON[self.language]
        source = PARENTHESES[self.language].format(node.source) if node.source else ""
        head = f"{name} {told(node.result)}".strip()
        yield f"{depth * INDENT}{head}{colon}{self._sentence(rule, node)}{source}"
        for argument in node.inputs:
            yield from self._of_input(rule, argument, depth + 1)

    def _sentence(self, rule: Rule, node: Derivation) -> str:
        template = rule.chinese if self.language == CHINESE else rule.english
        return _filled(template, {name: _Said(values, self.language) for name, values in _values(rule, node).items()})

    def _of_input(self, rule: Rule, argument: Input, depth: int) -> Iterator[str]:
        parameter = next(parameter for parameter in rule.parameters if parameter.name == argument.name)
        name = parameter.chinese if self.language == CHINESE else parameter.english
        if isinstance(argument.origin, Derivation):
            yield from self.lines(argument.origin, name, depth)
        else:
            form = _form(rule, parameter)
            origin = _origin(argument.origin, self.language)
            yield f"{depth * INDENT}{name} {told(argument.value, form)}{origin}"


def _form(rule: Rule, parameter: Parameter) -> str:
    """Returns how the rule's sentence shows an argument."""
    forms = {name: form for _, name, form, _ in string.Formatter().parse(rule.english) if name}
    return forms.get(parameter.name) or ""


def _values(rule: Rule, node: Derivation) -> dict[str, list[Value]]:
    values: dict[str, list[Value]] = {parameter.name: [] for parameter in rule.parameters}
    for argument in node.inputs:
        values[argument.name].append(argument.value)
    return values


def _origin(origin: Origin | None, language: str) -> str:
    """Returns where a leaf stands, in parentheses; nothing of a word of the rule."""
    match origin:
        case FieldOrigin():
            text = f"{origin.resource}: {origin.field}"
        case RowOrigin():
            text = " ".join(filter(None, (origin.table, origin.code, _dated(origin, language))))
        case CloseOrigin():
            words = {ENGLISH: "close of {}: {} {}", CHINESE: "{} 日终：{} {}"}[language]
            text = words.format(origin.date, origin.job, origin.partition).rstrip()
        case _:
            return ""
    return PARENTHESES[language].format(text)


def _dated(origin: RowOrigin, language: str) -> str:
    version, since = {ENGLISH: ("version {}", "since {}"), CHINESE: ("第 {} 版", "自 {} 起")}[language]
    if origin.version:
        return version.format(origin.version)
    return since.format(origin.effective_from) if origin.effective_from else ""


@dataclass(frozen=True, slots=True)
class _Said:
    """The values of an argument in a sentence."""

    values: Sequence[Value]
    language: str

    def __format__(self, form: str) -> str:
        return SEPARATORS[self.language].join(told(value, form) for value in self.values) or NOTHING[self.language]


@dataclass(frozen=True, slots=True)
class _Computed:
    """The formulas of an argument in the formula of a rule: a sum in parentheses, unless it is a summand itself."""

    inputs: Sequence[Input]
    rules: Rules

    def __format__(self, form: str) -> str:
        only = form if len(self.inputs) == 1 or form == SUMMAND else SUMMAND
        text = " + ".join(_of_argument(argument, self.rules, only) for argument in self.inputs) or "0"
        return f"({text})" if len(self.inputs) > 1 and form != SUMMAND else text


def _of_argument(argument: Input, rules: Rules, form: str) -> str:
    if isinstance(argument.origin, Derivation):
        return _formula(argument.origin, rules, form)
    return told(argument.value, form)


def _formula(node: Derivation, rules: Rules, form: str = "") -> str:
    """Returns the formula of a node with its leaves in place; its result where its rule has none."""
    rule = rules[node.rule]
    if not rule.formula:
        return told(node.result, form)
    by_name = {
        parameter.name: _Computed([given for given in node.inputs if given.name == parameter.name], rules)
        for parameter in rule.parameters
    }
    text = _filled(rule.formula, by_name)
    return f"({text})" if form != SUMMAND and _is_sum(text) else text


def _is_sum(text: str) -> bool:
    """Whether a formula adds or subtracts outside of parentheses: "a + b" does, "(a + b) x c" doesn't."""
    depth, outside = 0, []
    for character in text:
        depth += (character == "(") - (character == ")")
        outside.append("" if depth else character)
    return any(sign in "".join(outside) for sign in (" + ", " - "))


def _filled(template: str, arguments: Mapping[str, object]) -> str:
    return template.format(**arguments)
