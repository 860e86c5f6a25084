"""Documents of this project as HTML: text, tables, code and links; no HTML of their own, no images, no styles.

It imports markdown-it-py, so it is itself imported when a document is asked for first.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise

from markdown_it import MarkdownIt
from markdown_it.token import Token
from markupsafe import Markup

_NO_PART_OF_A_FRAGMENT = re.compile(r"[^\w\- ]")

type Link = Callable[[str], str]


def html(text: str, *, link: Link) -> Markup:
    """A document. ``link`` says where a link leads on these pages; one that leads nowhere (``""``) is text."""
    parser = MarkdownIt("commonmark", {"html": False}).enable("table").disable("image")
    tokens = parser.parse(text)
    _name_headings(tokens)
    _empty_corners(tokens)
    for token in _every(tokens):
        token.attrs.pop("style", None)  # a column's alignment, which the Content-Security-Policy refuses
    for token in tokens:
        _lead(token.children or [], link)
    return Markup(parser.renderer.render(tokens, parser.options, {}))  # noqa: S704 - it escapes all but its own tags


def _every(tokens: Sequence[Token]) -> Iterator[Token]:
    for token in tokens:
        yield token
        yield from token.children or ()


def _name_headings(tokens: Sequence[Token]) -> None:
    """Give headings the fragments that links name, as GitHub makes them."""
    for token, inline in pairwise(tokens):
        if token.type == "heading_open":
            token.attrSet("id", _NO_PART_OF_A_FRAGMENT.sub("", inline.content.lower()).replace(" ", "-"))


def _empty_corners(tokens: Sequence[Token]) -> None:
    """Make cells of a head without text plain cells: they head nothing."""
    for opening, inline, closing in zip(tokens, tokens[1:], tokens[2:], strict=False):
        if opening.type == "th_open" and not inline.content:
            opening.tag = closing.tag = "td"


def _lead(tokens: Sequence[Token], link: Link) -> None:
    """Have links lead where they do on these pages. Links have no links in them."""
    tag = "a"
    for token in tokens:
        if token.type == "link_open":
            href = link(str(token.attrGet("href") or ""))
            tag = "a" if href else "span"
            token.attrs = {"href": href} if href else {}
        if token.type in {"link_open", "link_close"}:
            token.tag = tag
