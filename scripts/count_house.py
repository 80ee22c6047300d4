"""Counts over the syntax tree what CONTRIBUTING asks of the code: `count_house.py [--json] [--where COUNT] [ROOT]`.

The first column counts the packages, the second the tests; generated code and migrations are left out.
`--where COUNT` lists the places of a count instead.
"""

import argparse
import ast
import json
import pathlib
import re
import statistics
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

PACKAGES = ("chassis", "ledger", "trade", "services", "gateway", "cli", "bench")
TESTS = ("tests",)
LEFT_OUT = {"build", "versions", "node_modules"}
MOST_POSITIONAL_ARGUMENTS = 7
MOST_LINES_OF_A_FILE = 300
MOST_LINES_OF_A_FUNCTION = 40
BAD_BEGINNING = re.compile(r"(What|Whose|Of|Who)\b")

Function = ast.FunctionDef | ast.AsyncFunctionDef
Documented = ast.Module | ast.ClassDef | Function


@dataclass(frozen=True, kw_only=True)
class Module:
    """A file of Python with all nodes of its syntax tree."""

    path: pathlib.Path
    root: pathlib.Path
    lines: int
    nodes: tuple[ast.AST, ...]

    def place(self, line: int) -> str:
        """The file's path below the root, and the line."""
        return f"{self.path.relative_to(self.root).as_posix()}:{line}"


def modules(root: pathlib.Path, folders: tuple[str, ...]) -> Iterator[Module]:
    """Parses the files of the folders, in the order of their paths."""
    for folder in folders:
        for path in sorted((root / folder).rglob("*.py")):
            if not LEFT_OUT & set(path.relative_to(root).parts):
                text = path.read_text(encoding="utf-8")
                nodes = tuple(ast.walk(ast.parse(text, str(path))))
                yield Module(path=path, root=root, lines=len(text.splitlines()), nodes=nodes)


def identifiers(module: Module) -> Iterator[int]:
    """Yields the lines on which `one` names a variable, a parameter, an attribute or a keyword."""
    for node in module.nodes:
        match node:
            case ast.Name(id="one") | ast.arg(arg="one") | ast.Attribute(attr="one"):
                yield node.lineno
            case ast.keyword(arg="one"):
                yield node.lineno


def docstrings(module: Module) -> Iterator[int]:
    """Yields the lines of docstrings that begin with What, Whose, Of or Who; `Whatever` is another word."""
    for node in module.nodes:
        if isinstance(node, Documented) and BAD_BEGINNING.match(ast.get_docstring(node) or ""):
            yield node.body[0].lineno


def local_imports(module: Module) -> Iterator[int]:
    """Yields the lines of imports inside functions, each once however deep it lies."""
    lines = {
        node.lineno
        for function in functions(module)
        for node in ast.walk(function)
        if isinstance(node, ast.Import | ast.ImportFrom)
    }
    yield from sorted(lines)


def long_calls(module: Module) -> Iterator[int]:
    """Yields the lines of calls with more than seven positional arguments; `*arguments` counts as one.

    The columns of a table bear their names: `sa.Table` may have more.
    """
    for node in module.nodes:
        if isinstance(node, ast.Call) and len(node.args) > MOST_POSITIONAL_ARGUMENTS and not _is_table(node.func):
            yield node.lineno


def _is_table(function: ast.expr) -> bool:
    return isinstance(function, ast.Attribute) and function.attr == "Table"


def aliases(module: Module) -> Iterator[int]:
    """Yields the lines that bind a module of ours to an alias that doesn't name its room and its file."""
    for node in module.nodes:
        if isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            for alias in node.names:
                if _is_misnamed(module.root, [*node.module.split("."), alias.name], alias.asname):
                    yield node.lineno
        if isinstance(node, ast.Import):
            for alias in node.names:
                if _is_misnamed(module.root, alias.name.split("."), alias.asname):
                    yield node.lineno


def _is_misnamed(root: pathlib.Path, parts: list[str], alias: str | None) -> bool:
    """Whether parts name a module of ours and the alias isn't the room's name and the file's.

    For services.loans.loan.store `loan_store` and `loans_loan_store` are right, `loans` and `store` are not.
    """
    if alias is None or parts[0] not in (*PACKAGES, *TESTS) or not _is_module(root.joinpath(*parts)):
        return False
    rooms, file = parts[:-1], parts[-1]
    return alias not in {f"{room}_{file}" for start in range(len(rooms)) for room in _names("_".join(rooms[start:]))}


def _is_module(path: pathlib.Path) -> bool:
    return path.is_dir() or path.with_suffix(".py").is_file()


def _names(room: str) -> Iterator[str]:
    """A room's name as it stands and in the singular: `records` gives records and record."""
    yield room
    for plural, singular in (("ies", "y"), ("s", "")):
        if room.endswith(plural):
            yield room.removesuffix(plural) + singular


def long_files(module: Module) -> Iterator[int]:
    """Yields line 1 of a file over 300 lines."""
    if module.lines > MOST_LINES_OF_A_FILE:
        yield 1


def functions(module: Module) -> Iterator[Function]:
    """Yields the functions and methods of a file, those inside others too."""
    for node in module.nodes:
        if isinstance(node, Function):
            yield node


def length(function: Function) -> int:
    """The lines from `def` to the function's end, its docstring among them."""
    return (function.end_lineno or function.lineno) - function.lineno + 1


def long_functions(module: Module) -> Iterator[int]:
    """Yields the lines of functions over 40 lines."""
    for function in functions(module):
        if length(function) > MOST_LINES_OF_A_FUNCTION:
            yield function.lineno


def refused_verdicts(module: Module) -> Iterator[int]:
    """Yields the lines that make a verdict REFUSED: IntakeVerdict(outcome=Verdict.REFUSED, ...)."""
    yield from (node.lineno for node in _keywords(module, "outcome") if _last(node.value) == "REFUSED")


def direction_digits(module: Module) -> Iterator[int]:
    """Yields the lines that say at which place a customs number tells its direction, or which digit means which."""
    for node in module.nodes:
        match node:
            case ast.Dict(keys=[ast.Constant(value="EXPORT"), *_], values=[ast.Constant(value="0"), *_]):
                yield node.lineno
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Constant(value=8)) if "DIRECTION" in name:
                yield node.lineno
            case ast.Subscript(value=ast.Attribute(attr="id"), slice=ast.Constant(value=8)):
                yield node.lineno


def window_roles(module: Module) -> Iterator[int]:
    """Yields the lines that bind the role of the single window, "WINDOW", to a name."""
    for node in module.nodes:
        if isinstance(node, ast.Assign) and (not isinstance(node.value, ast.Call) or _last(node.value) == "frozenset"):
            yield from (node.lineno for part in ast.walk(node.value) if _is_text(part, "WINDOW"))


def linked_chains(module: Module) -> Iterator[int]:
    """Yields the lines that link a transfer with the next one: replace(transfer, linked=True)."""
    yield from (node.value.lineno for node in _keywords(module, "linked") if _is_text(node.value, True))


def checkers(module: Module) -> Iterator[int]:
    """Yields the lines that refuse a checker who is the maker."""
    yield from (node.lineno for node in module.nodes if isinstance(node, ast.Raise) and _last(node.exc) == "SamePerson")


def positive_amounts(module: Module) -> Iterator[int]:
    """Yields the lines that make the problem AMOUNT_NOT_POSITIVE."""
    yield from _problems(module, "AMOUNT_NOT_POSITIVE")


def days(module: Module) -> Iterator[int]:
    """Yields the lines that make the problem DATE_INVALID of a date of the contract."""
    yield from _problems(module, "DATE_INVALID")


def normal_forms(module: Module) -> Iterator[int]:
    """Yields line 1 of a file with normal forms of names, which asks Unicode for them; numbers are no names."""
    asks = any(isinstance(node, ast.Attribute) and _dotted(node) == "unicodedata.normalize" for node in module.nodes)
    if asks and module.path.name != "declaration_numbers.py":
        yield 1


def names_of_requests(module: Module) -> Iterator[int]:
    """Yields the lines that lock the resource a request names by a function of their own: the default does."""
    for node in _keywords(module, "names"):
        if isinstance(node.value, ast.Lambda) and ast.unparse(node.value.body) == "[request.name]":
            yield node.value.lineno


def _keywords(module: Module, name: str) -> Iterator[ast.keyword]:
    return (node for node in module.nodes if isinstance(node, ast.keyword) and node.arg == name)


def _problems(module: Module, reason: str) -> Iterator[int]:
    for node in module.nodes:
        if isinstance(node, ast.Call) and _last(node.func) == "Problem" and any(_is_text(a, reason) for a in node.args):
            yield node.lineno


def _is_text(node: ast.AST, value: object) -> bool:
    return isinstance(node, ast.Constant) and node.value == value


def _last(node: ast.expr | None) -> str:
    """Returns the last name of an expression: REFUSED of Verdict.REFUSED, Problem of errors.Problem(...)."""
    if isinstance(node, ast.Call):
        return _last(node.func)
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def _dotted(node: ast.Attribute) -> str:
    return f"{node.value.id}.{node.attr}" if isinstance(node.value, ast.Name) else node.attr


COUNTS: Mapping[str, tuple[str, Callable[[Module], Iterator[int]]]] = {
    "one": ("the identifier `one`", identifiers),
    "docstrings": ("docstrings that begin with What, Whose, Of or Who", docstrings),
    "local_imports": ("imports inside functions", local_imports),
    "long_calls": (f"calls with more than {MOST_POSITIONAL_ARGUMENTS} positional arguments", long_calls),
    "aliases": ("module aliases that don't name room and file", aliases),
    "refused_verdicts": ("copies: a verdict REFUSED is made", refused_verdicts),
    "direction_digits": ("copies: the direction's digit of a customs number", direction_digits),
    "window_roles": ("copies: the role of the single window", window_roles),
    "linked_chains": ("copies: a chain of transfers is linked", linked_chains),
    "checkers": ("copies: maker and checker are two", checkers),
    "positive_amounts": ("copies: the problem AMOUNT_NOT_POSITIVE", positive_amounts),
    "days": ("copies: the problem DATE_INVALID", days),
    "normal_forms": ("copies: files with a normal form of names", normal_forms),
    "names_of_requests": ("copies: names=lambda request: [request.name]", names_of_requests),
    "long_files": (f"files over {MOST_LINES_OF_A_FILE} lines", long_files),
    "long_functions": (f"functions over {MOST_LINES_OF_A_FUNCTION} lines", long_functions),
}
MEDIAN = "median_function"


def places(read: Sequence[Module]) -> dict[str, list[str]]:
    """The places of each count, as path:line."""
    return {
        name: [module.place(line) for module in read for line in lines(module)] for name, (_, lines) in COUNTS.items()
    }


def count(read: Sequence[Module]) -> dict[str, float]:
    """How many places each count has, and the median length of a function in lines."""
    lengths = [length(function) for module in read for function in functions(module)]
    counts: dict[str, float] = {name: len(lines) for name, lines in places(read).items()}
    return {**counts, MEDIAN: statistics.median(lengths) if lengths else 0}


def _table(report: Mapping[str, Mapping[str, float]]) -> Iterator[str]:
    titles = {**{name: title for name, (title, _) in COUNTS.items()}, MEDIAN: "median length of a function, lines"}
    yield f"{'':52}{'packages':>9}{'tests':>8}"
    for name, title in titles.items():
        yield f"{title:52}{report['packages'][name]:>9g}{report['tests'][name]:>8g}"


def main(arguments: list[str]) -> None:
    """Prints the table, the JSON document or the places."""
    parser = argparse.ArgumentParser(description="Counts over the syntax tree what CONTRIBUTING asks of the code.")
    parser.add_argument("root", nargs="?", type=pathlib.Path, default=pathlib.Path(__file__).resolve().parent.parent)
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.add_argument("--where", choices=COUNTS, help="list the places of a count instead")
    options = parser.parse_args(arguments)
    packages, tests = (list(modules(options.root, folders)) for folders in (PACKAGES, TESTS))
    if options.where:
        print("\n".join(places([*packages, *tests])[options.where]))
        return
    report = {"packages": count(packages), "tests": count(tests)}
    print(json.dumps(report, indent=2) if options.json else "\n".join(_table(report)))


if __name__ == "__main__":
    main(sys.argv[1:])
