"""What every kind of subscription may say of what it wants."""

from receivers import limits
from receivers.kargo import fields as reading
from receivers.kargo import semver, verdicts
from receivers.kargo.effort import Effort, TooMuch
from receivers.kargo.fields import Fields, Unreadable


def repository_url(fields: Fields) -> str:
    """The repository subscribed to, as written.

    Raises:
        Unreadable: there is none, or none that any registry would have.
    """
    url = reading.text(fields, "repoURL")
    if not url:
        raise Unreadable("repoURL is missing")
    if len(url) > limits.REPOSITORY_URL:
        raise Unreadable(f"repoURL is longer than {limits.REPOSITORY_URL} characters")
    return url


def constraint(fields: Fields, name: str, effort: Effort) -> str:
    """The text of a constraint that can be read; empty if there is none.

    Raises:
        Unreadable: it is no constraint.
        TooMuch: it may be one, but is more than is checked.
    """
    text = reading.text(fields, name)
    if not text:
        return ""
    if not effort.spend(verdicts.VERSION + verdicts.CONSTRAINT_CHARACTER * min(len(text), semver.LONGEST_CONSTRAINT)):
        raise TooMuch("the Warehouse has too many constraints")
    try:
        return semver.Constraint.parse(text).text
    except semver.InvalidConstraint as invalid:
        raise Unreadable(f"{name} {verdicts.shown(text)}: {invalid}") from invalid
