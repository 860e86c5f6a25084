"""Why a tag is wanted or is not, in short phrases for people; and what it costs to find out."""

from typing import NamedTuple

from receivers.kargo import semver
from receivers.text import clipped, printable

# Units of effort, measured
BASE = 5  # of any verdict
VERSION = 10  # of one on a version
CONSTRAINT_CHARACTER = 2  # of reading a constraint; it is asked four times as fast


class Verdict(NamedTuple):
    """Whether a selector takes a push, and why: a short phrase for people."""

    accepted: bool
    reason: str


UNCHECKED = Verdict(True, "too many tags and expressions to check for this push, so it is refreshed")


def shown(text: str) -> str:
    """Free text of senders and users, fit for one line."""
    return printable(clipped(text))


def price_of_version(text: str, constraint: str) -> int:
    """Units of effort of :func:`of_version`, once the constraint was read."""
    return VERSION + len(text) // 8 + len(constraint) // 2


def of_version(noun: str, text: str, wanted: str, *, strict: bool) -> Verdict:
    """Whether a text is a version, and satisfies a constraint, which may be empty. ``noun`` is what people call it."""
    subject = f"{noun} {shown(text)}"
    try:
        version = semver.Version.parse(text, strict=strict)
    except semver.InvalidVersion as invalid:
        return Verdict(False, f"{subject} is {invalid}")
    if not wanted:
        return Verdict(True, f"{subject} is a semantic version")
    constraint = semver.Constraint.parse(wanted)
    if constraint.accepts(version):
        return Verdict(True, f"{subject} satisfies {shown(constraint.text)}")
    if not version.is_release and not constraint.names_prerelease():
        return Verdict(False, f"{subject} is a prerelease, and {shown(constraint.text)} asks for releases")
    return Verdict(False, f"{subject} does not satisfy {shown(constraint.text)}")
