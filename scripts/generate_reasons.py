"""Writes gateway/data/reasons.json: by public method, the reasons for which its service may refuse it.

A reason is a method's where the code that can be reached from its function names the class of the refusal. A reason
too many is possible, where a helper that several methods share refuses for one of them only. With --check it only
compares.
"""

import dataclasses
import inspect
import json
import pathlib
import sys
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from types import CodeType, FunctionType, MethodType, ModuleType
from typing import Any

from chassis.blobs import uploads
from chassis.errors import DomainError
from chassis.identity import policy_of
from chassis.service import GET_BLOB, UPLOAD_BLOB, WATCH, Service
from chassis.status import RemoteError
from cli.stores import SERVICES

FILE = pathlib.Path(__file__).resolve().parent.parent / "gateway" / "data" / "reasons.json"
HOUSE = ("chassis", "ledger", "trade", "services")
# The chassis' own.
BLOB_FUNCTIONS: Mapping[str, Sequence[Any]] = {
    UPLOAD_BLOB: (uploads.Uploads.take, uploads.next_part, uploads.PUT.run, uploads.FINISH.run),
    GET_BLOB: (uploads.Uploads.give,),
}
# What every method may be refused for is said once, by the gateway.
BASES = (DomainError, RemoteError)


def refusals(service: Service, method: str) -> set[type[DomainError]]:
    """Returns the classes that the code behind a method names."""
    return {kind for kind in _reached(_functions(service, method)) if _is_refusal(kind)}


def _functions(service: Service, method: str) -> list[Any]:
    if method in BLOB_FUNCTIONS:
        return [*BLOB_FUNCTIONS[method]]
    if method in service.reads:
        return [service.reads[method]]
    command = service.commands[service.streams.get(method, method)]
    return [one for one in (command.run, command.run_batch, command.prepare) if one is not None]


def _is_refusal(thing: Any) -> bool:
    return isinstance(thing, type) and issubclass(thing, DomainError) and thing not in BASES


def _reached(begin: list[Any]) -> Iterator[Any]:
    """Yields functions and classes of ours that can be reached, each once."""
    seen: set[int] = set()
    waiting = list(begin)
    while waiting:
        thing = inspect.unwrap(waiting.pop())
        if isinstance(thing, MethodType):
            # A noun's rows answer by themselves: with what they were made of.
            waiting += [thing.__func__, *_of_instance(thing.__self__, set(_names(thing.__func__.__code__)))]
        if id(thing) in seen or not _is_ours(thing):
            continue
        seen.add(id(thing))
        yield thing
        if isinstance(thing, FunctionType):
            waiting += _named(thing)


def _is_ours(thing: Any) -> bool:
    return str(getattr(thing, "__module__", "")).split(".")[0] in HOUSE and isinstance(thing, FunctionType | type)


def _named(function: FunctionType) -> Iterator[Any]:
    """Yields the globals that a function names, what it takes of modules and classes by name, what it closes over."""
    names = set(_names(function.__code__))
    values = [function.__globals__[name] for name in names if name in function.__globals__]
    values += [cell.cell_contents for cell in function.__closure__ or ()]
    for value in values:
        owner = value if isinstance(value, ModuleType | type) else None
        for reached in (value, *(getattr(owner, name) for name in names if hasattr(owner, name))):
            yield reached
            yield from _of_instance(reached, names)
    room = function.__module__.rpartition(".")[0]
    methods = _methods(room) if room.startswith("services.") else {}
    yield from (method for name in names for method in methods.get(name, ()))


def _of_instance(value: Any, names: set[str]) -> Iterator[Any]:
    """Yields the methods that are called of a record of ours, such as a noun's rows, and what it was made with."""
    kind = type(value)
    if dataclasses.is_dataclass(kind) and kind.__module__.split(".")[0] in HOUSE:
        yield from (getattr(kind, name) for name in names if hasattr(kind, name))
        yield from (getattr(value, field.name) for field in dataclasses.fields(kind))


@cache
def _methods(package: str) -> Mapping[str, Sequence[FunctionType]]:
    """Returns the methods of a room's classes by name: whose instance a function calls isn't in its code."""
    functions: dict[str, list[FunctionType]] = {}
    for name, module in list(sys.modules.items()):
        if name.startswith(f"{package}."):
            for one in vars(module).values():
                if isinstance(one, type) and one.__module__ == name:
                    for method in filter(lambda value: isinstance(value, FunctionType), vars(one).values()):
                        functions.setdefault(method.__name__, []).append(method)
    return functions


def _names(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names(constant)


def written() -> str:
    """Returns the file's text: the methods' reasons, and each reason's code."""
    methods: dict[str, list[str]] = {}
    codes: dict[str, str] = {}
    for service in SERVICES:
        for method in service.contract.descriptor.methods:
            if policy_of(method).internal or method.name == WATCH:
                continue
            reasons = refusals(service, method.name)
            methods[method.full_name] = sorted({refusal.reason for refusal in reasons})
            codes |= {refusal.reason: refusal.code.name for refusal in reasons}
    return json.dumps({"codes": dict(sorted(codes.items())), "methods": methods}, indent=1) + "\n"


def main() -> None:
    """Writes the file, or says that it is stale."""
    if "--check" not in sys.argv[1:]:
        FILE.write_text(written(), encoding="utf-8")
    elif FILE.read_text(encoding="utf-8") != written():
        sys.exit(f"stale: {FILE.name}; run python scripts/generate_reasons.py")


if __name__ == "__main__":
    main()
