"""Writes the next migration of one branch: the difference between its tables and its migrations.

python scripts/new_migration.py chassis.tables chassis/versions "what changes"
"""

import importlib
import pathlib
import subprocess
import sys

import sqlalchemy as sa
from alembic.autogenerate import produce_migrations, render_python_code
from alembic.migration import MigrationContext
from alembic.operations import Operations
from alembic.script import ScriptDirectory

from chassis import migrations
from chassis.keyring import NO_KEYS
from trade import tables as trade_tables

TEMPLATE = '''"""{title}."""

import sqlalchemy as sa
from alembic import op

revision = "{revision}"
down_revision = {down!r}
branch_labels = {label!r}
depends_on = None


def upgrade() -> None:
    """Applies it."""
    {upgrade}
'''


def main(module: str, folder: str, title: str) -> None:
    """Prints the new file's path."""
    path = pathlib.Path(folder)
    path.mkdir(parents=True, exist_ok=True)
    label = path.parts[-2]
    if (path.parent / "service.py").exists():
        # The tables stand beside their stores: loading the service brings them all into the metadata.
        importlib.import_module(module.rpartition(".")[0] + ".service")
    metadata = importlib.import_module(module).metadata
    engine = sa.create_engine("sqlite://")
    with engine.begin() as connection:
        existing = sorted(path.glob("*.py"))
        if existing:
            # Steps of services may depend on steps of the trade.
            folders = dict.fromkeys([str(path.resolve()), trade_tables.MIGRATIONS])
            script = ScriptDirectory.from_config(migrations.configuration(list(folders)))
            # An empty store has nothing that is sealed.
            context = MigrationContext.configure(connection, opts={"keys": NO_KEYS})
            with Operations.context(context):
                for step in reversed(list(script.walk_revisions(head=f"{label}@head"))):
                    step.module.upgrade()
        context = MigrationContext.configure(connection, opts={"include_object": _only(metadata)})
        code = render_python_code(produce_migrations(context, metadata).upgrade_ops)
    # A branch that began anew doesn't begin with 1.
    newest = int(existing[-1].name[:4]) if existing else 0
    number = newest + 1
    down = f"{label}_{newest:04}" if existing else None
    code = "\n    ".join(line[4:] if line.startswith("    ") else line for line in code.splitlines())
    file = path / f"{number:04}_{title.lower().replace(' ', '_')}.py"
    revision = f"{label}_{number:04}"
    branch = None if existing else (label,)
    file.write_text(TEMPLATE.format(title=title, revision=revision, down=down, label=branch, upgrade=code.lstrip()))
    subprocess.run([sys.executable, "-m", "ruff", "format", "--quiet", str(file)], check=True)
    print(file)


def _only(metadata: sa.MetaData) -> object:
    return lambda _object, name, kind, _reflected, _other: kind != "table" or name in metadata.tables


if __name__ == "__main__":
    main(*sys.argv[1:])
