"""Exporting declarations as files."""

import asyncio
import pathlib
import sys
from typing import Any

import click

from chassis.status import RemoteError
from cli import exporting as cli_exporting
from cli.layout import Layout
from cli.options import folder_option, json_option, show


@click.command()
@click.option(
    "--format", "form", type=click.Choice(["csv", "xlsx"]), help="Otherwise the ending of the file's name says it."
)
@click.option("--out", "path", required=True, type=click.Path(dir_okay=False, path_type=pathlib.Path))
@click.option("--bom", is_flag=True, help="Begin a CSV file with a byte-order mark, for spreadsheets.")
@click.option(
    "--language", type=click.Choice(["en", "zh-CN"]), default="en", show_default=True, help="What the heads are in."
)
@click.option("--enterprise", default="", help="Only this exporter's: enterprises/{social credit code}.")
@click.option("--trade-mode", "trade_modes", multiple=True, help="Only this supervision mode; may be repeated.")
@click.option("--country", "countries", multiple=True, help="Only to this destination, ISO alpha-3; may be repeated.")
@click.option("--chapter", "chapters", multiple=True, help="Only of this HS chapter; may be repeated.")
@click.option("--commodity", "commodities", multiple=True, help="Only of codes that begin so; may be repeated.")
@click.option("--search", default="", help="Only with this in a contract, invoice or bill number or the buyer's name.")
@click.option("--status", "statuses", multiple=True, help="Only in this status, such as CLOSED; may be repeated.")
@click.option("--direction", type=click.Choice(["EXPORT", "IMPORT"]), help="Exports or imports only.")
@click.option("--from", "first", type=click.DateTime(["%Y-%m-%d"]), help="From this day on.")
@click.option("--to", "last", type=click.DateTime(["%Y-%m-%d"]), help="Up to and including this day.")
@folder_option
@json_option
def export(
    path: pathlib.Path, form: str | None, bom: bool, language: str, folder: pathlib.Path, as_json: bool, **wanted: Any
) -> None:
    """Export declarations as a CSV or XLSX file, one row for each line of goods.

    Spreadsheets make numbers of a CSV file's long numbers and leading zeros; an XLSX file keeps them.
    """

    def progress(declarations: int) -> None:
        if not as_json and sys.stderr.isatty():
            click.echo(f"\r{declarations} declarations", nl=False, err=True)

    request = cli_exporting.request_of(**wanted)
    try:
        form = form or cli_exporting.form_of(path)
        report = asyncio.run(cli_exporting.export(Layout(folder), path, form, request, progress, bom, language))
    except (RemoteError, cli_exporting.UnknownEnding) as refusal:
        raise click.ClickException(str(refusal)) from refusal
    show(report, as_json, [f"{report['declarations']} declarations, {report['lines']} lines in {path}"])
