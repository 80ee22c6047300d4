"""What rooms say of themselves holds, and each saga is found in the files that CONTRIBUTING names."""

import ast
import inspect
import pathlib
import re
from collections.abc import Iterator

import pytest

from chassis.rows import Rows
from chassis.tasks import Saga
from cli.stores import SERVICES

ROOT = pathlib.Path(__file__).parents[2]
STATEMENT = re.compile(r"\bsa\.(select|insert|update|delete|text)\(")
SAGA_ROOMS = ("services/loans", "services/settlement", "services/credit_insurance")
POSTING = re.compile(r"\bledger(_store)?\.(post|apply|Sitting)\(")
SAGAS = [saga for service in SERVICES for saga in service.sagas.values()]
# What a pure module doesn't know: the database, the transaction, anybody's rows.
IMPURE = re.compile(r"^(sqlalchemy|chassis\.command|chassis\.database|chassis\.records|services\..*\.(store|effects))$")


def imported(file: pathlib.Path) -> Iterator[str]:
    """The modules that a file imports, and what it imports from packages, dotted."""
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def files(name: str) -> list[pathlib.Path]:
    """All files of a name in the services that have sagas."""
    return [file for service in SAGA_ROOMS for file in (ROOT / service).rglob(name)]


def relative(found: list[pathlib.Path]) -> list[str]:
    """Their paths from the repository's root."""
    return [str(file.relative_to(ROOT)) for file in found]


def test_the_only_sql_of_a_room_is_in_its_store() -> None:
    """Where a store says so, no other module beside it makes a statement."""
    rooms = [file.parent for file in (ROOT / "services").rglob("store.py") if "only SQL" in file.read_text("utf-8")]
    assert len(rooms) > 20
    beside = [file for room in rooms for file in room.glob("*.py") if file.name != "store.py"]
    assert [str(file.relative_to(ROOT)) for file in beside if STATEMENT.search(file.read_text("utf-8"))] == []


def test_no_read_makes_a_statement() -> None:
    """A reading method asks its store for a scope."""
    assert files("reads.py")
    assert relative([file for file in files("reads.py") if "sqlalchemy" in set(imported(file))]) == []


@pytest.mark.parametrize("saga", SAGAS, ids=lambda saga: saga.noun)
def test_a_saga_is_joined_in_its_own_file(saga: Saga) -> None:
    """Plan, reactions and rows each have a file; the saga alone knows all of them."""
    room = pathlib.Path(inspect.getfile(saga.react)).parent
    places = (saga.plan, saga.react, saga.unfinished)
    assert [pathlib.Path(inspect.getfile(place)).name for place in places] == ["plan.py", "saga.py", "store.py"]
    store = inspect.getmodule(saga.unfinished)
    (rows,) = [value for value in vars(store).values() if isinstance(value, Rows) and value.noun == saga.noun]
    assert (saga.load, saga.plan) == (rows.load, rows.plan)
    assert {"plan.py", "reactions.py", "effects.py", "saga.py"} <= {file.name for file in room.glob("*.py")}


def test_there_is_no_saga_elsewhere() -> None:
    making = [file for file in files("*.py") if re.search(r"\bSaga\(", file.read_text("utf-8"))]
    assert {file.name for file in making} == {"saga.py"}
    assert len(making) == len(SAGAS)


@pytest.mark.parametrize("name", ["plan.py", "reactions.py", "model.py"])
def test_what_is_pure_knows_no_rows(name: str) -> None:
    """A plan or a reaction gets what it needs handed in."""
    found = files(name)
    assert found
    assert {str(file.relative_to(ROOT)): name for file in found for name in imported(file) if IMPURE.match(name)} == {}


def test_no_store_posts_to_the_ledger() -> None:
    """A store writes rows; what a change does to the money is told by the effects of its state."""
    stores = files("store.py")
    assert stores
    assert relative([file for file in stores if POSTING.search(file.read_text("utf-8"))]) == []


def test_the_wire_knows_no_rules() -> None:
    """Between proto and record stands no check, and nothing that needs a transaction."""
    rules = ("chassis.command", "chassis.errors", "services.loans.interest")
    assert {str(file): name for file in files("rpc.py") for name in imported(file) if name.startswith(rules)} == {}
