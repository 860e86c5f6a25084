"""Globs as doublestar v4 matches them, as RE2 expressions.

They are read for paths as Git has them: with neither an empty element nor a slash at an end.
https://github.com/bmatcuk/doublestar/blob/v4.10.0/README.md#patterns
"""

import re
from collections.abc import Iterator

from receivers import limits
from receivers.kargo.effort import TooMuch

_META = re.compile(r"[*?\[\]{}\\]")
_STAR = "[^/]*"
_SOME = "[^/]+"
_BELOW = {"/**", "/**/"}
_CLASS = re.compile(r"\[[!^]?+(?:\\.|[^\]\\])+\]", re.DOTALL)
_MEMBER = re.compile(r"\\?(?P<low>(?s:.))(?:-(?!\Z)\\?(?P<high>(?s:.)))?")
_ALTERNATIVES = re.compile(rf"\\.|{_CLASS.pattern}|[{{}},]", re.DOTALL)

# Where versions of doublestar differ, or take an alternative, or a way through stars, for the only one
_HARD = "a glob has braces, classes or stars of which doublestar's answer is hard to foretell"
_ODD = re.compile(r"\[[^\[\]{},]*+[{},]")
_EMPTY = re.compile(r"[{,][,}]")
_BESIDE = re.compile(r"\*/?\{|\}\*")


class InvalidGlob(ValueError):
    """Not a glob that doublestar accepts."""


def directory(glob: str) -> str | None:
    """The directory of which a glob takes everything, as ``dir`` of ``dir/**``; None for any other glob."""
    name = glob.removesuffix("/**")
    return None if name == glob or not name or _META.search(name) else name


def expression(glob: str) -> str:
    """The RE2 expression that finds a match in the paths that the glob matches.

    Raises:
        InvalidGlob: it is none.
        TooMuch: it may be one, but has too many alternatives, or doublestar's answer is hard to foretell.
    """
    _validate(glob)
    if ("{" in glob and _ODD.search(glob)) or (_EMPTY.search(glob) and _BESIDE.search(glob)):
        raise TooMuch(_HARD)
    return rf"(?s)\A(?:{'|'.join(_plain(each) for each in _expanded(glob))})\z"


def _validate(glob: str) -> None:
    depth = position = 0
    while position < len(glob):
        character = glob[position]
        width = 1
        if character == "\\":
            width = 2
        elif character == "[":
            found = _CLASS.match(glob, position)
            width = len(found[0]) if found else len(glob) + 1
        depth += (character == "{") - (character == "}")
        position += width
        if depth < 0 or position > len(glob):
            raise InvalidGlob("not a glob")
    if depth:
        raise InvalidGlob("not a glob")


def _expanded(glob: str) -> list[str]:
    """The globs without braces that it stands for."""
    waiting, found = [glob], list[str]()
    while waiting:
        if len(waiting) + len(found) > limits.GLOB_ALTERNATIVES:
            raise TooMuch(f"a glob has more than {limits.GLOB_ALTERNATIVES} alternatives")
        one = waiting.pop()
        alternatives = list(_first_braces(one))
        if alternatives:
            waiting.extend(reversed(alternatives))
        else:
            found.append(one)
    return found


def _first_braces(glob: str) -> Iterator[str]:
    """The glob with each of the alternatives of its first braces."""
    depth = start = begin = 0
    parts: list[str] = []
    for found in _ALTERNATIVES.finditer(glob):
        at = found.start()
        match found[0]:
            case "{":
                depth += 1
                if depth == 1:
                    begin, start = at, at + 1
            case ",":
                if depth == 1:
                    parts.append(glob[start:at])
                    start = at + 1
            case "}":
                depth -= 1
                if not depth:
                    parts.append(glob[start:at])
                    yield from (f"{glob[:begin]}{part}{glob[at + 1 :]}" for part in parts)
                    return


def _plain(glob: str) -> str:
    """The expression of a glob without braces."""
    items: list[str] = []
    starred = crossing = False  # a star stood before, and after it what may match a slash
    position = 0
    starts = True  # an element of the path
    while position < len(glob):
        rest = glob[position:]
        if rest in _BELOW:
            return "".join([*items[:-1], _ended(items[-1] if items else "", rest)])
        if rest.startswith("*"):
            if crossing or (rest == "**/" and not starts):
                raise TooMuch(_HARD)
            item, width, starts = _stars(rest, starts=starts)
            starred = True
        elif rest.startswith("["):
            item, width, takes_slash = _class(rest)
            starts, crossing = False, crossing or (starred and takes_slash)
        elif rest.startswith("?"):
            item, width, starts = "[^/]", 1, False
        else:
            width = 2 if rest.startswith("\\") else 1
            item, starts = _literal(rest[width - 1]), rest[width - 1] == "/"
        items.append(item)
        position += width
    return "".join(items)


def _ended(last: str, end: str) -> str:
    """What ends in all that is below it, or in nothing. A star before the end of a path matches something."""
    itself = _SOME if last == _STAR else last
    return f"(?:{itself}|{last}/.*)" if end == "/**" else itself


def _stars(rest: str, *, starts: bool) -> tuple[str, int, bool]:
    if starts and rest == "**":
        return ".*", 2, False
    if starts and rest.startswith("**/"):
        return "(?:.*/)?", 3, True
    width = len(rest) - len(rest.lstrip("*"))
    return (_SOME if width == len(rest) and width > len("**") else _STAR), width, False


def _class(rest: str) -> tuple[str, int, bool]:
    """The expression of a class, how long the class is, and whether it takes a slash."""
    text = "".join(found[0] for found in [_CLASS.match(rest)] if found)  # there is one: the glob is valid
    negated = text[1] in "!^"
    members = _MEMBER.finditer(text[2 if negated else 1 : -1])
    ranges = [(each["low"], each["high"] or each["low"]) for each in members]
    shown = "".join(f"{_code(low)}-{_code(max(low, high))}" for low, high in ranges)  # a range always has its beginning
    slash = any(low <= "/" <= max(low, high) for low, high in ranges)
    return f"[{'^' if negated else ''}{shown}]", len(text), slash != negated


def _code(character: str) -> str:
    return rf"\x{{{ord(character):x}}}"


def _literal(character: str) -> str:
    return character if character.isalnum() or character in "/_-" else _code(character)
