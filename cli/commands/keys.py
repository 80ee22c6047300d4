"""Certificates and key rings."""

import contextlib
import pathlib
import sys
from collections.abc import Iterator
from typing import Any

import click

from cli import keys as cli_keys
from cli.layout import Layout
from cli.options import database_option, folder_option, json_option, show
from cli.supervisor import prepare_certificates


@click.command()
@folder_option
@json_option
@click.argument("names", nargs=-1)
def ca(folder: pathlib.Path, as_json: bool, names: tuple[str, ...]) -> None:
    """Make the development authority, and a certificate for each NAME, such as banks/LMHFCNB0/lmhf.system."""
    authority = prepare_certificates(Layout(folder))
    for name in names:
        authority.issue(name)
    files = {name: str(authority.folder / name.replace("/", "_")) for name in names}
    report = {"ok": True, "authority": str(authority.folder / "ca.crt"), "certificates": files}
    show(report, as_json, [f"authority: {report['authority']}", *(f"{n}: {f}.crt, {f}.key" for n, f in files.items())])


@click.group()
def keys() -> None:
    """List the key rings of the services and the gateway, rotate them, retire old keys."""


def ring_options(command: Any) -> Any:
    """Adds the options that say which rings."""
    services = click.option("--service", "services", multiple=True, help="Only this service's; repeatable.")
    ring = click.option(
        "--ring", type=click.Path(path_type=pathlib.Path), help="The ring's file, for one --service; else the folder's."
    )
    return folder_option(database_option(services(ring(json_option(command)))))


@contextlib.contextmanager
def _rings(
    folder: pathlib.Path, database: str | None, services: tuple[str, ...], ring: pathlib.Path | None
) -> Iterator[Any]:

    if ring and len(services) != 1:
        raise click.UsageError("--ring needs one --service")
    try:
        with cli_keys.opened(Layout(folder), database, services, ring) as opened:
            yield opened
    except cli_keys.NoRing as error:
        raise click.ClickException(str(error)) from error


@keys.command("list")
@ring_options
def list_keys(as_json: bool, **which: Any) -> None:
    """Show each ring's keys, and how many rows each seals."""
    with _rings(**which) as opened:
        rings = [cli_keys.listed(ring) for ring in opened]
    lines = [_key_line(entry["service"], key) for entry in rings for key in entry["keys"]]
    show({"ok": True, "services": rings}, as_json, lines)


def _key_line(service: str, key: dict[str, Any]) -> str:
    return f"{service:18} {key['id']}  {key['create_time']}  {key['rows']:>12,} rows  {key['use']}"


@keys.command("prepare")
@ring_options
def prepare_key(as_json: bool, **which: Any) -> None:
    """Put each ring's next key into it without using it, to hand the rings out before they are rotated."""
    with _rings(**which) as opened:
        prepared = [{"service": ring.owner, "next": cli_keys.prepare(ring)} for ring in opened]
    lines = [f"{entry['service']}: {entry['next']} comes next" for entry in prepared]
    show({"ok": True, "services": prepared}, as_json, lines)


@keys.command()
@ring_options
@click.option("--retire", is_flag=True, help="Afterwards take the old keys out of the ring.")
def rotate(as_json: bool, retire: bool, **which: Any) -> None:
    """Add a key to each ring and seal every row anew with it; interrupted, run it again."""

    def progress(service: str, done: int, total: int) -> None:
        if not as_json and sys.stderr.isatty():
            click.echo(f"\r{service}: {done} of {total} rows", nl=False, err=True)

    with _rings(**which) as opened:
        rotated = [cli_keys.rotate(ring, progress) for ring in opened]
        for ring, entry in zip(opened, rotated, strict=True):
            entry["retired"] = cli_keys.retire(ring) if retire else []
    show({"ok": True, "services": rotated}, as_json, [_rotated_line(row) for row in rotated])


@keys.command("retire")
@ring_options
def retire_keys(as_json: bool, **which: Any) -> None:
    """Take the old keys out of each ring that no row uses any more."""
    with _rings(**which) as opened:
        retired = [{"service": ring.owner, "retired": cli_keys.retire(ring)} for ring in opened]
    lines = [f"{entry['service']}: retired {', '.join(entry['retired']) or 'none'}" for entry in retired]
    show({"ok": True, "services": retired}, as_json, lines)


def _rotated_line(entry: dict[str, Any]) -> str:
    begun = "a new key" if entry["added"] else "the rotation that was begun goes on: key"
    retired = f", retired {', '.join(entry['retired'])}" if entry["retired"] else ""
    return f"{entry['service']}: {begun} {entry['current']}, {entry['resealed']:,} rows sealed anew{retired}"
