"""Regular expressions that users write. They are RE2, as in Go, so matching takes time linear in the text.

Python's own ``re`` would accept other expressions, read some differently, and could be made to run for hours. Linear
time alone is not enough, though: a short expression may stand for a large program, so that is bounded too.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple, Protocol

import re2

from receivers import limits
from receivers.kargo.effort import Effort, TooMuch
from receivers.text import well_formed

# Go refuses \C, which matches one byte of a character; RE2 does not. What stands between \Q and \E is literal.
_ESCAPED = re.compile(r"\\Q.*?(?:\\E|\Z)|\\(.)", re.DOTALL)
_UNICODE_CLASS = re.compile(r"\\[pP]")
# RE2's messages that are no word against the expression
_TOO_LARGE = b"pattern too large"
_UNKNOWN_CLASS = (b"invalid character class range: \\p", b"invalid character class range: \\P")

# Units of effort, measured
_EXAMINATION = 50  # of any expression; its length and its program come in addition
_UNITS_PER_INSTRUCTION = 2  # of compiling an automaton
_BYTES_PER_UNIT = 8  # of a text, for each instruction: where every byte leads to a new state


class InvalidPattern(ValueError):
    """Not a regular expression that Go accepts. The message says why."""

    def __init__(self, pattern: str, reason: str) -> None:
        super().__init__(reason)
        self.pattern = pattern


class _Examined(NamedTuple):
    """What is known of one expression."""

    size: int  # instructions of its program
    fault: str = ""
    doubt: str = ""  # why it cannot be judged, though it may be right


class _Automaton(Protocol):
    def Match(self, text: bytes) -> list[int] | None: ...  # noqa: N802 - google-re2's name


@dataclass(frozen=True, slots=True)
class Expressions:
    """A list of regular expressions, as one automaton. Make one with :func:`compile`."""

    texts: tuple[str, ...] = ()
    size: int = field(default=0, compare=False)  # instructions, of all their programs

    def first(self, text: str) -> str | None:
        """The first of the expressions that matches anywhere in a text.

        Raises:
            TooMuch: the automaton needs more memory than it may have.
        """
        if not self.texts:
            return None
        found = _automaton(self.texts, self.size).Match(_encoded(text))
        if not found:  # not even the one that matches everything: RE2 ran out of memory, and says nothing else
            raise TooMuch("the expressions need too much memory")
        position = min((each for each in found if each), default=None)
        return None if position is None else self.texts[position - 1]

    @property
    def preparation(self) -> int:
        """Units of effort until a text can be searched."""
        return _UNITS_PER_INSTRUCTION * self.size

    def price(self, text: str) -> int:
        """Units of effort to search a text."""
        return self.size * len(text) // _BYTES_PER_UNIT if text.isascii() else self.size * len(text)


NONE = Expressions()


def compile(texts: Sequence[str], *, effort: Effort) -> Expressions:  # noqa: A001 - named as in re and re2
    """Compile regular expressions.

    Raises:
        InvalidPattern: one of them is none, with RE2's message.
        TooMuch: they may be right, but are too many or too large.
    """
    if not texts:
        return NONE
    size = 0
    for text in texts:
        size += _size(text, effort)
        if size > limits.AUTOMATON:
            raise TooMuch(f"the expressions have more than {limits.AUTOMATON} instructions")
    return Expressions(tuple(texts), size)


def _size(text: str, effort: Effort) -> int:
    if len(text) > limits.EXPRESSION:
        raise TooMuch(f"an expression is longer than {limits.EXPRESSION} characters")
    if not effort.spend(_EXAMINATION + len(text) // 4):
        raise TooMuch("the Warehouse has too many expressions")
    if len(_UNICODE_CLASS.findall(text)) > limits.UNICODE_CLASSES:
        raise TooMuch(f"an expression has more than {limits.UNICODE_CLASSES} Unicode classes")
    size, fault, doubt = _examined(text)
    effort.owe(size + size * size // 200)  # repetitions take time that is quadratic in their number
    if doubt:
        raise TooMuch(doubt)
    if fault:
        raise InvalidPattern(text, fault)
    return size


@lru_cache(maxsize=limits.EXPRESSIONS_REMEMBERED)
def _examined(text: str) -> _Examined:
    if "C" in _ESCAPED.findall(text):
        return _Examined(0, r"invalid escape sequence: \C")
    try:
        compiled = re2.compile(_encoded(text), _options(limits.EXPRESSION_MEMORY))
    except re2.error as error:
        if error.args[0].startswith(_TOO_LARGE):
            return _Examined(limits.LARGE_EXPRESSION, doubt="an expression is too large")
        if error.args[0].startswith(_UNKNOWN_CLASS):  # Go knows more names of them, and the more the newer it is
            return _Examined(0, doubt="an expression names a Unicode class that is not known here")
        return _Examined(0, error.args[0].decode(errors="replace"))
    if not all(name.isascii() for name in compiled.groupindex):
        return _Examined(0, "invalid capture group name: not ASCII")
    return _Examined(compiled.programsize)


def _automaton(texts: tuple[str, ...], size: int) -> _Automaton:
    return _small_automaton(texts) if size <= limits.SMALL_AUTOMATON else _large_automaton(texts)


@lru_cache(maxsize=limits.SMALL_AUTOMATA)
def _small_automaton(texts: tuple[str, ...]) -> _Automaton:
    return _compiled(texts, limits.SMALL_AUTOMATON_MEMORY)


@lru_cache(maxsize=limits.LARGE_AUTOMATA)
def _large_automaton(texts: tuple[str, ...]) -> _Automaton:
    return _compiled(texts, limits.LARGE_AUTOMATON_MEMORY)


def _compiled(texts: tuple[str, ...], memory: int) -> _Automaton:
    """All the expressions, behind one that matches everything: see :meth:`Expressions.first`."""
    automaton = re2.Set.SearchSet(_options(memory))
    for text in ("", *texts):
        automaton.Add(_encoded(text))
    try:
        automaton.Compile()
    except re2.error:
        raise TooMuch("the expressions need too much memory") from None
    compiled: _Automaton = automaton
    return compiled


def _options(memory: int) -> re2.Options:
    options = re2.Options()
    options.log_errors = False  # else RE2 writes to stderr
    options.max_mem = memory
    return options


def _encoded(text: str) -> bytes:
    return well_formed(text).encode()
