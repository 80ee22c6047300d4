"""Dated data: calendars, rates, tariffs and code tables, loaded into every service, listed and checked."""

import pathlib
from typing import Any

import click

from cli import dated_data as cli_dated_data
from cli.commands.stores import store_in_use
from cli.dated_data import TablesRefused
from cli.options import database_option, folder_option, json_option, show
from trade.dated_tables.loading import Draft
from trade.dated_tables.model import Edition
from trade.dated_tables.store import EditionConflict

files_argument = click.argument(
    "files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=pathlib.Path)
)
source_option = click.option("--source", default="", help="Where the rows are published, if a file doesn't say it.")


@click.group()
def data() -> None:
    """Load, list and check dated data: calendars, rates, tariffs, code tables."""


@data.command("load")
@files_argument
@source_option
@click.option(
    "--corrects", default="", metavar="REASON", help="Why rows of days that have passed are changed; it is kept."
)
@folder_option
@database_option
@json_option
def load_data(
    files: tuple[pathlib.Path, ...],
    source: str,
    corrects: str,
    folder: pathlib.Path,
    database: str | None,
    as_json: bool,
) -> None:
    """Load a new version of each table into every service, also while the platform runs; all files or none.

    A load that was cut off goes on with the same command. The same rows again change nothing.
    """
    address = store_in_use(folder, database)
    drafts = cli_dated_data.drafts(files, source)
    taken: dict[Edition, list[str]] = {}

    def tell(edition: Edition, service: str) -> None:
        taken.setdefault(edition, []).append(service)
        if not as_json:
            click.echo(f"{edition} {service}")

    try:
        editions = cli_dated_data.load(address, drafts, corrects, tell)
    except EditionConflict as error:
        raise click.ClickException(f"others load versions too ({error}); try again") from error
    except TablesRefused as refusal:
        _refuse(refusal, as_json)
        return
    tables = [cli_dated_data.shown(edition) | {"taken_by": taken.get(edition, [])} for edition in editions]
    show({"ok": True, "tables": tables}, as_json, [f"{edition} is in force" for edition in editions])


@data.command("check")
@files_argument
@source_option
@json_option
def check_data(files: tuple[pathlib.Path, ...], source: str, as_json: bool) -> None:
    """Check files whole, without loading them, and print the digest of each."""
    drafts = cli_dated_data.drafts(files, source)
    try:
        cli_dated_data.check(drafts)
    except TablesRefused as refusal:
        _refuse(refusal, as_json)
        return
    tables = [_checked(draft) for draft in drafts]
    lines = [f"{table['file']}: {table['name']}, {table['rows']} rows, sha256 {table['digest']}" for table in tables]
    show({"ok": True, "tables": tables}, as_json, lines)


@data.command("list")
@folder_option
@database_option
@json_option
def list_data(folder: pathlib.Path, database: str | None, as_json: bool) -> None:
    """List all versions of all tables with their sources and the services that hold them."""
    tables = cli_dated_data.listed(store_in_use(folder, database))
    lines = [f"{table['name']} {table['version']} {table['digest'][:12]} {table['source']}" for table in tables]
    show({"ok": True, "tables": tables}, as_json, lines)


def _checked(draft: Draft) -> dict[str, Any]:
    return {
        "file": draft.path,
        "name": draft.name,
        "source": draft.source,
        "rows": len(draft.file.rows),
        "digest": draft.digest.hex(),
    }


def _refuse(refusal: TablesRefused, as_json: bool) -> None:
    """Shows the problems of all files; exits with status 1."""
    problems = cli_dated_data.refused(refusal)
    lines = [f"{each['file']}: {each['path']}: {each['reason']}: {each['message']}" for each in problems]
    show({"ok": False, "problems": problems}, as_json, lines)
