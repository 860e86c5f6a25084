"""What image and Git subscriptions share: tags that are allowed, and versions among them."""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Self

from receivers import limits
from receivers.kargo import fields as reading
from receivers.kargo import patterns, verdicts
from receivers.kargo.effort import Effort, TooMuch
from receivers.kargo.fields import Fields, Unreadable
from receivers.kargo.selectors import terms
from receivers.kargo.selectors.deciding import QualifierSelector
from receivers.kargo.verdicts import Verdict


@dataclass(frozen=True, slots=True)
class AllowedTags(QualifierSelector):
    """Tags that are not ignored and, if there are allow expressions, that one of these matches."""

    allow: patterns.Expressions
    ignore: patterns.Expressions
    ignored: frozenset[str] = frozenset()  # of the older ignoreTags: tags, not expressions
    older_allow: str = ""  # one of the allow expressions, of the older allowTags

    def preparation(self) -> int:
        return self.allow.preparation + self.ignore.preparation

    def price(self, qualifier: str) -> int:
        return verdicts.BASE + self.allow.price(qualifier) + self.ignore.price(qualifier)

    def judge(self, qualifier: str) -> Verdict:
        if qualifier in self.ignored:
            return Verdict(False, f"tag {verdicts.shown(qualifier)} is one of ignoreTags")
        ignoring = self.ignore.first(qualifier)
        if ignoring is not None:
            return Verdict(
                False, f"tag {verdicts.shown(qualifier)} matches ignoreTagsRegexes {verdicts.shown(ignoring)}"
            )
        if not self.allow.texts:
            return Verdict(True, f"tag {verdicts.shown(qualifier)}: every tag is allowed")
        allowing = self.allow.first(qualifier)
        if allowing is None:
            return Verdict(
                False, f"tag {verdicts.shown(qualifier)}: no {self._allow_field(self.allow.texts[-1])} matches"
            )
        field = self._allow_field(allowing)
        return Verdict(True, f"tag {verdicts.shown(qualifier)} matches {field} {verdicts.shown(allowing)}")

    def _allow_field(self, expression: str) -> str:
        return "allowTags" if self.older_allow and expression == self.older_allow else "allowTagsRegexes"


@dataclass(frozen=True, slots=True)
class SemverTags(QualifierSelector):
    """Allowed tags that are semantic versions and satisfy the constraint, if there is one."""

    allowed: AllowedTags
    constraint: str
    strict: bool

    def preparation(self) -> int:
        return self.allowed.preparation() + verdicts.CONSTRAINT_CHARACTER * len(self.constraint)

    def price(self, qualifier: str) -> int:
        return self.allowed.price(qualifier) + verdicts.price_of_version(qualifier, self.constraint)

    def judge(self, qualifier: str) -> Verdict:
        verdict = self.allowed.judge(qualifier)
        return (
            verdicts.of_version("tag", qualifier, self.constraint, strict=self.strict) if verdict.accepted else verdict
        )


def selector(fields: Fields, effort: Effort, *, constraint: str | None) -> AllowedTags | SemverTags:
    """Read which tags a subscription wants; versions, if there is the name of a constraint's field.

    Raises:
        Unreadable: with the field and what is wrong with it.
        TooMuch: it may be right, but is more than is checked.
    """
    try:
        wanted = _Wanted.of(fields, constraint)
    except Unreadable:
        return _selector(fields, effort, constraint=constraint)  # which says what is wrong first
    known = _read.get(wanted)
    if known is not None and effort.spend(known.effort):
        return known.selector
    before = effort.left
    found = _selector(fields, effort, constraint=constraint)
    if wanted.is_small:
        _read.put(wanted, _Known(found, before - effort.left))
    return found


class _Wanted(NamedTuple):
    """All that says which tags a subscription wants. Most Warehouses of a cluster say one of a few things."""

    constraint: str | None  # the name of its field
    version: str
    strict: bool
    older: str
    allow: tuple[str, ...]
    ignore: tuple[str, ...]
    ignored: tuple[str, ...]

    @classmethod
    def of(cls, fields: Fields, constraint: str | None) -> Self:
        """Raises Unreadable."""
        older = reading.text(fields, "allowTags")
        allow, ignore, ignored = (tuple(reading.texts(fields, name)) for name in _LISTS)
        if constraint is None:
            return cls(None, "", False, older, allow, ignore, ignored)
        version, strict = reading.text(fields, constraint), reading.flag(fields, "strictSemvers")
        return cls(constraint, version, strict, older, allow, ignore, ignored)

    @property
    def is_small(self) -> bool:
        """Whether it may be remembered."""
        texts = (self.version, self.older, *self.allow, *self.ignore, *self.ignored)
        return sum(map(len, texts)) <= limits.SHARED_SELECTOR


class _Known(NamedTuple):
    selector: AllowedTags | SemverTags
    effort: int  # units that reading it took


class _Read:
    """What was read lately, so that Warehouses that want the same share it."""

    def __init__(self) -> None:
        self._known: OrderedDict[_Wanted, _Known] = OrderedDict()

    def get(self, wanted: _Wanted) -> _Known | None:
        known = self._known.get(wanted)
        if known is not None:
            self._known.move_to_end(wanted)
        return known

    def put(self, wanted: _Wanted, known: _Known) -> None:
        self._known[wanted] = known
        if len(self._known) > limits.SELECTORS_SHARED:
            self._known.popitem(last=False)


_LISTS = ("allowTagsRegexes", "ignoreTagsRegexes", "ignoreTags")
_read = _Read()


def _selector(fields: Fields, effort: Effort, *, constraint: str | None) -> AllowedTags | SemverTags:
    allowed = _allowed(fields, effort)
    if constraint is None:
        return allowed
    wanted = terms.constraint(fields, constraint, effort)
    return SemverTags(allowed, wanted, reading.flag(fields, "strictSemvers"))


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
