"""What rooms say of themselves holds."""

import pathlib
import re

ROOT = pathlib.Path(__file__).parents[2]
STATEMENT = re.compile(r"\bsa\.(select|insert|update|delete|text)\(")


def test_the_only_sql_of_a_room_is_in_its_store() -> None:
    """Where a store says so, no other module beside it makes a statement."""
    rooms = [file.parent for file in (ROOT / "services").rglob("store.py") if "only SQL" in file.read_text("utf-8")]
    assert len(rooms) > 20
    beside = [file for room in rooms for file in room.glob("*.py") if file.name != "store.py"]
    assert [str(file.relative_to(ROOT)) for file in beside if STATEMENT.search(file.read_text("utf-8"))] == []
