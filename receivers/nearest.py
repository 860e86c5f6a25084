"""What somebody may have meant by a name that is not known."""

from collections.abc import Iterable

_LONGEST = 64  # characters of a name that is looked at: comparing takes its length squared


def nearest(name: str, known: Iterable[str]) -> str:
    """The known name that this one is probably meant to be; empty where none is like it."""
    import difflib  # noqa: PLC0415 - for what is misspelt alone, and never when a sound app starts

    spelled = {each.lower(): each for each in known}
    found = difflib.get_close_matches(name[:_LONGEST].lower(), spelled, n=1, cutoff=0.7)
    return spelled[found[0]] if found else ""
