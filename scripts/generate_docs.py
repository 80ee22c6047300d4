"""Writes what the documents say of the code: state diagrams, methods, events, errors. With --check only compares.

A document has marked parts, `<!-- KIND ARGUMENT -->` to `<!-- end KIND -->`; all text around them stays.

    states MODULE     the module's TRANSITIONS as a Mermaid diagram
    methods SERVICE   the service's methods: who may call them, and where they are over HTTP
    events SERVICE    the types of the service's events, each with its payload
    errors            every reason for a refusal, by where it comes from
"""

import importlib
import itertools
import pathlib
import pkgutil
import re
import sys
from collections.abc import Callable, Iterator, Mapping

from aval.type.v1 import access_pb2
from google.api import annotations_pb2

from chassis.contracts import contract, event_types
from chassis.errors import DomainError
from chassis.identity import policy_of
from chassis.states import diagram
from chassis.status import RemoteError
from gateway.json_api.routes import VERBS
from gateway.web import http_status

ROOT = pathlib.Path(__file__).resolve().parent.parent
HOUSE = ("chassis", "ledger", "trade", "services", "gateway", "cli")
DOCUMENTS = ("chassis/README.md", "ledger/README.md", "services/*/README.md", "gateway/README.md", "docs/*.md")
PART = re.compile(
    r"(?P<start><!-- (?P<kind>\w+)(?: (?P<argument>\S+))? -->\n)(.*?)(?P<end><!-- end (?P=kind) -->)", re.S
)


def states(module: str) -> str:
    """Returns the diagram of a state machine."""
    return f"```mermaid\n{diagram(importlib.import_module(module).TRANSITIONS)}\n```"


def methods(service: str) -> str:
    """Returns a service's methods in the order of its contract."""
    rows = [_method_row(method) for method in contract(service).descriptor.methods]
    return _table(("method", "who", "HTTP"), rows)


def _method_row(method: object) -> tuple[str, str, str]:
    policy, rule = policy_of(method), method.GetOptions().Extensions[annotations_pb2.http]
    roles = [access_pb2.Role.Name(role) for role in method.GetOptions().Extensions[access_pb2.access].roles]
    who = ", ".join(roles) + (" with a one-time code" if policy.second_factor else "")
    paths = [f"`{verb.upper()} {getattr(rule, verb)}`" for verb in VERBS if getattr(rule, verb)]
    return f"`{method.name}`", "services only" if policy.internal else who, "".join(paths)


def events(service: str) -> str:
    """Returns the types of a service's events in the order of its contract."""
    rows = [(f"`{type_}`", f"`{payload.rpartition('.')[2]}`") for type_, payload in event_types(service).items()]
    return _table(("type", "payload"), rows)


def errors(_argument: str) -> str:
    """Returns all refusals, by the module that defines them."""
    import_house()
    refusals = sorted(
        _refusals(DomainError), key=lambda refusal: (HOUSE.index(refusal.__module__.split(".")[0]), refusal.__module__)
    )
    parts = []
    for module, classes in itertools.groupby(refusals, key=lambda refusal: refusal.__module__):
        rows = [_error_row(refusal) for refusal in sorted(classes, key=lambda refusal: refusal.reason)]
        parts.append(f"## {module}\n\n{_table(('reason', 'code', 'HTTP', 'English', '中文'), rows)}")
    return "\n\n".join(parts)


def _refusals(base: type[DomainError]) -> Iterator[type[DomainError]]:
    """Yields all subclasses that have a reason of their own; a remote refusal has the other side's."""
    for refusal in base.__subclasses__():
        if refusal.__module__.split(".")[0] in HOUSE and refusal is not RemoteError:
            yield refusal
            yield from _refusals(refusal)


def _error_row(refusal: type[DomainError]) -> tuple[str, ...]:
    english = " ".join((refusal.__doc__ or "").split("\n\n")[0].split())
    return f"`{refusal.reason}`", refusal.code.name, str(http_status(refusal)), english, refusal.chinese


def import_house() -> None:
    """Imports every module that may define an error or a state machine."""
    for name in HOUSE:
        package = importlib.import_module(name)
        for module in pkgutil.walk_packages(package.__path__, f"{name}."):
            if ".versions" not in module.name and not module.name.endswith("__main__"):
                importlib.import_module(module.name)


def state_machines() -> list[str]:
    """Returns the modules of all state machines."""
    import_house()
    prefixes = tuple(f"{name}." for name in HOUSE)
    machines = [name for name, module in sys.modules.items() if name.startswith(prefixes) and name.endswith(".model")]
    return sorted(name for name in machines if hasattr(sys.modules[name], "TRANSITIONS"))


def _table(heads: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [heads, ("---",) * len(heads), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


KINDS: Mapping[str, Callable[[str], str]] = {"states": states, "methods": methods, "events": events, "errors": errors}


def renewed(text: str) -> str:
    """Returns a document with its marked parts written anew."""

    def renew(part: re.Match[str]) -> str:
        return f"{part['start']}{KINDS[part['kind']](part['argument'] or '')}\n{part['end']}"

    return PART.sub(renew, text)


def documents() -> list[pathlib.Path]:
    """Returns the documents that may have marked parts."""
    return sorted(file for pattern in DOCUMENTS for file in ROOT.glob(pattern))


def main() -> None:
    """Rewrites the documents, or says which are stale."""
    stale = [file for file in documents() if renewed(file.read_text("utf-8")) != file.read_text("utf-8")]
    if "--check" in sys.argv[1:]:
        names = ", ".join(str(file.relative_to(ROOT)) for file in stale)
        sys.exit(f"stale: {names}; run python scripts/generate_docs.py" if stale else 0)
    for file in stale:
        file.write_text(renewed(file.read_text("utf-8")), "utf-8")


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    main()
