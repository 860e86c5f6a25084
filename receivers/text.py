"""Text as Go reads it, and as people may see it."""

import re

from receivers import limits

_HALF_A_PAIR = re.compile("[\ud800-\udfff]")


def well_formed(text: str) -> str:
    """The text with U+FFFD for each half of a surrogate pair, which Python's JSON lets pass and no encoding can write.

    Go reads JSON so, and so does Kargo.
    """
    return text if text.isascii() else _HALF_A_PAIR.sub("\ufffd", text)


def clipped(text: str, limit: int = limits.FREE_TEXT) -> str:
    """The text, at most ``limit`` characters of it; an ellipsis stands for what is left out."""
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def printable(text: str) -> str:
    """One line, whatever a sender or a tenant wrote: control characters could forge another one."""
    if text.isprintable():
        return text
    return "".join(character if character.isprintable() else "\ufffd" for character in text)
