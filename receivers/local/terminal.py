"""Everything that is printed, made fit for a terminal.

What a service, a cluster, a journal or a file says may hold escape sequences, which move the cursor, hide text or
worse, and line breaks, behind which a line looks like one of ours. Nothing else in ``receivers`` prints.
"""

import logging
import os
import sys
from collections.abc import Iterable
from pathlib import Path

from receivers.local.errors import Unable

INDENT = "    "  # of what follows in a text from elsewhere: no line of ours begins so


class Unwritable(Unable):
    """Stdout takes no more, as on a full disk."""


def printable(text: str) -> str:
    """One line: whatever would not show as itself is spelled out, a line break as ``\\n``, ESC as ``\\x1b``."""
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else _spelled(each) for each in text)


def indented(text: str) -> str:
    """The same for a text of several lines: they stay lines, and all but the first are indented."""
    return f"\n{INDENT}".join(printable(line.rstrip("\r")) for line in text.split("\n"))


def show(lines: Iterable[str]) -> None:
    """Print lines to stdout, each as :func:`indented`. Raises :class:`Unwritable`; BrokenPipeError if nobody reads."""
    for line in lines:
        _write(f"{indented(line)}\n")
    _write("", flush=True)


def _write(text: str, *, flush: bool = False) -> None:
    try:
        print(text, end="", flush=flush)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise Unwritable(f"stdout cannot be written: {error.strerror}") from None


def open_streams() -> None:
    """Print to nowhere where the shell has closed stdout or stderr: Python has None in its place."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115 - as long as the process


def give_up() -> None:
    """Print to nowhere from here on, also what Python writes when it ends: what was refused already."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


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
