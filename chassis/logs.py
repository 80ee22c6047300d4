"""The log of a process: one record begins one line, whatever a stranger's text in it holds."""

import logging
import re

# Controls of ASCII and Latin-1, separators of lines and paragraphs, and what turns the direction of text.
UNSAFE = re.compile("[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
INDENT = "    "


def escaped(text: str) -> str:
    """The text on one line, what could break or hide a line written out.

    For example "a\\nb" becomes "a\\\\nb", and an escape character "\\\\x1b".
    """
    return UNSAFE.sub(lambda found: found[0].encode("unicode_escape", "surrogatepass").decode(), text)


class OneLine(logging.Formatter):
    """Escapes the message; the lines of an exception are indented, so that none of them looks like a record."""

    def format(self, record: logging.LogRecord) -> str:
        """Returns the record as text."""
        first = logging.LogRecord(
            record.name, record.levelno, record.pathname, record.lineno, escaped(record.getMessage()), None, None
        )
        first.created, first.msecs = record.created, record.msecs
        lines = [super().format(first)]
        if record.exc_info:
            lines += [INDENT + escaped(line) for line in self.formatException(record.exc_info).split("\n")]
        return "\n".join(lines)


def start(process: str) -> None:
    """Writes warnings and errors of this process to standard error."""
    handler = logging.StreamHandler()
    handler.setFormatter(OneLine(f"%(asctime)s {process} %(levelname)s %(message)s"))
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
