"""Which parameters a page knows. A query that would be taken for less than was asked is refused."""

from collections.abc import Collection

from receivers import limits
from receivers.pages.visits import Refused, Visit
from receivers.text import clipped, printable

OF_EVERY_PAGE = frozenset({"format", "key"})


def refuse_unknown(visit: Visit, known: Collection[str], *, besides: Collection[str] = ()) -> None:
    """Refuse a parameter that a page does not know. Raises :class:`Refused`.

    The answer names those of ``known``; ``besides`` are those that our own links have.
    """
    unknown = sorted(set(visit.query).difference(known, besides, OF_EVERY_PAGE))
    if unknown:
        names = ", ".join(sorted({*known, "format"}))
        raise Refused(400, "Unknown parameter", f"There is no parameter {told(unknown[0])}. These are known: {names}.")


def told(text: str) -> str:
    """Something of a query, as a sentence can have it."""
    return printable(clipped(text, limits.NAME_SHOWN))
