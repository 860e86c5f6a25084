"""What a command prints on stdout."""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from receivers.local import terminal


def show(form: str, *, lines: Iterable[str], document: Any) -> None:  # noqa: ANN401 - any JSON
    """Print the lines; or one JSON document, when ``form`` is ``json``."""
    if form == "json":
        terminal.show(encoded(document, indent=2).split("\n"))
    else:
        terminal.show(lines)


def encoded(document: Any, *, indent: int | None = None) -> str:  # noqa: ANN401 - any JSON
    """JSON that a terminal can show: everything but ASCII is escaped, and so is DEL, which is ASCII."""
    return json.dumps(document, indent=indent).replace("\x7f", "\\u007f")


def columns(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Lines with the cells of each row below those of the one before."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def declined(command: str, why: Exception) -> int:
    """Say on stderr why a service did not do as asked. Returns the exit code."""
    terminal.complain(f"kargo-receivers {command}: {why}")
    return 1


def understood(command: str, ask: Callable[[], int]) -> int:
    """What ``ask`` returns, which reads a service's answer: that may be anything. What is odd is told, as code 1."""
    try:
        return ask()
    except (KeyError, IndexError, TypeError, AttributeError, ValueError):
        return declined(command, ValueError("the answer cannot be understood: is the service of another version?"))
