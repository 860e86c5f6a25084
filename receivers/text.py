"""Text as Go reads it."""

import re

_HALF_A_PAIR = re.compile("[\ud800-\udfff]")


def well_formed(text: str) -> str:
    """The text with U+FFFD for each half of a surrogate pair, which Python's JSON lets pass and no encoding can write.

    Go reads JSON so, and so does Kargo.
    """
    return text if text.isascii() else _HALF_A_PAIR.sub("\ufffd", text)
