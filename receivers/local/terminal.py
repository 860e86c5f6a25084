"""Everything that is printed, made fit for a terminal.

What a service, a cluster, a journal or a file says may hold escape sequences, which move the cursor, hide text or
worse, and line breaks, behind which a line looks like one of ours. Nothing else in ``receivers`` prints.
"""

import logging
import sys
from collections.abc import Iterable

INDENT = "    "  # of what follows in a text from elsewhere: no line of ours begins so


def printable(text: str) -> str:
    """One line: whatever would not show as itself is spelled out, a line break as ``\\n``, ESC as ``\\x1b``."""
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else _spelled(each) for each in text)


def indented(text: str) -> str:
    """The same for a text of several lines: they stay lines, and all but the first are indented."""
    return f"\n{INDENT}".join(printable(line.rstrip("\r")) for line in text.split("\n"))


def show(lines: Iterable[str]) -> None:
    """Print lines to stdout, each as :func:`indented`."""
    for line in lines:
        print(indented(line))
    sys.stdout.flush()


def complain(text: str) -> None:
    """Print to stderr, as :func:`indented`."""
    print(indented(text), file=sys.stderr, flush=True)


class Formatter(logging.Formatter):
    """Writes records as :func:`indented`."""

    def format(self, record: logging.LogRecord) -> str:
        return indented(super().format(record))


class LinesFormatter(logging.Formatter):
    """The same for lines of ours, of which none is indented. What is from elsewhere in them is one line already."""

    def format(self, record: logging.LogRecord) -> str:
        return "\n".join(map(printable, super().format(record).split("\n")))


def _spelled(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")
