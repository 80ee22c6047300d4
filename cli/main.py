"""`aval`: the local platform's commands. Each takes --json; a person gets readable output with progress."""

import asyncio
import contextlib
import datetime
import json
import os
import pathlib
import sys
from collections.abc import Iterator
from typing import Any

import click

from chassis import private
from cli.layout import DEFAULT_FOLDER, CannotRun, Layout

folder_option = click.option(
    "--folder", type=click.Path(path_type=pathlib.Path), default=DEFAULT_FOLDER, show_default=True,
    help="Where the platform keeps its store, certificates and addresses.",
)  # fmt: skip
json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON document and nothing else.")
database_option = click.option("--database", help="A PostgreSQL database, postgresql://…; otherwise SQLite.")


def show(report: dict[str, Any], as_json: bool, lines: list[str]) -> None:
    """The report as JSON, or the lines for a person; exit status 1 where the report isn't ok."""
    click.echo(json.dumps(report, indent=2, ensure_ascii=False) if as_json else "\n".join(lines))
    if not report.get("ok", True):
        sys.exit(1)


class Commands(click.Group):
    """Says plainly why a platform can't run, whatever the command was."""

    def invoke(self, ctx: click.Context) -> Any:
        """Runs the command."""
        try:
            return super().invoke(ctx)
        except CannotRun as error:
            raise click.ClickException(str(error)) from error


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="aval")
def main() -> None:
    """Trade finance behind a single window: declared goods become money, once."""
    os.umask(private.UMASK)


@main.command()
@folder_option
@database_option
@click.option("--demo", is_flag=True, help="Load the demo's world, play its story once, and serve.")
def up(folder: pathlib.Path, database: str | None, demo: bool) -> None:
    """Start the platform and serve until interrupted."""
    from cli import running

    asyncio.run(running.up(Layout(folder), database, demo))


@main.command()
@database_option
@json_option
def demo(database: str | None, as_json: bool) -> None:
    """Play the demo's story on a fresh store and free ports, then stop."""
    from cli import running

    def told(step: dict[str, Any]) -> None:
        if not as_json:
            click.echo(f"{'ok    ' if step['ok'] else 'FAILED'}  {step['name']}: {step['detail']}")

    report = asyncio.run(running.demo(database, told))
    show(report, as_json, _demo_lines(report))


def _demo_lines(report: dict[str, Any]) -> list[str]:
    verdict = "The story ended well" if report["ok"] else "The story did not end well"
    verify = report["verify"]
    lines = [f"{verdict} in {report['seconds']} s. Trace {report['trace_id']}: {', '.join(report['trace_services'])}."]
    return [*lines, "Books balance, chains hold." if verify.get("ok") else "\n".join(verify.get("violations", []))]


@main.command()
@click.argument("login")
@folder_option
@json_option
def code(login: str, folder: pathlib.Path, as_json: bool) -> None:
    """Show a demo person's one-time code."""
    from cli import running

    try:
        present = running.one_time_code(Layout(folder), login)
    except LookupError as error:
        raise click.ClickException(error.args[0]) from error
    show({"ok": True, "login": login, "code": present}, as_json, [present])


@main.command("import")
@click.argument(
    "paths", metavar="FILE...", nargs=-1, required=True, type=click.Path(exists=True, path_type=pathlib.Path)
)
@click.option(
    "--mapping", "mappings", multiple=True, type=click.Path(exists=True, dir_okay=False, path_type=pathlib.Path),
    help="What the columns of tables and JSON Lines mean (docs/import-mapping.md); of several the first that fits.",
)  # fmt: skip
@click.option(
    "--resume/--restart", default=True, show_default=True,
    help="Go on where an import of the same files was cut off, or begin anew.",
)  # fmt: skip
@folder_option
@json_option
def import_(
    paths: tuple[pathlib.Path, ...],
    mappings: tuple[pathlib.Path, ...],
    resume: bool,
    folder: pathlib.Path,
    as_json: bool,
) -> None:
    """Import documents (.xml) and rows (.csv, .tsv, .xlsx, .jsonl), plain, .gz or in a .zip, from files and folders.

    The exit status is 0 when everything was read, whatever was refused, and 1 if a file couldn't be read whole.
    """
    from chassis.errors import DomainError
    from cli import importing
    from cli.importing import files, journal, mapping, progress

    meter = progress.Silent() if as_json else importing.Meter()
    try:
        report = asyncio.run(importing.import_files(Layout(folder), paths, mappings, resume, meter))
    except mapping.InvalidMapping as error:
        raise click.ClickException("\n".join(error.errors)) from error
    except (files.UnreadableFile, OSError) as error:
        raise click.ClickException(str(error)) from error
    except journal.UnderWay as error:
        raise click.ClickException("an import of these files is under way already") from error
    except DomainError as error:
        problems = [f"  {problem.path}: {problem.english}" for problem in error.problems]
        raise click.ClickException("\n".join([f"{error} The same command goes on from here.", *problems])) from error
    unread = [row["message"] for row in report["refused"] if row["rule"] in files.RULES]
    if unread and as_json:
        click.echo("\n".join(f"Error: {message}" for message in unread), err=True)
    counts = f"read {report['read']}, accepted {report['accepted']}, duplicates {report['duplicates']}"
    refused = [_refused_line(row) for row in report["refused"]]
    hint = ["Mend what was refused and import it again; `aval refused list` has what is kept of it."] if refused else []
    show(report, as_json, [*refused, f"{counts}, refused {report['refused_documents']}", *hint])


def _refused_line(row: dict[str, str]) -> str:
    told = ": ".join(filter(None, (row["path"], row["rule"], row["message"])))
    return f"{row['file']} {row['document']} {told}"


@main.group()
def refused() -> None:
    """List documents and rows that intake refused, take them out, send them again mended, or give them up."""


@contextlib.contextmanager
def _refusals() -> Iterator[None]:
    """Says what the service or a mapping has against it."""
    from chassis.errors import DomainError
    from cli.importing.files import UnreadableFile
    from cli.importing.mapping import InvalidMapping

    try:
        yield
    except DomainError as error:
        raise click.ClickException(str(error)) from error
    except (InvalidMapping, UnreadableFile, OSError) as error:
        raise click.ClickException(str(error)) from error


@refused.command("list")
@click.option("--state", type=click.Choice(["REFUSED", "MENDED", "DISCARDED"]), default="REFUSED", show_default=True)
@click.option("--reason", default="", help="Only those with a problem of this reason, such as NUMBER_INVALID.")
@click.option("--format", "form", default="", help="Only of this format, such as CEB603, CSV or declaration.")
@click.option("--most", type=int, default=50, show_default=True, help="The newest so many.")
@folder_option
@json_option
def list_refused(folder: pathlib.Path, as_json: bool, most: int, **wanted: str) -> None:
    """Show what was refused, the newest first, with what is wrong."""
    from cli import refusals

    with _refusals():
        found = asyncio.run(refusals.listed(Layout(folder), refusals.request_of(**wanted), most))
    show({"ok": True, "refused": found}, as_json, [line for one in found for line in refusals.lines(one)])


@refused.command("show")
@click.argument("name")
@click.option("--out", "path", type=click.Path(dir_okay=False, path_type=pathlib.Path), help="Write the content here.")
@folder_option
@json_option
def show_refused(name: str, path: pathlib.Path | None, folder: pathlib.Path, as_json: bool) -> None:
    """Show one with its content, to be mended."""
    from cli import refusals

    with _refusals():
        found, content = asyncio.run(refusals.found(Layout(folder), name))
        if path is not None:
            path.write_bytes(content)
    text = [f"written to {path}"] if path else [content.decode("utf-8", "replace").rstrip("\n")]
    show({"ok": True, **found}, as_json, [*refusals.lines(found), *text])


@refused.command("resend")
@click.argument("name")
@click.argument("file", required=False, type=click.Path(exists=True, dir_okay=False, path_type=pathlib.Path))
@click.option(
    "--mapping", "mappings", multiple=True, type=click.Path(exists=True, dir_okay=False, path_type=pathlib.Path),
    help="What the columns of FILE mean, where it is CSV or JSON Lines.",
)  # fmt: skip
@folder_option
@json_option
def resend_refused(
    name: str, file: pathlib.Path | None, mappings: tuple[pathlib.Path, ...], folder: pathlib.Path, as_json: bool
) -> None:
    """Send NAME again: mended, as FILE has it, or as it was. The exit status is 1 while it stays refused."""
    from cli import refusals

    with _refusals():
        content = refusals.mended(file, mappings) if file else b""
        found = asyncio.run(refusals.resend(Layout(folder), name, content))
    show({"ok": found["state"] != "REFUSED", **found}, as_json, refusals.lines(found))


@refused.command("discard")
@click.argument("names", metavar="NAME...", nargs=-1, required=True)
@folder_option
@json_option
def discard_refused(names: tuple[str, ...], folder: pathlib.Path, as_json: bool) -> None:
    """Give refused documents and rows up: their content is forgotten."""
    from cli import refusals

    with _refusals():
        found = asyncio.run(refusals.discard(Layout(folder), names))
    show({"ok": True, "discarded": found}, as_json, [line for one in found for line in refusals.lines(one)])


@main.command()
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
    from chassis.status import RemoteError
    from cli import exporting

    def progress(declarations: int) -> None:
        if not as_json and sys.stderr.isatty():
            click.echo(f"\r{declarations} declarations", nl=False, err=True)

    request = exporting.request_of(**wanted)
    try:
        form = form or exporting.form_of(path)
        report = asyncio.run(exporting.export(Layout(folder), path, form, request, progress, bom, language))
    except (RemoteError, exporting.UnknownEnding) as refusal:
        raise click.ClickException(str(refusal)) from refusal
    show(report, as_json, [f"{report['declarations']} declarations, {report['lines']} lines in {path}"])


@main.command()
@folder_option
@database_option
@json_option
def rebuild(folder: pathlib.Path, database: str | None, as_json: bool) -> None:
    """Count totals, norms and findings anew from the log; regulators then begin their feed anew."""
    from cli import rebuilding, verification

    def progress(position: int) -> None:
        if not as_json and sys.stderr.isatty():
            click.echo(f"\revent {position}", nl=False, err=True)

    address = database or Layout(folder).database_in_use()
    if verification.is_empty(address):
        raise click.ClickException(f"there is no platform's store at {address}")
    report = rebuilding.rebuild(address, progress)
    told = f"{report['declarations']} declarations and {report['lists']} lists counted, of {report['events']} events"
    show(report, as_json, [told])


@main.command()
@folder_option
@database_option
@json_option
def verify(folder: pathlib.Path, database: str | None, as_json: bool) -> None:
    """Prove balances, hash chains, dense events, owed tasks and blobs from the rows alone."""
    from cli import verification

    address = _store_in_use(folder, database)
    layout = Layout(folder)
    report = verification.verify(address, is_whole=layout.was_up(), rings=layout.keys)
    show(report, as_json, _verify_lines(report))


def _verify_lines(report: dict[str, Any]) -> list[str]:
    lines = [f"{b['service']:18} {b['book']:16} {b['currency']} {b['debits']:>18,}" for b in report["books"]]
    events = ", ".join(f"{service} {count}" for service, count in report["events"].items())
    verdict = ["All hold."] if report["ok"] else report["violations"]
    lines += [f"blobs of {service}: not opened, without its key ring" for service in report["unopened_blobs"]]
    lines += [f"parked: {p['service']}: {p['resource']} {p['step']}: {p['why']}" for p in report["parked"]]
    return [*lines, f"events: {events}", f"chains hold: {'yes' if report['chains_ok'] else 'NO'}", *verdict]


@main.command("owed")
@click.option("--retry", "resource", help="Make this resource's parked calls again, such as loans/loan-….")
@folder_option
@database_option
@json_option
def list_owed(resource: str | None, folder: pathlib.Path, database: str | None, as_json: bool) -> None:
    """List the calls that services owe each other: parked, late, owed or waiting for their time, and why."""
    from chassis.clock import SystemClock
    from cli import owed

    address, now_us = _store_in_use(folder, database), SystemClock().now_us()
    if resource is None:
        report = owed.report(address, now_us)
        show(report, as_json, list(owed.lines(report)))
        return
    try:
        retried = owed.retry(address, resource, now_us)
    except owed.NothingParked as error:
        raise click.ClickException(str(error)) from error
    show(retried, as_json, [f"{retried['retried']} calls of {resource} are made again"])


@main.group()
def date() -> None:
    """Show the platform's business date, or close it and all before a day."""


@date.command("show")
@folder_option
@database_option
@json_option
def show_date(folder: pathlib.Path, database: str | None, as_json: bool) -> None:
    """Show the business date on which money counts today."""
    from cli import dates

    present = dates.show(_store_in_use(folder, database))
    show(dates.report(present), as_json, [present.isoformat()])


@date.command("close")
@click.option(
    "--until", required=True, type=click.DateTime(["%Y-%m-%d"]), help="The business date to open, not before today's."
)
@folder_option
@database_option
@json_option
def close_date(until: datetime.datetime, folder: pathlib.Path, database: str | None, as_json: bool) -> None:
    """Close every business date before a day, also while the platform runs."""
    from chassis.business_date import DateNotAhead
    from cli import dates

    try:
        present = dates.close(_store_in_use(folder, database), until.date())
    except DateNotAhead as error:
        raise click.ClickException(str(error)) from error
    show(dates.report(present), as_json, [present.isoformat()])


def _store_in_use(folder: pathlib.Path, database: str | None) -> str:
    """The address of a platform's store. Raises ClickException where nothing ever ran on it."""
    from cli import verification

    address = database or Layout(folder).database_in_use()
    if verification.is_empty(address):
        raise click.ClickException(f"there is no platform's store at {address}")
    return address


@main.command()
@folder_option
@json_option
@click.argument("names", nargs=-1)
def ca(folder: pathlib.Path, as_json: bool, names: tuple[str, ...]) -> None:
    """Make the development authority, and a certificate for each NAME, such as banks/LMHFCNB0/lmhf.system."""
    from cli.supervisor import prepare_certificates

    authority = prepare_certificates(Layout(folder))
    for name in names:
        authority.issue(name)
    files = {name: str(authority.folder / name.replace("/", "_")) for name in names}
    report = {"ok": True, "authority": str(authority.folder / "ca.crt"), "certificates": files}
    show(report, as_json, [f"authority: {report['authority']}", *(f"{n}: {f}.crt, {f}.key" for n, f in files.items())])


@main.group()
def keys() -> None:
    """List the key rings of the services and the gateway, rotate them, retire old keys."""


def ring_options(command: Any) -> Any:
    """The options that say which rings."""
    services = click.option("--service", "services", multiple=True, help="Only this service's; repeatable.")
    ring = click.option(
        "--ring", type=click.Path(path_type=pathlib.Path), help="The ring's file, for one --service; else the folder's."
    )
    return folder_option(database_option(services(ring(json_option(command)))))


@contextlib.contextmanager
def _rings(
    folder: pathlib.Path, database: str | None, services: tuple[str, ...], ring: pathlib.Path | None
) -> Iterator[Any]:
    from cli import keys as rings

    if ring and len(services) != 1:
        raise click.UsageError("--ring needs one --service")
    try:
        with rings.opened(Layout(folder), database, services, ring) as opened:
            yield opened
    except rings.NoRing as error:
        raise click.ClickException(str(error)) from error


@keys.command("list")
@ring_options
def list_keys(as_json: bool, **which: Any) -> None:
    """Show each ring's keys, and how many rows each seals."""
    from cli import keys as rings

    with _rings(**which) as opened:
        found = [rings.listed(ring) for ring in opened]
    lines = [_key_line(one["service"], key) for one in found for key in one["keys"]]
    show({"ok": True, "services": found}, as_json, lines)


def _key_line(service: str, key: dict[str, Any]) -> str:
    return f"{service:18} {key['id']}  {key['create_time']}  {key['rows']:>12,} rows  {key['use']}"


@keys.command("prepare")
@ring_options
def prepare_key(as_json: bool, **which: Any) -> None:
    """Put each ring's next key into it without using it, to hand the rings out before they are rotated."""
    from cli import keys as rings

    with _rings(**which) as opened:
        prepared = [{"service": ring.owner, "next": rings.prepare(ring)} for ring in opened]
    lines = [f"{one['service']}: {one['next']} comes next" for one in prepared]
    show({"ok": True, "services": prepared}, as_json, lines)


@keys.command()
@ring_options
@click.option("--retire", is_flag=True, help="Afterwards take the old keys out of the ring.")
def rotate(as_json: bool, retire: bool, **which: Any) -> None:
    """Add a key to each ring and seal every row anew with it; interrupted, run it again."""
    from cli import keys as rings

    def progress(service: str, done: int, total: int) -> None:
        if not as_json and sys.stderr.isatty():
            click.echo(f"\r{service}: {done} of {total} rows", nl=False, err=True)

    with _rings(**which) as opened:
        rotated = [rings.rotate(ring, progress) for ring in opened]
        for ring, one in zip(opened, rotated, strict=True):
            one["retired"] = rings.retire(ring) if retire else []
    show({"ok": True, "services": rotated}, as_json, [_rotated_line(one) for one in rotated])


@keys.command("retire")
@ring_options
def retire_keys(as_json: bool, **which: Any) -> None:
    """Take the old keys out of each ring that no row uses any more."""
    from cli import keys as rings

    with _rings(**which) as opened:
        retired = [{"service": ring.owner, "retired": rings.retire(ring)} for ring in opened]
    lines = [f"{one['service']}: retired {', '.join(one['retired']) or 'none'}" for one in retired]
    show({"ok": True, "services": retired}, as_json, lines)


def _rotated_line(one: dict[str, Any]) -> str:
    begun = "a new key" if one["added"] else "the rotation that was begun goes on: key"
    retired = f", retired {', '.join(one['retired'])}" if one["retired"] else ""
    return f"{one['service']}: {begun} {one['current']}, {one['resealed']:,} rows sealed anew{retired}"


@main.group()
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
    from chassis.clock import SystemClock
    from chassis.status import RemoteError
    from cli import sandbox as making

    try:
        wanted, now_us = making.goods(**picked), SystemClock().now_us()
        report = asyncio.run(making.make(Layout(folder), wanted, financed_until or "", now_us))
    except (RemoteError, making.CannotDeclare) as refusal:
        raise click.ClickException(str(refusal)) from refusal
    line = "{declaration}: {status}, {currency} {amount}, {enterprise} to {buyer}"
    made = [report[name] for name in ("application", "loan") if report.get(name)]
    show(report, as_json, [line.format(**report), *made])


@main.command()
@click.option("--seed", type=int, default=1, show_default=True)
@click.option("--steps", type=int, default=20000, show_default=True)
@json_option
def simulate(seed: int, steps: int, as_json: bool) -> None:
    """Play random commerce in virtual time, with lost replies, duplicates and crashes; check every invariant."""
    from cli.simulation import world

    def progress(step: int) -> None:
        if not as_json and sys.stderr.isatty():
            click.echo(f"\rstep {step} of {steps}", nl=False, err=True)

    report = world.simulate(seed, steps, progress)
    found = [f"step {one['step']}: {one['invariant']}: {one['detail']}" for one in report["violations"]]
    lines = [f"seed {seed}, {report['steps']} steps, {len(found)} violations", *found]
    show(report, as_json, lines)


@main.command()
@click.argument("name", default="all")
@json_option
@click.option("--seconds", type=float, default=3.0, show_default=True, help="How long each figure is measured.")
@click.option("--rows", type=int, default=10_000_000, show_default=True, help="How far a growing store is filled.")
def bench(name: str, as_json: bool, seconds: float, rows: int) -> None:
    """Measure: NAME is one of the benchmarks, or all."""
    from bench import runner
    from bench.rows import Scale, line

    def told(row: dict[str, Any]) -> None:
        if not as_json:
            click.echo(line(row))

    report = runner.run(name, Scale(seconds, rows), told)
    if as_json:
        show(report, as_json, [])


if __name__ == "__main__":
    main()
