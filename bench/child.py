"""A process that reads what to do from standard input and writes what became of it to standard output, both JSON."""

import sys
from collections.abc import Callable, Coroutine
from typing import Any

import msgspec
import uvloop


def main[Orders](kind: type[Orders], carry_out: Callable[[Orders], Coroutine[Any, Any, object]]) -> None:
    """Read orders of this kind, carry them out, write the result."""
    result = uvloop.run(carry_out(msgspec.json.decode(sys.stdin.buffer.read(), type=kind)))
    with open(sys.stdout.fileno(), "wb", closefd=False) as output:  # sys.stdout itself may be unbuffered and write less
        output.write(msgspec.json.encode(result))
