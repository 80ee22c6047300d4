"""The store that a command works on."""

import pathlib

import click

from cli import verification as cli_verification
from cli.layout import Layout


def store_in_use(folder: pathlib.Path, database: str | None) -> str:
    """Returns the address of a platform's store. Raises ClickException where nothing ever ran on it."""
    address = database or Layout(folder).database_in_use()
    if cli_verification.is_empty(address):
        raise click.ClickException(f"there is no platform's store at {address}")
    return address
