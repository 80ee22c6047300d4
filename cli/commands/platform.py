"""Running the platform: up, the demo, and a demo person's one-time code."""

import asyncio
import pathlib
from typing import Any

import click

from cli import running as cli_running
from cli.layout import Layout
from cli.options import database_option, folder_option, json_option, show


@click.command()
@folder_option
@database_option
@click.option("--demo", is_flag=True, help="Load the demo's world, play its story once, and serve.")
def up(folder: pathlib.Path, database: str | None, demo: bool) -> None:
    """Start the platform and serve until interrupted."""
    asyncio.run(cli_running.up(Layout(folder), database, demo))


@click.command()
@database_option
@json_option
def demo(database: str | None, as_json: bool) -> None:
    """Play the demo's story on a fresh store and free ports, then stop."""

    def told(step: dict[str, Any]) -> None:
        if not as_json:
            click.echo(f"{'ok    ' if step['ok'] else 'FAILED'}  {step['name']}: {step['detail']}")

    report = asyncio.run(cli_running.demo(database, told))
    show(report, as_json, _demo_lines(report))


def _demo_lines(report: dict[str, Any]) -> list[str]:
    verdict = "The story ended well" if report["ok"] else "The story did not end well"
    verify = report["verify"]
    lines = [f"{verdict} in {report['seconds']} s. Trace {report['trace_id']}: {', '.join(report['trace_services'])}."]
    return [*lines, "Books balance, chains hold." if verify.get("ok") else "\n".join(verify.get("violations", []))]


@click.command()
@click.argument("login")
@folder_option
@json_option
def code(login: str, folder: pathlib.Path, as_json: bool) -> None:
    """Show a demo person's one-time code."""
    try:
        present = cli_running.one_time_code(Layout(folder), login)
    except LookupError as error:
        raise click.ClickException(error.args[0]) from error
    show({"ok": True, "login": login, "code": present}, as_json, [present])
