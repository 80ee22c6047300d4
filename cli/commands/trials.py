"""Trying and measuring: the sandbox, the simulation, the benchmarks."""

import asyncio
import pathlib
import sys
from typing import Any

import click

from bench import runner
from bench.rows import Scale, line
from chassis.clock import SystemClock
from chassis.status import RemoteError
from cli import sandbox as cli_sandbox
from cli.layout import Layout
from cli.options import folder_option, json_option, show
from cli.simulation import world


@click.group()
def sandbox() -> None:
    """Make what an integrator tries the platform with, on a demo that runs."""


@sandbox.command("declaration")
@click.option("--exporter", "login", default="", help="Whose: a login of the demo; otherwise the story's exporter.")
@click.option("--enterprise", default="", help="Whose: enterprises/{social credit code} of the demo.")
@click.option("--amount", default="100000.00", show_default=True, help="The declared value, in major units.")
@click.option("--currency", default="", help="ISO 4217; otherwise that of the exporter's policy.")
@click.option("--buyer", default="", help="A buyer of the demo; otherwise the first with a buyer limit.")
@click.option(
    "--financed-until", type=click.Choice(["COVERED", "OFFERED", "AGREED", "ACTIVE"]), default=None,
    help="Insure and finance it too, as the story does, until this state; for the story's exporter and buyer.",
)  # fmt: skip
@folder_option
@json_option
def sandbox_declaration(folder: pathlib.Path, as_json: bool, financed_until: str | None, **picked: str) -> None:
    """Declare goods under a new number and let customs close them, so that they can be insured and financed."""
    try:
        wanted, now_us = cli_sandbox.goods(**picked), SystemClock().now_us()
        report = asyncio.run(cli_sandbox.make(Layout(folder), wanted, financed_until or "", now_us))
    except (RemoteError, cli_sandbox.CannotDeclare) as refusal:
        raise click.ClickException(str(refusal)) from refusal
    line = "{declaration}: {status}, {currency} {amount}, {enterprise} to {buyer}"
    made = [report[name] for name in ("application", "loan") if report.get(name)]
    show(report, as_json, [line.format(**report), *made])


@click.command()
@click.option("--seed", type=int, default=1, show_default=True)
@click.option("--steps", type=int, default=20000, show_default=True)
@json_option
def simulate(seed: int, steps: int, as_json: bool) -> None:
    """Play random commerce in virtual time, with lost replies, duplicates and crashes; check every invariant."""

    def progress(step: int) -> None:
        if not as_json and sys.stderr.isatty():
            click.echo(f"\rstep {step} of {steps}", nl=False, err=True)

    report = world.simulate(seed, steps, progress)
    lines_of_violations = [
        f"step {entry['step']}: {entry['invariant']}: {entry['detail']}" for entry in report["violations"]
    ]
    lines = [f"seed {seed}, {report['steps']} steps, {len(lines_of_violations)} violations", *lines_of_violations]
    show(report, as_json, lines)


@click.command()
@click.argument("name", default="all")
@json_option
@click.option("--seconds", type=float, default=3.0, show_default=True, help="How long each figure is measured.")
@click.option("--rows", type=int, default=10_000_000, show_default=True, help="How far a growing store is filled.")
def bench(name: str, as_json: bool, seconds: float, rows: int) -> None:
    """Measure: NAME is one of the benchmarks, or all."""

    def told(row: dict[str, Any]) -> None:
        if not as_json:
            click.echo(line(row))

    report = runner.run(name, Scale(seconds, rows), told)
    if as_json:
        show(report, as_json, [])
