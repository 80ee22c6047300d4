"""The business date: shown and closed."""

import pathlib

import click

from chassis.business_date import DateNotAhead
from cli import closing as cli_closing
from cli import dates as cli_dates
from cli.commands.stores import store_in_use
from cli.layout import Layout
from cli.options import database_option, folder_option, json_option, show


@click.group()
def date() -> None:
    """Show the platform's business date, or close it and all before a day."""


@date.command("show")
@folder_option
@database_option
@json_option
def show_date(folder: pathlib.Path, database: str | None, as_json: bool) -> None:
    """Show the business date on which money counts, each service's, and whether a close is under way."""
    report = cli_dates.report(store_in_use(folder, database))
    show(report, as_json, cli_dates.lines(report))


@date.command("close")
@click.option(
    "--until", required=True, metavar="DAY", help="The business date to open, not before today's: 2026-12-01 or +60d."
)
@click.option("--verify", "is_verified", is_flag=True, help="Verify all rows after each day; stop where one is wrong.")
@folder_option
@database_option
@json_option
def close_date(until: str, is_verified: bool, folder: pathlib.Path, database: str | None, as_json: bool) -> None:
    """Close every business date before a day, service by service, also while the platform runs.

    A close that was cut off goes on with the same command.
    """
    address, meter = store_in_use(folder, database), cli_closing.Silent() if as_json else cli_closing.Meter()
    try:
        day = cli_dates.day_of(until, cli_dates.show(address))
    except ValueError as error:
        raise click.BadParameter(f"{until} is no day such as 2026-12-01 or +60d", param_hint="--until") from error
    try:
        report = cli_closing.close(address, day, meter, is_whole=Layout(folder).was_up() if is_verified else None)
    except DateNotAhead as error:
        raise click.ClickException(str(error)) from error
    show(report, as_json, cli_closing.lines(report))
