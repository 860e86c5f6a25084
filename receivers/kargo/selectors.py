"""What a subscription wants of its repository, and why it takes a tag or does not.

The rules are Kargo's, but for two: an OCI chart's tag may have ``_`` where the version has ``+``, since Helm pushes it
so; and nothing here asks a registry.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from receivers import limits
from receivers.kargo import patterns, references, semver, urls

type Fields = Mapping[str, object]


class Unreadable(ValueError):
    """A subscription, or a field of it, is not what Kargo accepts. The message is the reason."""


class Verdict(NamedTuple):
    """Whether a selector takes a push, and why: a short phrase for people."""

    accepted: bool
    reason: str


class Selector(ABC):
    """What a subscription wants."""

    __slots__ = ()

    def decide(self, qualifiers: Sequence[str]) -> Verdict:
        """Whether any of these tags, at least one, is wanted; the reason tells of that tag, or else of the first."""
        refusals: dict[str, None] = {}
        for qualifier in qualifiers:
            verdict = self._judge(qualifier)
            if verdict.accepted:
                return verdict
            refusals[verdict.reason] = None
        first, *others = refusals
        return Verdict(False, f"{first}, and {len(others)} more like it" if others else first)

    @abstractmethod
    def _judge(self, tag: str) -> Verdict: ...


@dataclass(frozen=True, slots=True)
class Broken(Selector):
    """Wants nothing: the subscription cannot be read."""

    reason: str

    def _judge(self, tag: str) -> Verdict:  # noqa: ARG002 - whatever was pushed
        return Verdict(False, self.reason)


@dataclass(frozen=True, slots=True)
class AllowedTags(Selector):
    """Tags that no ignore expression matches and, if there are allow expressions, that one of these matches."""

    allow: tuple[patterns.Pattern, ...]
    ignore: tuple[patterns.Pattern, ...]

    def _judge(self, tag: str) -> Verdict:
        ignoring = next((pattern for pattern in self.ignore if pattern.search(tag)), None)
        if ignoring:
            return Verdict(False, f"tag {_shown(tag)} matches ignoreTagsRegexes {_shown(ignoring.text)}")
        if not self.allow:
            return Verdict(True, f"tag {_shown(tag)}: every tag is allowed")
        allowing = next((pattern for pattern in self.allow if pattern.search(tag)), None)
        if allowing:
            return Verdict(True, f"tag {_shown(tag)} matches allowTagsRegexes {_shown(allowing.text)}")
        return Verdict(False, f"tag {_shown(tag)}: no allowTagsRegexes matches")


@dataclass(frozen=True, slots=True)
class SemverTags(Selector):
    """Allowed tags that are semantic versions and satisfy the constraint, if there is one."""

    allowed: AllowedTags
    constraint: semver.Constraint | None
    strict: bool

    def _judge(self, tag: str) -> Verdict:
        verdict = self.allowed.decide([tag])
        return _judge_version("tag", tag, self.constraint, strict=self.strict) if verdict.accepted else verdict


@dataclass(frozen=True, slots=True)
class MutableTag(Selector):
    """One tag, whose digest is followed."""

    tag: str

    def _judge(self, tag: str) -> Verdict:
        if tag == self.tag:
            return Verdict(True, f"tag {_shown(tag)} is the one subscribed to")
        return Verdict(False, f"tag {_shown(tag)} is not {_shown(self.tag)}, the one subscribed to")


@dataclass(frozen=True, slots=True)
class ChartVersions(Selector):
    """Chart versions that satisfy the constraint, if there is one."""

    constraint: semver.Constraint | None
    is_oci: bool

    def _judge(self, tag: str) -> Verdict:
        version = tag.replace("_", "+") if self.is_oci else tag
        return _judge_version("version", version, self.constraint, strict=False)


def image_selector(fields: Fields) -> Selector:
    """Read an ``image`` subscription.

    Raises:
        Unreadable: with the field and what is wrong with it.
    """
    try:
        references.parse(urls.normalise_image(repository_url(fields)))
    except references.InvalidReference as invalid:
        raise Unreadable(f"repoURL: {invalid}") from invalid
    platform = _text(fields, "platform")
    if platform and "/" not in platform:
        raise Unreadable(f"platform {_shown(platform)} is not <os>/<architecture>")
    match strategy := _text(fields, "imageSelectionStrategy"):
        case "SemVer" | "":
            return SemverTags(_allowed(fields), _constraint(fields, "constraint"), _flag(fields, "strictSemvers"))
        case "Lexical" | "NewestBuild":
            return _allowed(fields)
        case "Digest":
            return MutableTag(_text(fields, "constraint"))
        case _:
            raise Unreadable(f"imageSelectionStrategy {_shown(strategy)} is unknown")


def chart_selector(fields: Fields) -> Selector:
    """Read a ``chart`` subscription.

    Raises:
        Unreadable: with the field and what is wrong with it.
    """
    url = repository_url(fields)
    is_oci = url.startswith("oci://")
    if not is_oci and not url.startswith(("https://", "http://")):
        raise Unreadable("repoURL starts with none of oci://, https:// and http://")
    if is_oci and not references.is_oci(url.removeprefix("oci://")):
        raise Unreadable("repoURL is not oci://<registry>/<repository> in lower case")
    return ChartVersions(_constraint(fields, "semverConstraint"), is_oci)


def repository_url(fields: Fields) -> str:
    """The repository subscribed to, as written.

    Raises:
        Unreadable: there is none.
    """
    url = _text(fields, "repoURL")
    if not url:
        raise Unreadable("repoURL is missing")
    return url


def _judge_version(noun: str, text: str, constraint: semver.Constraint | None, *, strict: bool) -> Verdict:
    subject = f"{noun} {_shown(text)}"
    try:
        version = semver.Version.parse(text, strict=strict)
    except semver.InvalidVersion as invalid:
        return Verdict(False, f"{subject} is {invalid}")
    if constraint is None:
        return Verdict(True, f"{subject} is a semantic version")
    if constraint.accepts(version):
        return Verdict(True, f"{subject} satisfies {_shown(constraint.text)}")
    if not version.is_release and not constraint.names_prerelease():
        return Verdict(False, f"{subject} is a prerelease, and {_shown(constraint.text)} asks for releases")
    return Verdict(False, f"{subject} does not satisfy {_shown(constraint.text)}")


def _allowed(fields: Fields) -> AllowedTags:
    for name in ("allowTags", "ignoreTags"):
        if fields.get(name) not in (None, "", []):
            raise Unreadable(f"{name} is no longer supported: use {name}Regexes")
    return AllowedTags(_patterns(fields, "allowTagsRegexes"), _patterns(fields, "ignoreTagsRegexes"))


def _patterns(fields: Fields, name: str) -> tuple[patterns.Pattern, ...]:
    compiled = []
    for text in _texts(fields, name):
        try:
            compiled.append(patterns.compile(text))
        except patterns.InvalidPattern as invalid:
            raise Unreadable(f"{name} {_shown(text)}: {_shown(str(invalid))}") from invalid
    return tuple(compiled)


def _constraint(fields: Fields, name: str) -> semver.Constraint | None:
    text = _text(fields, name)
    try:
        return semver.Constraint.parse(text) if text else None
    except semver.InvalidConstraint as invalid:
        raise Unreadable(f"{name} {_shown(text)}: {invalid}") from invalid


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


def _shown(text: str) -> str:
    """Free text of senders and users, fit for one line."""
    clipped = text if len(text) <= limits.FREE_TEXT else f"{text[: limits.FREE_TEXT]}…"
    return clipped if clipped.isprintable() else "".join(each if each.isprintable() else "\ufffd" for each in clipped)
