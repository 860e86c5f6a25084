"""``includePaths`` and ``excludePaths`` of a Git subscription: which changed files count."""

import posixpath
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from receivers import limits
from receivers.kargo import fields as reading
from receivers.kargo import globs, patterns, verdicts
from receivers.kargo.effort import Effort, TooMuch
from receivers.kargo.fields import Fields, Unreadable
from receivers.kargo.verdicts import Verdict

_FILE = 4  # units of effort to ask of one file, measured; its length and the paths come in addition
_GLOB_CHARACTER = 2  # units to read a character of a glob, measured


@dataclass(frozen=True, slots=True)
class Paths:
    """A list of paths, any of which may match a file."""

    directories: tuple[str, ...] = ()  # clean, with a slash; "" is where every path begins that is not absolute
    trees: tuple[str, ...] = ()  # "dir/" of "glob:dir/**"
    expressions: patterns.Expressions = field(default_factory=patterns.Expressions)

    def __bool__(self) -> bool:
        """Whether there are any."""
        return bool(self.directories or self.trees or self.expressions.texts)

    def match(self, file: str) -> bool:
        """Whether one of them matches. Raises TooMuch."""
        if self.trees and f"{file}/".startswith(self.trees):
            return True
        if self.directories and self._is_in_directory(f"{_clean(file)}/"):
            return True
        return self.expressions.first(file) is not None

    def _is_in_directory(self, file: str) -> bool:
        """As Kargo has it: a file with two dots below the directory is not taken to be in it."""
        if ".." not in file and not file.startswith("/"):
            return file.startswith(self.directories)
        return any(
            file.startswith(each) and ".." not in file[len(each) :] and (each or not file.startswith("/"))
            for each in self.directories
        )

    def price(self, file: str) -> int:
        """Units of effort to ask of one file."""
        asked = len(self.directories) + len(self.trees)
        return (asked + len(file)) // 20 + self.expressions.price(file) if self else 0


_NO_PATHS = Paths()


@dataclass(frozen=True, slots=True)
class PathFilter:
    """Files that are included, if anything is, and not excluded."""

    include: Paths = field(default_factory=Paths)
    exclude: Paths = field(default_factory=Paths)

    def __bool__(self) -> bool:
        """Whether it filters at all."""
        return bool(self.include or self.exclude)

    def weigh(self, files: Iterable[str], effort: Effort) -> Verdict:
        """Whether one of these files counts. Raises TooMuch for what would take more effort than there is left."""
        effort.demand(self.include.expressions.preparation + self.exclude.expressions.preparation)
        for file in files:
            effort.demand(_FILE + self.include.price(file) + self.exclude.price(file))
            if (not self.include or self.include.match(file)) and not self.exclude.match(file):
                return Verdict(True, f"file {verdicts.shown(file)} counts by includePaths and excludePaths")
        return Verdict(False, "no changed file counts by includePaths and excludePaths")


def read(fields: Fields, effort: Effort) -> PathFilter:
    """Read the paths of a subscription.

    Raises:
        Unreadable: with the field and what is wrong with it.
        TooMuch: they may be right, but are more than is checked.
    """
    return PathFilter(*(_paths(name, reading.texts(fields, name), effort) for name in ("includePaths", "excludePaths")))


def _paths(name: str, written: Sequence[str], effort: Effort) -> Paths:
    if not written:
        return _NO_PATHS
    if len(written) > limits.PATHS or not effort.spend(sum(5 + len(each) // 10 for each in written)):
        raise TooMuch("there are too many paths")
    directories: list[str] = []
    trees: list[str] = []
    expressions: list[str] = []
    for each in written:
        prefix, colon, rest = each.partition(":")
        if colon and prefix == "glob":
            tree = globs.directory(rest)
            if tree is None:
                expressions.append(_of_glob(name, rest, effort))
            else:
                trees.append(f"{tree}/")
        elif colon and prefix in {"regex", "regexp"}:
            expressions.append(rest)
        else:
            directories.append(_directory(each))
    try:
        compiled = patterns.compile(expressions, effort=effort)
    except patterns.InvalidPattern as invalid:
        raise Unreadable(f"{name} {verdicts.shown(invalid.pattern)}: {verdicts.shown(str(invalid))}") from invalid
    return Paths(tuple(directories), tuple(trees), compiled)


def _of_glob(name: str, glob: str, effort: Effort) -> str:
    if len(glob) > limits.EXPRESSION:
        raise TooMuch(f"a glob is longer than {limits.EXPRESSION} characters")
    alternatives = min(limits.GLOB_ALTERNATIVES, 2 ** glob.count(","))  # each is read by itself
    effort.demand(_GLOB_CHARACTER * len(glob) * (alternatives + glob.count("{")))  # and each brace has it written anew
    try:
        return globs.expression(glob)
    except globs.InvalidGlob as invalid:
        raise Unreadable(f"{name} glob:{verdicts.shown(glob)}: {invalid}") from invalid


def _directory(written: str) -> str:
    clean = _clean(written)
    return "" if clean == "." else f"{clean.rstrip('/')}/"


def _clean(path: str) -> str:
    """As Go's ``path.Clean`` has it, which knows no path that begins with two slashes."""
    clean = posixpath.normpath(path)
    return clean[1:] if clean.startswith("//") else clean
