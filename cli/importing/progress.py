"""How far an import is: one line that is written over on a terminal, a plain line now and then elsewhere."""

import sys
import time
from dataclasses import dataclass, field

import click

from cli.importing.report import Counts

TERMINAL_SECONDS = 0.2
PLAIN_SECONDS = 5.0


def line(counts: Counts, position: int, size: int, seconds: float, since: int = 0) -> str:
    """Returns the line: counts, rate, part of the bytes and the time left; `since` was read before these seconds."""
    rate = (counts.read - since) / seconds if seconds else 0.0
    part = min(position / size, 1.0) if size else 1.0
    parts = [f"{counts.read:,} read", f"{counts.refused_documents:,} refused", f"{rate:,.0f}/s", f"{part:.0%}"]
    if 0 < part < 1:
        left = round(seconds * (1 - part) / part)
        parts.append(f"{left // 60}:{left % 60:02} left")
    return ", ".join(parts)


@dataclass(slots=True)
class Meter:
    """Tells a person of the progress; on the error output, so that the report stays alone on the other."""

    size: int = 0
    position: int = 0
    since: int = 0
    started: float = field(default_factory=time.monotonic)
    told: float = field(default_factory=time.monotonic)
    has_line: bool = False

    def advance(self, counts: Counts, position: int) -> None:
        """Notes that so many bytes more were read and answered."""
        self.position += position
        now = time.monotonic()
        is_terminal = sys.stderr.isatty()
        if now - self.told < (TERMINAL_SECONDS if is_terminal else PLAIN_SECONDS):
            return
        self.told, self.has_line = now, is_terminal
        text = line(counts, self.position, self.size, now - self.started, self.since)
        click.echo(f"\r\x1b[K{text}" if is_terminal else text, nl=not is_terminal, err=True)

    def end(self) -> None:
        """Leaves the terminal's line."""
        if self.has_line:
            click.echo("", err=True)


class Silent(Meter):
    """Tells nobody."""

    def advance(self, counts: Counts, position: int) -> None:
        """Tells nothing."""
