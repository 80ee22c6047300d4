"""Proving the rows, counting anew what is derived of them, and listing owed calls."""

import pathlib
import sys
from typing import Any

import click

from chassis.clock import SystemClock
from chassis.errors import LANGUAGES
from cli import explaining as cli_explaining
from cli import owed as cli_owed
from cli import rebuilding as cli_rebuilding
from cli import verification as cli_verification
from cli.commands.stores import store_in_use
from cli.layout import Layout
from cli.options import database_option, folder_option, json_option, show


@click.command()
@folder_option
@database_option
@json_option
def rebuild(folder: pathlib.Path, database: str | None, as_json: bool) -> None:
    """Count totals, norms and findings anew from the log; regulators then begin their feed anew."""

    def progress(position: int) -> None:
        if not as_json and sys.stderr.isatty():
            click.echo(f"\revent {position}", nl=False, err=True)

    address = database or Layout(folder).database_in_use()
    if cli_verification.is_empty(address):
        raise click.ClickException(f"there is no platform's store at {address}")
    report = cli_rebuilding.rebuild(address, progress)
    told = f"{report['declarations']} declarations and {report['lists']} lists counted, of {report['events']} events"
    show(report, as_json, [told])


@click.command()
@folder_option
@database_option
@json_option
def verify(folder: pathlib.Path, database: str | None, as_json: bool) -> None:
    """Prove balances, hash chains, dense events, owed tasks and blobs from the rows alone."""
    address = store_in_use(folder, database)
    layout = Layout(folder)
    report = cli_verification.verify(address, is_whole=layout.was_up(), rings=layout.keys)
    show(report, as_json, _verify_lines(report))


def _verify_lines(report: dict[str, Any]) -> list[str]:
    lines = [f"{b['service']:18} {b['book']:16} {b['currency']} {b['debits']:>18,}" for b in report["books"]]
    events = ", ".join(f"{service} {count}" for service, count in report["events"].items())
    verdict = ["All hold."] if report["ok"] else report["violations"]
    lines += [f"blobs of {service}: not opened, without its key ring" for service in report["unopened_blobs"]]
    lines += [f"parked: {p['service']}: {p['resource']} {p['step']}: {p['why']}" for p in report["parked"]]
    return [*lines, f"events: {events}", f"chains hold: {'yes' if report['chains_ok'] else 'NO'}", *verdict]


@click.command()
@click.argument("resource")
@click.option("--field", default="", help="Only this field, or what is in it: interest, parts, payoff.")
@click.option("--language", type=click.Choice(LANGUAGES), default=LANGUAGES[0], show_default=True, help="Of the text.")
@folder_option
@database_option
@json_option
def explain(
    resource: str, field: str, language: str, folder: pathlib.Path, database: str | None, as_json: bool
) -> None:
    """Explain how amounts, dates and rates of a RESOURCE such as loans/loan-… came about: rules, leaves and sources."""
    address, now_us = store_in_use(folder, database), SystemClock().now_us()
    try:
        report = cli_explaining.report(address, resource, field, language, now_us)
    except cli_explaining.NothingDerived as error:
        raise click.ClickException(str(error)) from error
    show(report, as_json, cli_explaining.lines(report))


@click.command("owed")
@click.option(
    "--retry",
    "resource",
    help="Make this resource's parked calls again, or take its waiting events, such as loans/loan-….",
)
@folder_option
@database_option
@json_option
def list_owed(resource: str | None, folder: pathlib.Path, database: str | None, as_json: bool) -> None:
    """List the calls that services owe each other, and why: parked, late, owed or waiting for their time; the events
    that wait because a reaction failed; and how far each service follows the others' logs.
    """
    address, now_us = store_in_use(folder, database), SystemClock().now_us()
    if resource is None:
        report = cli_owed.report(address, now_us)
        show(report, as_json, list(cli_owed.lines(report)))
        return
    try:
        retried = cli_owed.retry(address, resource, now_us)
    except cli_owed.NothingParked as error:
        raise click.ClickException(str(error)) from error
    show(retried, as_json, [f"{retried['retried']} calls or events of {resource} are taken again"])
