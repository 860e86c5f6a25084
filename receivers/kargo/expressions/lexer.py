"""The tokens of an expression, as expr-lang 1.17 cuts them.

https://expr-lang.org/docs/language-definition. Names are ASCII here: what has another name is reached as ``["…"]``.
"""

import re
from typing import NamedTuple

from receivers import limits
from receivers.kargo.expressions.errors import ExpressionError, Refused
from receivers.text import clipped, printable, well_formed

SPACE = "\t\n\v\f\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
_KEYWORDS = frozenset(
    {"not", "in", "or", "and", "matches", "contains", "startsWith", "endsWith", "let", "if", "else"},
)
_ESCAPE = (
    r"\\(?:[abfnrtv\\{quote}]|[0-7]{{3}}|x[\da-fA-F]{{2}}|u\{{[\da-fA-F]{{1,6}}\}}|u[\da-fA-F]{{4}}|U[\da-fA-F]{{8}})"
)
_TEXT = "|".join(rf"{quote}(?:[^{quote}\\\n]|{_ESCAPE.format(quote=quote)})*+{quote}" for quote in "\"'")
_NUMBER = "|".join(
    rf"{prefix}[{digits}]*(?:\.(?!\.)[{digits}]*)?(?:[eE][+-]?[{digits}]*)?"
    for prefix, digits in (("0[xX]", r"\da-fA-F_"), ("0[oO]", "0-7_"), ("0[bB]", "01_"), ("", r"\d_"))
)
_TOKEN = re.compile(
    rf"""
    (?P<blank>[{SPACE}]++|//[^\n]*+|/\*(?s:.*?)\*/)
    |(?P<text>{_TEXT})
    |(?P<raw>`(?:[^`]|``)*+`)
    |(?P<bytes>[bB]["'])
    |(?P<number>\.?(?=\d)(?:{_NUMBER})(?![\w$]))
    |(?P<pointer>\#(?P<pointed>[\w$]*+))
    |(?P<name>[A-Za-z_$][\w$]*+)
    |(?P<bracket>[()\[\]{{}}])
    |(?P<operator>\?[.?]?|\|\|?|::?|\.\.?|[&!=*<>][&=*]?|/(?!\*)|[,;%+\-^])
    """,
    re.VERBOSE | re.ASCII,
)
_ESCAPED = re.compile(r"\\(?:u\{(\w+)\}|[xuU](\w+)|([0-7]{3})|(.))", re.ASCII)
_ESCAPED_LENGTHS = re.compile(r"\\(?:u\{\w+\}|x\w{2}|u\w{4}|U\w{8}|[0-7]{3}|.)", re.ASCII)
_CONTROLS = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
_LARGEST_OCTAL = 0o377
_LARGEST_CHARACTER = 0x10FFFF


class Token(NamedTuple):
    """A token; its kind is one of name, operator, bracket, number, text and end."""

    kind: str
    text: str

    def __str__(self) -> str:
        return "the end" if self.kind == "end" else printable(clipped(repr(self.text), 40))


END = Token("end", "")


def tokens(source: str) -> list[Token]:
    """The tokens of a source, and the end.

    Raises:
        ExpressionError: there is something that is none, or the source is too long.
    """
    if len(source) > limits.FORMULA:
        raise Refused(f"the expression is longer than {limits.FORMULA} characters")
    source = well_formed(source)
    found: list[Token] = []
    position = 0
    while position < len(source):
        match = _TOKEN.match(source, position)
        if match is None:
            error = ExpressionError if source[position].isascii() else Refused
            raise error(f"{Token('', source[position : position + 10])} cannot be read")
        found.extend(_read(match))
        position = match.end()
    return [*found, END]


def _read(match: re.Match[str]) -> list[Token]:
    text = match[0]
    match match.lastgroup:
        case "blank":
            return []
        case "text":
            return [Token("text", _unescaped(text[1:-1]))]
        case "raw":
            return [Token("text", text[1:-1].replace("``", "`"))]
        case "bytes":
            raise Refused("byte strings (b'…') are not supported")
        case "pointer":
            return [Token("operator", "#"), *([Token("name", text[1:])] if text[1:] else [])]
        case "name" if text in _KEYWORDS:
            return [Token("operator", text)]
        case kind:
            return [Token(str(kind), text)]


def _unescaped(text: str) -> str:
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    return text if "\\" not in text else _ESCAPED_LENGTHS.sub(_character, text)


def _character(match: re.Match[str]) -> str:
    escaped = _ESCAPED.fullmatch(match[0])
    braced, digits, octal, other = escaped.groups() if escaped else (None, None, None, None)
    if octal:
        return _of_code(int(octal, 8), _LARGEST_OCTAL)
    if other:
        return _CONTROLS.get(other, other)
    return _of_code(int(braced or digits or "", 16), _LARGEST_CHARACTER)


def _of_code(code: int, largest: int) -> str:
    """The character; U+FFFD for half of a surrogate pair."""
    if code > largest:
        raise ExpressionError("an escape in a string names no character")
    return well_formed(chr(code))
