"""Options that several commands take, and how a report is shown."""

import json
import pathlib
import sys
from typing import Any

import click

from cli.layout import DEFAULT_FOLDER

folder_option = click.option(
    "--folder", type=click.Path(path_type=pathlib.Path), default=DEFAULT_FOLDER, show_default=True,
    help="Where the platform keeps its store, certificates and addresses.",
)  # fmt: skip
json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON document and nothing else.")
database_option = click.option("--database", help="A PostgreSQL database, postgresql://…; otherwise SQLite.")


def show(report: dict[str, Any], as_json: bool, lines: list[str]) -> None:
    """Shows the report as JSON, or the lines for a person; exits with status 1 where the report isn't ok."""
    click.echo(json.dumps(report, indent=2, ensure_ascii=False) if as_json else "\n".join(lines))
    if not report.get("ok", True):
        sys.exit(1)
