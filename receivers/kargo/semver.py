"""Semantic versions and constraints, as Masterminds' semver v3 understands them.

No Python package agrees with it: see the table in tests/kargo/vectors, which that library itself has written.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache
from typing import NamedTuple

from receivers import limits
from receivers.kargo.effort import TooMuch

# Characters. Newer versions of the library have these limits; they also bound what a hostile text can cost.
_LONGEST_VERSION = 256
LONGEST_CONSTRAINT = 512
_LARGEST_NUMBER = 2**64 - 1

_SPACE = " \t\n\r\f"
# Repetitions are possessive (``++``) where what follows cannot begin in what is repeated: trying again with less would
# find nothing, and takes time that is quadratic in the text.
_IDENTIFIERS = r"[0-9A-Za-z-]++(?:\.[0-9A-Za-z-]++)*+"
_VERSION = re.compile(
    rf"v?(?P<major>[0-9]+)(?:\.(?P<minor>[0-9]+))?(?:\.(?P<patch>[0-9]+))?"
    rf"(?:-(?P<prerelease>{_IDENTIFIERS}))?(?:\+{_IDENTIFIERS})?"
)
_PART = r"[0-9xX*|]++"  # the bar is a slip of the library's grammar; past a wildcard it is accepted
_OPERAND = rf"v?{_PART}(?:\.{_PART}){{0,2}}+(?:-{_IDENTIFIERS})?+(?:\+{_IDENTIFIERS})?+"
_COMPARATOR = re.compile(
    rf"(?P<operator>>=|=>|<=|=<|~>|!=|[=<>~^]|)[{_SPACE}]*+"
    rf"v?(?P<parts>{_PART}(?:\.{_PART}){{0,2}})(?P<prerelease>-{_IDENTIFIERS})?(?:\+{_IDENTIFIERS})?"
)
_SEPARATOR = re.compile(rf"[{_SPACE}]*+,[{_SPACE}]*+|[{_SPACE}]++")
_RANGE = re.compile(rf"[{_SPACE}]*+({_OPERAND})[{_SPACE}]++-[{_SPACE}]++({_OPERAND})[{_SPACE}]*+")
_WILDCARDS = {"x", "X", "*"}


class InvalidVersion(ValueError):
    """Not a semantic version."""


class InvalidConstraint(ValueError):
    """Not a constraint on semantic versions."""


class _Identifier(NamedTuple):
    """One part of a prerelease. Numbers come before words."""

    is_word: bool
    number: int
    word: str


class Version(NamedTuple):
    """A version. They compare by precedence: a prerelease is less than its release, metadata does not count."""

    major: int
    minor: int
    patch: int
    is_release: bool
    prerelease: tuple[_Identifier, ...]

    @classmethod
    def parse(cls, text: str, *, strict: bool = False) -> "Version":
        """Read a version, with or without one leading ``v``.

        Unless ``strict``, minor and patch may be missing and numbers may have leading zeros.

        Raises:
            InvalidVersion: with what is wrong.
        """
        return _version(text, strict)


@lru_cache(maxsize=limits.VERSIONS_REMEMBERED)  # one tag is asked of every subscriber
def _version(text: str, strict: bool) -> Version:
    match = _VERSION.fullmatch(text) if len(text) <= _LONGEST_VERSION else None
    if match is None:
        raise InvalidVersion("not a semantic version")
    core = (match["major"], match["minor"], match["patch"])
    if strict and not all(part and part == (part.lstrip("0") or "0") for part in core):
        raise InvalidVersion("not a strict semantic version: not three numbers without leading zeros")
    major, minor, patch = (_number(part or "0") for part in core)
    prerelease = tuple(map(_identifier, match["prerelease"].split("."))) if match["prerelease"] else ()
    return Version(major, minor, patch, not prerelease, prerelease)


def _number(digits: str) -> int:
    significant = digits.lstrip("0") or "0"
    if not _fits(significant):
        raise InvalidVersion("not a semantic version: a number has more than 64 bits")
    return int(significant)


def _identifier(text: str) -> _Identifier:
    if not text.isdigit():
        return _Identifier(True, 0, text)
    if text.startswith("0") and text != "0":
        raise InvalidVersion("not a semantic version: a number in the prerelease has a leading zero")
    # The library takes a number that does not fit for a word.
    return _Identifier(False, int(text), "") if _fits(text) else _Identifier(True, 0, text)


def _fits(digits: str) -> bool:
    return int(digits) <= _LARGEST_NUMBER


class _Precision(IntEnum):
    """How many numbers stand before the first that is a wildcard or missing."""

    NONE = 0
    MAJOR = 1
    MINOR = 2
    PATCH = 3


class _Comparator(NamedTuple):
    """One condition. Where a number is missing, ``version`` has 0."""

    operator: str
    version: Version
    precision: _Precision

    def accepts(self, version: Version) -> bool:
        return _OPERATORS[self.operator](version, self)


@dataclass(frozen=True, slots=True)
class Constraint:
    """Alternatives, each a list of conditions that must all hold."""

    text: str
    alternatives: tuple[tuple[_Comparator, ...], ...]

    @classmethod
    def parse(cls, text: str) -> "Constraint":
        """Read a constraint such as ``^1.2.3``, ``>=1.0 <2.0 || 3.x`` or ``1.2 - 1.4``. Equal texts share one object.

        Raises:
            InvalidConstraint: with what is wrong.
            TooMuch: it may be one, but is too long.
        """
        return _constraint(text)

    def accepts(self, version: Version) -> bool:
        """Whether a version satisfies it.

        A prerelease does only where one condition of the same alternative names a prerelease too.
        """
        return any(
            (version.is_release or _names_prerelease(alternative))
            and all(each.accepts(version) for each in alternative)
            for alternative in self.alternatives
        )

    def names_prerelease(self) -> bool:
        """Whether any alternative accepts prereleases at all."""
        return any(map(_names_prerelease, self.alternatives))


def _names_prerelease(alternative: tuple[_Comparator, ...]) -> bool:
    return not all(comparator.version.is_release for comparator in alternative)


@lru_cache(maxsize=limits.CONSTRAINTS_REMEMBERED)  # most Warehouses of a cluster share a few
def _constraint(text: str) -> Constraint:
    if len(text) > LONGEST_CONSTRAINT:
        raise TooMuch(f"the constraint is longer than {LONGEST_CONSTRAINT} characters")
    rewritten = text
    for match in _RANGE.finditer(text):
        rewritten = rewritten.replace(match[0], f">= {match[1]}, <= {match[2]} ", 1)
    return Constraint(text, tuple(tuple(_comparators(each)) for each in rewritten.split("||")))


def _comparators(alternative: str) -> Iterator[_Comparator]:
    text = alternative.strip(_SPACE)
    position = 0
    while True:
        match = _COMPARATOR.match(text, position)
        if match is None:
            raise InvalidConstraint("not a semver constraint")
        yield _comparator(match)
        if match.end() == len(text):
            return
        separator = _SEPARATOR.match(text, match.end())
        if separator is None:
            raise InvalidConstraint("not a semver constraint")
        position = separator.end()


def _comparator(match: re.Match[str]) -> _Comparator:
    numbers: list[str] = []
    for part in match["parts"].split("."):
        if part in _WILDCARDS:
            break
        numbers.append(part)
    core = ".".join(numbers + ["0"] * (_Precision.PATCH - len(numbers)))
    try:
        version = _version(core + (match["prerelease"] or ""), False)
    except InvalidVersion as invalid:
        raise InvalidConstraint("not a semver constraint: a version in it is invalid") from invalid
    return _Comparator(match["operator"], version, _Precision(len(numbers)))


def _equal(version: Version, wanted: _Comparator) -> bool:
    return version == wanted.version if wanted.precision is _Precision.PATCH else _tilde(version, wanted)


def _not_equal(version: Version, wanted: _Comparator) -> bool:
    match wanted.precision:
        case _Precision.MAJOR:
            return version.major != wanted.version.major
        case _Precision.MINOR:
            return version[:2] != wanted.version[:2] or version.prerelease != wanted.version.prerelease
        case _:
            return version != wanted.version


def _greater(version: Version, wanted: _Comparator) -> bool:
    match wanted.precision:
        case _Precision.MAJOR | _Precision.MINOR:
            return version[: wanted.precision] > wanted.version[: wanted.precision]
        case _:
            return version > wanted.version


def _less(version: Version, wanted: _Comparator) -> bool:
    return version < wanted.version


def _at_least(version: Version, wanted: _Comparator) -> bool:
    return version >= wanted.version


def _at_most(version: Version, wanted: _Comparator) -> bool:
    match wanted.precision:
        case _Precision.PATCH:
            return version <= wanted.version
        case _Precision.MAJOR:
            return version.major <= wanted.version.major
        case _:  # a wildcard alone stands for 0.0 here
            return version[:2] <= wanted.version[:2]


def _tilde(version: Version, wanted: _Comparator) -> bool:
    """The same minor, or the same major where the minor is missing; ``~0.0.0`` and ``*`` leave the upper end open."""
    if version < wanted.version:
        return False
    if wanted.precision in {_Precision.NONE, _Precision.PATCH} and wanted.version[:3] == (0, 0, 0):
        return True
    significant = 1 if wanted.precision is _Precision.MAJOR else 2
    return version[:significant] == wanted.version[:significant]


def _caret(version: Version, wanted: _Comparator) -> bool:
    """The same first number that is not zero, and all before it. So ``^*`` accepts 0.0.0 alone."""
    if wanted.version.major > 0 or wanted.precision is _Precision.MAJOR:
        significant = 1
    elif wanted.version.minor > 0 or wanted.precision is _Precision.MINOR:
        significant = 2
    else:
        significant = 3
    return version >= wanted.version and version[:significant] == wanted.version[:significant]


_OPERATORS: dict[str, Callable[[Version, _Comparator], bool]] = {
    "": _equal,
    "=": _equal,
    "!=": _not_equal,
    ">": _greater,
    "<": _less,
    ">=": _at_least,
    "=>": _at_least,
    "<=": _at_most,
    "=<": _at_most,
    "~": _tilde,
    "~>": _tilde,
    "^": _caret,
}
