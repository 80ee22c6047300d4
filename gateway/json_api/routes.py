"""The HTTP routes that the protos declare (google.api.http), as patterns."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any
from urllib.parse import unquote

from google.api import annotations_pb2

from gateway.contracts import PublicMethod, public_methods

VERBS = ("get", "post", "put", "patch", "delete")
WHOLE_BODY = "*"
# A variable {name=declarations/*} or {name}, or a wildcard of its own.
VARIABLE = re.compile(r"\{(?P<field>[a-z_.]+)(?:=(?P<pattern>[^}]+))?\}")
WILDCARDS = {"**": ".+", "*": "[^/:]+"}


@dataclass(frozen=True)
class Route:
    """One binding of a method: verb, path template, the template as a pattern, and which field the body is."""

    method: PublicMethod
    verb: str
    template: str
    pattern: re.Pattern[str]
    variables: tuple[str, ...]
    body: str
    number: int = 1

    @property
    def operation(self) -> str:
        """Returns its own name: the method's, numbered from the method's second binding on.

        Of a method that several services have, the service's too: Explain_loans, Explain_loans2.
        """
        name = self.method.descriptor.name
        of_service = f"_{self.method.service}" if name in _names_of_several() else ""
        return f"{name}{of_service}{self.number if self.number > 1 else ''}"

    @property
    def changes(self) -> bool:
        """Whether a call may change anything."""
        return self.verb != "GET"

    def variables_of(self, path: str) -> Mapping[str, str] | None:
        """Returns the path's variables by field path; None if it is no path of this route."""
        match = self.pattern.fullmatch(path)
        if match is None:
            return None
        values = (unquote(value) for value in match.groups())
        return dict(zip(self.variables, values, strict=True))


@cache
def _names_of_several() -> frozenset[str]:
    """Returns the names of methods that several services have."""
    counts = Counter(method.descriptor.name for method in public_methods())
    return frozenset(name for name, count in counts.items() if count > 1)


def _pattern(template: str) -> tuple[re.Pattern[str], tuple[str, ...]]:
    parts, variables, position = [], [], 0
    for match in VARIABLE.finditer(template):
        parts.append(re.escape(template[position : match.start()]))
        parts.append(f"({_wildcards(match['pattern'] or '*')})")
        variables.append(match["field"])
        position = match.end()
    parts.append(re.escape(template[position:]))
    return re.compile("".join(parts)), tuple(variables)


def _wildcards(pattern: str) -> str:
    return "/".join(WILDCARDS.get(segment) or re.escape(segment) for segment in pattern.split("/"))


def _bindings(method: PublicMethod) -> Iterator[Route]:
    rule: Any = method.descriptor.GetOptions().Extensions[annotations_pb2.http]
    for number, binding in enumerate((rule, *rule.additional_bindings), 1):
        for verb in VERBS:
            if template := getattr(binding, verb):
                pattern, variables = _pattern(template)
                yield Route(method, verb.upper(), template, pattern, variables, binding.body, number)


@cache
def routes() -> tuple[Route, ...]:
    """Returns all routes of all services."""
    return tuple(route for method in public_methods() for route in _bindings(method))


def find(verb: str, path: str) -> tuple[Route, Mapping[str, str]] | tuple[None, list[str]]:
    """Returns the route of a call with the path's variables; or none, and the verbs that the path would take."""
    allowed = []
    for route in routes():
        variables = route.variables_of(path)
        if variables is not None:
            if route.verb == verb:
                return route, variables
            allowed.append(route.verb)
    return None, allowed
