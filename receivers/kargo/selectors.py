"""What a subscription wants of its repository, and why it takes a tag or does not.

The rules are Kargo's, but for two: an OCI chart's tag may have ``_`` where the version has ``+``, since Helm pushes it
so; and nothing here asks a registry.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

from receivers import limits
from receivers.kargo import fields as reading
from receivers.kargo import patterns, references, semver, urls, verdicts
from receivers.kargo.effort import Effort, TooMuch
from receivers.kargo.fields import Fields, Unreadable
from receivers.kargo.verdicts import Verdict


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
    """Tags that are not ignored and, if there are allow expressions, that one of these matches."""

    allow: patterns.Expressions
    ignore: patterns.Expressions
    ignored: frozenset[str] = frozenset()  # of the older ignoreTags: tags, not expressions
    older_allow: str = ""  # one of the allow expressions, of the older allowTags

    def preparation(self) -> int:
        return self.allow.preparation + self.ignore.preparation

    def price(self, tag: str) -> int:
        return verdicts.BASE + self.allow.price(tag) + self.ignore.price(tag)

    def judge(self, tag: str) -> Verdict:
        if tag in self.ignored:
            return Verdict(False, f"tag {verdicts.shown(tag)} is one of ignoreTags")
        ignoring = self.ignore.first(tag)
        if ignoring is not None:
            return Verdict(False, f"tag {verdicts.shown(tag)} matches ignoreTagsRegexes {verdicts.shown(ignoring)}")
        if not self.allow.texts:
            return Verdict(True, f"tag {verdicts.shown(tag)}: every tag is allowed")
        allowing = self.allow.first(tag)
        if allowing is None:
            return Verdict(False, f"tag {verdicts.shown(tag)}: no {self._allow_field(self.allow.texts[-1])} matches")
        field = self._allow_field(allowing)
        return Verdict(True, f"tag {verdicts.shown(tag)} matches {field} {verdicts.shown(allowing)}")

    def _allow_field(self, expression: str) -> str:
        return "allowTags" if self.older_allow and expression == self.older_allow else "allowTagsRegexes"


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
    platform = reading.text(fields, "platform")
    if platform and "/" not in platform:
        raise Unreadable(f"platform {verdicts.shown(platform)} is not <os>/<architecture>")
    match strategy := reading.text(fields, "imageSelectionStrategy"):
        case "SemVer" | "" | "Lexical" | "NewestBuild":
            return _tags_selector(fields, effort, by_version=strategy in {"SemVer", ""})
        case "Digest":
            return MutableTag(reading.tag(fields, reading.constraint_name(fields)))
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
    url = reading.text(fields, "repoURL")
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
        constraint = _constraint(fields, reading.constraint_name(fields), effort)
        return SemverTags(allowed, constraint, reading.flag(fields, "strictSemvers"))
    except TooMuch as too_much:
        return Unchecked(_unchecked(too_much))


def _unchecked(too_much: TooMuch) -> str:
    return f"{too_much}: more than is checked, so every push refreshes"


def _allowed(fields: Fields, effort: Effort) -> AllowedTags:
    older = reading.text(fields, "allowTags")
    allow, ignore = (reading.texts(fields, name) for name in ("allowTagsRegexes", "ignoreTagsRegexes"))
    try:
        return AllowedTags(
            patterns.compile([older, *allow] if older else allow, effort=effort),
            patterns.compile(ignore, effort=effort),
            _ignored(fields, effort),
            older,
        )
    except patterns.InvalidPattern as invalid:
        name = _field_of(invalid.pattern, older=older, allow=allow)
        raise Unreadable(f"{name} {verdicts.shown(invalid.pattern)}: {verdicts.shown(str(invalid))}") from invalid


def _field_of(expression: str, *, older: str, allow: Sequence[str]) -> str:
    if older and expression == older:
        return "allowTags"
    return "allowTagsRegexes" if expression in allow else "ignoreTagsRegexes"


def _ignored(fields: Fields, effort: Effort) -> frozenset[str]:
    tags = reading.texts(fields, "ignoreTags")
    if len(tags) > limits.IGNORED_TAGS or not effort.spend(len(tags)):
        raise TooMuch("there are too many ignoreTags")
    return frozenset(tags)


def _constraint(fields: Fields, name: str, effort: Effort) -> str:
    """The text of a constraint that can be read; empty if there is none."""
    text = reading.text(fields, name)
    if not text:
        return ""
    if not effort.spend(verdicts.VERSION + verdicts.CONSTRAINT_CHARACTER * min(len(text), semver.LONGEST_CONSTRAINT)):
        raise TooMuch("the Warehouse has too many constraints")
    try:
        return semver.Constraint.parse(text).text
    except semver.InvalidConstraint as invalid:
        raise Unreadable(f"{name} {verdicts.shown(text)}: {invalid}") from invalid
