"""Importing documents and rows, and mending what was refused of them."""

import asyncio
import contextlib
import pathlib
from collections.abc import Iterator

import click

from chassis.errors import DomainError
from cli import importing as cli_importing
from cli import refusals as cli_refusals
from cli.importing import files as importing_files
from cli.importing import journal as importing_journal
from cli.importing import mapping as importing_mapping
from cli.importing import progress as importing_progress
from cli.importing.files import UnreadableFile
from cli.importing.mapping import InvalidMapping
from cli.layout import Layout
from cli.options import folder_option, json_option, show


@click.command("import")
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
    meter = importing_progress.Silent() if as_json else cli_importing.Meter()
    try:
        report = asyncio.run(cli_importing.import_files(Layout(folder), paths, mappings, resume, meter))
    except importing_mapping.InvalidMapping as error:
        raise click.ClickException("\n".join(error.errors)) from error
    except (importing_files.UnreadableFile, OSError) as error:
        raise click.ClickException(str(error)) from error
    except importing_journal.UnderWay as error:
        raise click.ClickException("an import of these files is under way already") from error
    except DomainError as error:
        problems = [f"  {problem.path}: {problem.english}" for problem in error.problems]
        raise click.ClickException("\n".join([f"{error} The same command goes on from here.", *problems])) from error
    unread = [row["message"] for row in report["refused"] if row["rule"] in importing_files.RULES]
    if unread and as_json:
        click.echo("\n".join(f"Error: {message}" for message in unread), err=True)
    counts = f"read {report['read']}, accepted {report['accepted']}, duplicates {report['duplicates']}"
    refused = [_refused_line(row) for row in report["refused"]]
    hint = ["Mend what was refused and import it again; `aval refused list` has what is kept of it."] if refused else []
    show(report, as_json, [*refused, f"{counts}, refused {report['refused_documents']}", *hint])


def _refused_line(row: dict[str, str]) -> str:
    told = ": ".join(filter(None, (row["path"], row["rule"], row["message"])))
    return f"{row['file']} {row['document']} {told}"


@click.group()
def refused() -> None:
    """List documents and rows that intake refused, take them out, send them again mended, or give them up."""


@contextlib.contextmanager
def _refusals() -> Iterator[None]:
    """Says what the service or a mapping has against it."""
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
    with _refusals():
        documents = asyncio.run(cli_refusals.listed(Layout(folder), cli_refusals.request_of(**wanted), most))
    show(
        {"ok": True, "refused": documents}, as_json, [line for entry in documents for line in cli_refusals.lines(entry)]
    )


@refused.command("show")
@click.argument("name")
@click.option("--out", "path", type=click.Path(dir_okay=False, path_type=pathlib.Path), help="Write the content here.")
@folder_option
@json_option
def show_refused(name: str, path: pathlib.Path | None, folder: pathlib.Path, as_json: bool) -> None:
    """Show one with its content, to be mended."""
    with _refusals():
        document, content = asyncio.run(cli_refusals.load(Layout(folder), name))
        if path is not None:
            path.write_bytes(content)
    text = [f"written to {path}"] if path else [content.decode("utf-8", "replace").rstrip("\n")]
    show({"ok": True, **document}, as_json, [*cli_refusals.lines(document), *text])


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
    with _refusals():
        content = cli_refusals.mended(file, mappings) if file else b""
        document = asyncio.run(cli_refusals.resend(Layout(folder), name, content))
    show({"ok": document["state"] != "REFUSED", **document}, as_json, cli_refusals.lines(document))


@refused.command("discard")
@click.argument("names", metavar="NAME...", nargs=-1, required=True)
@folder_option
@json_option
def discard_refused(names: tuple[str, ...], folder: pathlib.Path, as_json: bool) -> None:
    """Give refused documents and rows up: their content is forgotten."""
    with _refusals():
        documents = asyncio.run(cli_refusals.discard(Layout(folder), names))
    show(
        {"ok": True, "discarded": documents},
        as_json,
        [line for entry in documents for line in cli_refusals.lines(entry)],
    )
