"""What a subscription wants of its repository, and why it takes a tag or does not.

The rules are Kargo's, but for two: an OCI chart's tag may have ``_`` where the version has ``+``, since Helm pushes it
so; and nothing here asks a registry.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from receivers import limits
from receivers.kargo import patterns, references, semver, urls, verdicts
from receivers.kargo.effort import Effort, TooMuch
from receivers.kargo.verdicts import Verdict

type Fields = Mapping[str, object]


class Unreadable(ValueError):
    """A subscription, or a field of it, is not what Kargo accepts. The message is the reason."""


class Selector(ABC):
    """What a subscription wants."""

    __slots__ = ()

    def decide(self, qualifiers: Sequence[str], effort: Effort | None = None) -> Verdict:
        """Whether any of these tags, at least one, is wanted; the reason tells of that tag, or else of the first.

        What would take more effort than there is left is wanted: a refresh too much does no harm. Without an ``effort``
        there is as much as for one Warehouse.
        """
        effort = effort or Effort(limits.DECISION_EFFORT)
        try:
            return self._decide(qualifiers, effort)
        except TooMuch:
            return verdicts.UNCHECKED

    def _decide(self, qualifiers: Sequence[str], effort: Effort) -> Verdict:
        _spend(effort, self.preparation())
        refusals: dict[str, None] = {}
        for qualifier in qualifiers:
            _spend(effort, self.price(qualifier))
            verdict = self.judge(qualifier)
            if verdict.accepted:
                return verdict
            refusals[verdict.reason] = None
        first, *others = refusals
        return Verdict(False, f"{first}, and {len(others)} more like it" if others else first)

    def preparation(self) -> int:
        """Units of effort before the first tag."""
        return 0

    def price(self, tag: str) -> int:  # noqa: ARG002 - that of a selector that compares
        """Units of effort to judge a tag."""
        return verdicts.BASE

    @abstractmethod
    def judge(self, tag: str) -> Verdict:
        """Whether one tag is wanted. Raises TooMuch."""


@dataclass(frozen=True, slots=True)
class Broken(Selector):
    """Wants nothing: the subscription cannot be read."""

    reason: str

    def _decide(self, qualifiers: Sequence[str], effort: Effort) -> Verdict:  # noqa: ARG002 - whatever was pushed
        return self.judge("")

    def judge(self, tag: str) -> Verdict:  # noqa: ARG002
        return Verdict(False, self.reason)


@dataclass(frozen=True, slots=True)
class Unchecked(Selector):
    """Wants everything: what the subscription wants is more than we check."""

    reason: str

    def _decide(self, qualifiers: Sequence[str], effort: Effort) -> Verdict:  # noqa: ARG002 - whatever was pushed
        return self.judge("")

    def judge(self, tag: str) -> Verdict:  # noqa: ARG002
        return Verdict(True, self.reason)


@dataclass(frozen=True, slots=True)
class AllowedTags(Selector):
    """Tags that no ignore expression matches and, if there are allow expressions, that one of these matches."""

    allow: patterns.Expressions
    ignore: patterns.Expressions

    def preparation(self) -> int:
        return self.allow.preparation + self.ignore.preparation

    def price(self, tag: str) -> int:
        return verdicts.BASE + self.allow.price(tag) + self.ignore.price(tag)

    def judge(self, tag: str) -> Verdict:
        ignoring = self.ignore.first(tag)
        if ignoring is not None:
            return Verdict(False, f"tag {verdicts.shown(tag)} matches ignoreTagsRegexes {verdicts.shown(ignoring)}")
        if not self.allow.texts:
            return Verdict(True, f"tag {verdicts.shown(tag)}: every tag is allowed")
        allowing = self.allow.first(tag)
        if allowing is not None:
            return Verdict(True, f"tag {verdicts.shown(tag)} matches allowTagsRegexes {verdicts.shown(allowing)}")
        return Verdict(False, f"tag {verdicts.shown(tag)}: no allowTagsRegexes matches")


@dataclass(frozen=True, slots=True)
class SemverTags(Selector):
    """Allowed tags that are semantic versions and satisfy the constraint, if there is one."""

    allowed: AllowedTags
    constraint: str
    strict: bool

    def preparation(self) -> int:
        return self.allowed.preparation() + verdicts.CONSTRAINT_CHARACTER * len(self.constraint)

    def price(self, tag: str) -> int:
        return self.allowed.price(tag) + verdicts.price_of_version(tag, self.constraint)

    def judge(self, tag: str) -> Verdict:
        verdict = self.allowed.judge(tag)
        return verdicts.of_version("tag", tag, self.constraint, strict=self.strict) if verdict.accepted else verdict


@dataclass(frozen=True, slots=True)
class MutableTag(Selector):
    """One tag, whose digest is followed."""

    tag: str

    def judge(self, tag: str) -> Verdict:
        if tag == self.tag:
            return Verdict(True, f"tag {verdicts.shown(tag)} is the one subscribed to")
        return Verdict(False, f"tag {verdicts.shown(tag)} is not {verdicts.shown(self.tag)}, the one subscribed to")


@dataclass(frozen=True, slots=True)
class ChartVersions(Selector):
    """Chart versions that satisfy the constraint, if there is one."""

    constraint: str
    is_oci: bool

    def preparation(self) -> int:
        return verdicts.CONSTRAINT_CHARACTER * len(self.constraint)

    def price(self, tag: str) -> int:
        return verdicts.BASE + verdicts.price_of_version(tag, self.constraint)

    def judge(self, tag: str) -> Verdict:
        version = tag.replace("_", "+") if self.is_oci else tag
        return verdicts.of_version("version", version, self.constraint, strict=False)


def image_selector(fields: Fields, effort: Effort | None = None) -> Selector:
    """Read an ``image`` subscription. ``effort`` is that of its Warehouse; without it there is one for itself.

    Raises:
        Unreadable: with the field and what is wrong with it.
    """
    effort = effort or Effort(limits.READING_EFFORT)
    try:
        references.parse(urls.normalise_image(repository_url(fields)))
    except references.InvalidReference as invalid:
        raise Unreadable(f"repoURL: {invalid}") from invalid
    platform = _text(fields, "platform")
    if platform and "/" not in platform:
        raise Unreadable(f"platform {verdicts.shown(platform)} is not <os>/<architecture>")
    match strategy := _text(fields, "imageSelectionStrategy"):
        case "SemVer" | "" | "Lexical" | "NewestBuild":
            return _tags_selector(fields, effort, by_version=strategy in {"SemVer", ""})
        case "Digest":
            return MutableTag(_tag(fields, "constraint"))
        case _:
            raise Unreadable(f"imageSelectionStrategy {verdicts.shown(strategy)} is unknown")


def chart_selector(fields: Fields, effort: Effort | None = None) -> Selector:
    """Read a ``chart`` subscription. ``effort`` is that of its Warehouse; without it there is one for itself.

    Raises:
        Unreadable: with the field and what is wrong with it.
    """
    effort = effort or Effort(limits.READING_EFFORT)
    url = repository_url(fields)
    is_oci = url.startswith("oci://")
    if not is_oci and not url.startswith(("https://", "http://")):
        raise Unreadable("repoURL starts with none of oci://, https:// and http://")
    if is_oci and not references.is_oci(url.removeprefix("oci://")):
        raise Unreadable("repoURL is not oci://<registry>/<repository> in lower case")
    try:
        return ChartVersions(_constraint(fields, "semverConstraint", effort), is_oci)
    except TooMuch as too_much:
        return Unchecked(_unchecked(too_much))


def repository_url(fields: Fields) -> str:
    """The repository subscribed to, as written.

    Raises:
        Unreadable: there is none, or none that any registry would have.
    """
    url = _text(fields, "repoURL")
    if not url:
        raise Unreadable("repoURL is missing")
    if len(url) > limits.REPOSITORY_URL:
        raise Unreadable(f"repoURL is longer than {limits.REPOSITORY_URL} characters")
    return url


def _spend(effort: Effort, units: int) -> None:
    if not effort.spend(units):
        raise TooMuch("no effort is left")


def _tags_selector(fields: Fields, effort: Effort, *, by_version: bool) -> Selector:
    try:
        allowed = _allowed(fields, effort)
        if not by_version:
            return allowed
        return SemverTags(allowed, _constraint(fields, "constraint", effort), _flag(fields, "strictSemvers"))
    except TooMuch as too_much:
        return Unchecked(_unchecked(too_much))


def _unchecked(too_much: TooMuch) -> str:
    return f"{too_much}: more than is checked, so every push refreshes"


def _allowed(fields: Fields, effort: Effort) -> AllowedTags:
    for name in ("allowTags", "ignoreTags"):
        if fields.get(name) not in (None, "", []):
            raise Unreadable(f"{name} is no longer supported: use {name}Regexes")
    allow, ignore = (_expressions(fields, name, effort) for name in ("allowTagsRegexes", "ignoreTagsRegexes"))
    return AllowedTags(allow, ignore)


def _expressions(fields: Fields, name: str, effort: Effort) -> patterns.Expressions:
    try:
        return patterns.compile(_texts(fields, name), effort=effort)
    except patterns.InvalidPattern as invalid:
        raise Unreadable(f"{name} {verdicts.shown(invalid.pattern)}: {verdicts.shown(str(invalid))}") from invalid


def _constraint(fields: Fields, name: str, effort: Effort) -> str:
    """The text of a constraint that can be read; empty if there is none."""
    text = _text(fields, name)
    if not text:
        return ""
    if not effort.spend(verdicts.VERSION + verdicts.CONSTRAINT_CHARACTER * min(len(text), semver.LONGEST_CONSTRAINT)):
        raise TooMuch("the Warehouse has too many constraints")
    try:
        return semver.Constraint.parse(text).text
    except semver.InvalidConstraint as invalid:
        raise Unreadable(f"{name} {verdicts.shown(text)}: {invalid}") from invalid


def _tag(fields: Fields, name: str) -> str:
    tag = _text(fields, name)
    if len(tag) > limits.NAME:
        raise Unreadable(f"{name} is longer than {limits.NAME} characters, and no tag is")
    return tag


def _text(fields: Fields, name: str) -> str:
    value = fields.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise Unreadable(f"{name} is not a text")
    return value


def _texts(fields: Fields, name: str) -> list[str]:
    value = fields.get(name)
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise Unreadable(f"{name} is not a list of texts")
    return value


def _flag(fields: Fields, name: str) -> bool:
    value = fields.get(name)
    if value is None:
        return False
    if not isinstance(value, bool):
        raise Unreadable(f"{name} is neither true nor false")
    return value
