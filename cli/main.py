"""`aval`: the local platform's commands. Each takes --json; a person gets readable output with progress."""

import ast
import importlib
import os
import pathlib
from collections.abc import Mapping
from typing import Any

import click

from chassis import private
from cli.layout import CannotRun

# By name: the module and the command in it. A module is loaded when its command is called, or help lists them all.
COMMANDS: Mapping[str, tuple[str, str]] = {
    "up": ("platform", "up"),
    "demo": ("platform", "demo"),
    "code": ("platform", "code"),
    "import": ("intake", "import_"),
    "refused": ("intake", "refused"),
    "export": ("export", "export"),
    "rebuild": ("proofs", "rebuild"),
    "verify": ("proofs", "verify"),
    "explain": ("proofs", "explain"),
    "owed": ("proofs", "list_owed"),
    "date": ("dates", "date"),
    "data": ("data", "data"),
    "ca": ("keys", "ca"),
    "keys": ("keys", "keys"),
    "sandbox": ("trials", "sandbox"),
    "simulate": ("trials", "simulate"),
    "bench": ("trials", "bench"),
}


class Commands(click.Group):
    """Loads a command when it is called, and says plainly why a platform can't run, whatever the command was."""

    def list_commands(self, _ctx: click.Context) -> list[str]:
        """Returns the names of all commands, in the order of their table."""
        return list(COMMANDS)

    def get_command(self, _ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Returns the command of a name; None where there is none."""
        if cmd_name not in COMMANDS:
            return None
        module, attribute = COMMANDS[cmd_name]
        command: click.Command = getattr(importlib.import_module(f"cli.commands.{module}"), attribute)
        return command

    def format_commands(self, _ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Writes the commands and the first sentence of each one's docstring, without loading any."""
        width = formatter.width - 6 - max(map(len, COMMANDS))
        told = {name: click.Command(name, help=_docstring(*place)) for name, place in COMMANDS.items()}
        rows = [(name, command.get_short_help_str(width)) for name, command in told.items()]
        with formatter.section("Commands"):
            formatter.write_dl(rows)

    def invoke(self, ctx: click.Context) -> Any:
        """Runs the command. Raises ClickException where the platform can't run."""
        try:
            return super().invoke(ctx)
        except CannotRun as error:
            raise click.ClickException(str(error)) from error


def _docstring(module: str, attribute: str) -> str:
    """Returns the docstring of a command as its file has it."""
    text = pathlib.Path(__file__).with_name("commands").joinpath(f"{module}.py").read_text("utf-8")
    functions = {node.name: node for node in ast.parse(text).body if isinstance(node, ast.FunctionDef)}
    return ast.get_docstring(functions[attribute]) or ""


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="aval")
def main() -> None:
    """Trade finance behind a single window: declared goods become money, once."""
    os.umask(private.UMASK)


if __name__ == "__main__":
    main()
