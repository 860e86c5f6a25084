"""Regular expressions that users write. They are RE2, as in Go, so matching takes time linear in the text.

Python's own ``re`` would accept other expressions, read some differently, and could be made to run for hours.
"""

import re
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Protocol

import re2

from receivers.text import well_formed

# Go refuses \C, which matches one byte of a character; RE2 does not. What stands between \Q and \E is literal.
_ESCAPED = re.compile(r"\\Q.*?(?:\\E|\Z)|\\(.)", re.DOTALL)


class InvalidPattern(ValueError):
    """Not a regular expression that Go accepts. The message says why."""


class _Compiled(Protocol):
    def search(self, text: bytes) -> object: ...


@dataclass(frozen=True, slots=True)
class Pattern:
    """A compiled regular expression. Make one with :func:`compile`."""

    text: str
    _compiled: _Compiled = field(repr=False, compare=False)

    def search(self, text: str) -> bool:
        """Whether it matches anywhere in a text."""
        return self._compiled.search(_encoded(text)) is not None


@lru_cache(maxsize=4096)  # a compiled expression takes 2 to 3 KB; most Warehouses of a cluster share a few
def compile(pattern: str) -> Pattern:  # noqa: A001 - named as in re and re2
    """Compile a regular expression. Equal texts share one object.

    Raises:
        InvalidPattern: with RE2's message.
    """
    if "C" in _ESCAPED.findall(pattern):
        raise InvalidPattern(r"invalid escape sequence: \C")
    options = re2.Options()
    options.log_errors = False  # else RE2 writes to stderr
    try:
        compiled = re2.compile(_encoded(pattern), options)
    except re2.error as error:
        raise InvalidPattern(_message(error)) from None
    if not all(name.isascii() for name in compiled.groupindex):
        raise InvalidPattern("invalid capture group name: not ASCII")
    return Pattern(pattern, compiled)


def _message(error: Exception) -> str:
    reason = error.args[0]
    return reason.decode(errors="replace") if isinstance(reason, bytes) else str(reason)


def _encoded(text: str) -> bytes:
    return well_formed(text).encode()
