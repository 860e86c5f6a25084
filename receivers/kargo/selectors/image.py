"""What an ``image`` subscription wants."""

from dataclasses import dataclass

from receivers import limits
from receivers.kargo import fields as reading
from receivers.kargo import references, urls, verdicts
from receivers.kargo.effort import Effort, TooMuch
from receivers.kargo.fields import Fields, Unreadable
from receivers.kargo.selectors import tags, terms
from receivers.kargo.selectors.deciding import QualifierSelector, Selector, Unchecked
from receivers.kargo.verdicts import Verdict


@dataclass(frozen=True, slots=True)
class MutableTag(QualifierSelector):
    """One tag, whose digest is followed."""

    tag: str

    def judge(self, qualifier: str) -> Verdict:
        if qualifier == self.tag:
            return Verdict(True, f"tag {verdicts.shown(qualifier)} is the one subscribed to")
        return Verdict(
            False, f"tag {verdicts.shown(qualifier)} is not {verdicts.shown(self.tag)}, the one subscribed to"
        )


def selector(fields: Fields, effort: Effort | None = None) -> Selector:
    """Read an ``image`` subscription. ``effort`` is that of its Warehouse; without it there is one for itself.

    Raises:
        Unreadable: with the field and what is wrong with it.
    """
    effort = effort or Effort(limits.READING_EFFORT)
    try:
        references.parse(urls.normalise_image(terms.repository_url(fields)))
    except references.InvalidReference as invalid:
        raise Unreadable(f"repoURL: {invalid}") from invalid
    platform = reading.text(fields, "platform")
    if platform and "/" not in platform:
        raise Unreadable(f"platform {verdicts.shown(platform)} is not <os>/<architecture>")
    match strategy := reading.text(fields, "imageSelectionStrategy"):
        case "SemVer" | "" | "Lexical" | "NewestBuild":
            by_version = strategy in {"SemVer", ""}
            return _tags(fields, effort, constraint=reading.constraint_name(fields) if by_version else None)
        case "Digest":
            return MutableTag(reading.tag(fields, reading.constraint_name(fields)))
        case _:
            raise Unreadable(f"imageSelectionStrategy {verdicts.shown(strategy)} is unknown")


def _tags(fields: Fields, effort: Effort, *, constraint: str | None) -> Selector:
    try:
        return tags.selector(fields, effort, constraint=constraint)
    except TooMuch as too_much:
        return Unchecked.because(too_much)
