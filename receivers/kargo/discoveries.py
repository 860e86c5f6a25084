"""Whether Kargo has found what was pushed, by what a Warehouse's status says was discovered.

Everything here is a tenant's JSON, read no wider than it counts. Kargo writes ``lastHandledRefresh`` together with what
it discovered; where a version wrote it sooner, the condition ``Reconciling`` tells.
https://github.com/akuity/kargo/blob/main/pkg/controller/warehouses/warehouses.go
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from enum import Enum, auto
from functools import cached_property
from typing import NamedTuple

import msgspec

from receivers import limits
from receivers.events import Kind, Pushed
from receivers.kargo import aliases, handling, semver, shallow, urls, verdicts
from receivers.kargo.index import Accepted
from receivers.kargo.selectors.chart import ChartVersions
from receivers.kargo.selectors.git import Commits, Tags
from receivers.kargo.selectors.tags import SemverTags

DISCOVERY_LIMIT = 20  # of a subscription that has none: Kargo's admission writes it
_FAILED = {"DiscoveryFailed", "DiscoveryFailure"}  # reasons of conditions that are False
_ABSENT = msgspec.Raw(b"null")
_TAGS = "refs/tags/"
_PASSED = 512  # bytes of a long list that take as long to pass over as one element to read
_NAME = 8  # elements that take as long to read as the name of one repository, measured

FAILING = "Kargo could not discover anything: the conditions of the Warehouse say why"


class Sight(Enum):
    """What a look at a Warehouse's discoveries shows of a push."""

    FOUND = auto()
    MISSING = auto()
    BEYOND = auto()  # not among the first, which are all that Kargo lists
    UNTOLD = auto()  # the status does not tell


class Look(NamedTuple):
    """What was seen, and why it was not found: a sentence for people."""

    sight: Sight
    reason: str = ""


FOUND, UNTOLD = Look(Sight.FOUND), Look(Sight.UNTOLD)


class _Status(msgspec.Struct):
    handled: msgspec.Raw = msgspec.field(name="lastHandledRefresh", default=_ABSENT)
    conditions: msgspec.Raw = _ABSENT
    discovered: msgspec.Raw = msgspec.field(name="discoveredArtifacts", default=_ABSENT)


class _Condition(msgspec.Struct):
    type: str = ""
    status: str = ""
    reason: str = ""


class _Discovered(msgspec.Struct):
    git: msgspec.Raw = _ABSENT
    image: msgspec.Raw = msgspec.field(name="images", default=_ABSENT)
    chart: msgspec.Raw = msgspec.field(name="charts", default=_ABSENT)


class _Entry(msgspec.Struct):
    """What was discovered for one subscription."""

    repository: str = msgspec.field(name="repoURL", default="")
    references: msgspec.Raw = _ABSENT  # of an image
    versions: msgspec.Raw = _ABSENT  # of a chart
    commits: msgspec.Raw = _ABSENT  # of Git
    observed: msgspec.Raw = msgspec.field(name="observedRefs", default=_ABSENT)


class _Reference(msgspec.Struct):
    tag: str = ""
    digest: str = ""


class _Commit(msgspec.Struct):
    id: str = ""
    tag: str = ""


class _Observed(msgspec.Struct):
    """What Kargo saw of a Git repository before it left out commits."""

    head: str = msgspec.field(name="branchHead", default="")
    tags: msgspec.Raw = _ABSENT


class _Ref(msgspec.Struct):
    name: str = ""


class _Terms(msgspec.Struct):
    """What a subscription says of how much is listed."""

    limit: msgspec.Raw = msgspec.field(name="discoveryLimit", default=_ABSENT)
    expression_filter: msgspec.Raw = msgspec.field(name="expressionFilter", default=_ABSENT)
    since: msgspec.Raw = _ABSENT


@dataclass(slots=True)
class _Found:
    """What was discovered in one repository, for all subscriptions to it together."""

    digests: dict[str, set[str]] = field(default_factory=dict)  # by tag or version, where they are told
    commits: set[str] = field(default_factory=set)  # of Git, the heads among them
    seen: set[str] = field(default_factory=set)  # tags of Git, also those whose commits were left out
    count: int = 0  # of what is listed


class Discovery:
    """What Kargo says that it discovered for one Warehouse, read as far as it is asked.

    ``status`` and ``subscriptions`` are the object's, as JSON: anything at all.
    """

    def __init__(self, status: msgspec.Raw, subscriptions: msgspec.Raw) -> None:
        self._status = _decoded(status, _Status)
        self._subscriptions = subscriptions
        self._bytes = limits.DISCOVERED_BYTES  # of lists that are still read at once
        self._elements = limits.DISCOVERED  # of longer ones, that are still read one by one
        self._read: dict[tuple[Kind, str], _Found] = {}
        self._known_terms: dict[int, _Terms] = {}  # by position

    @cached_property
    def handled(self) -> str:
        """The refresh that Kargo handled last; empty for none."""
        return handling.token(self._status.handled)

    @cached_property
    def under_way(self) -> bool:
        """Whether Kargo is discovering now."""
        return any(each.type == "Reconciling" and each.status == "True" for each in self._conditions)

    @cached_property
    def failed(self) -> bool:
        """Whether the last discovery failed."""
        return any(each.status == "False" and each.reason in _FAILED for each in self._conditions)

    def look(self, accepted: Accepted, event: Pushed) -> Look:
        """Whether what a subscription takes of a push is among what was discovered for it."""
        if self.failed:
            return Look(Sight.MISSING, FAILING)
        kind = accepted.subscription.kind
        if bytes(self._status.discovered) == b"null" or (kind is Kind.CHART and "://" in accepted.url):
            return UNTOLD  # of a classic repository of charts, pushes do not say for certain which chart it was
        found = self._found(kind, accepted.url)
        look = worst(self._look_for(each, accepted, event, found) for each in accepted.qualifiers)
        return look if look.sight is Sight.FOUND or self._elements > 0 else UNTOLD  # it may stand in what was not read

    def _look_for(self, qualifier: str, accepted: Accepted, event: Pushed, found: _Found) -> Look:
        if accepted.subscription.kind is Kind.GIT:
            return self._look_for_ref(qualifier, event.digest, accepted, found)
        if accepted.subscription.kind is Kind.CHART:
            return self._look_for_version(qualifier, accepted, found)
        # Of a push of several tags another may have moved one of them on.
        return self._look_for_tag(qualifier, event.digest if len(event.qualifiers) == 1 else "", accepted, found)

    def _look_for_tag(self, tag: str, digest: str, accepted: Accepted, found: _Found) -> Look:
        digests: Collection[str] = found.digests.get(tag, ())
        if digests and (not digest or digest in digests or "" in digests):
            return FOUND
        if digests:
            return Look(Sight.MISSING, f"Kargo lists tag {verdicts.shown(tag)} with another digest")
        return self._missing(f"tag {verdicts.shown(tag)}", tag, found, accepted)

    def _look_for_version(self, tag: str, accepted: Accepted, found: _Found) -> Look:
        version = tag.replace("_", "+")  # Helm pushes it so
        if version in found.digests or tag in found.digests:
            return FOUND
        return self._missing(f"version {verdicts.shown(version)}", version, found, accepted)

    def _look_for_ref(self, ref: str, commit: str, accepted: Accepted, found: _Found) -> Look:
        if ref.startswith(_TAGS):
            return self._look_for_git_tag(ref.removeprefix(_TAGS), accepted, found)
        if not commit:
            return UNTOLD
        if any(each.startswith(commit) for each in found.commits):
            return FOUND
        if self._is_filtered(accepted):
            return UNTOLD  # the commit may be left out, or no head any more, though Kargo has seen it
        return Look(Sight.MISSING, f"Kargo does not list commit {verdicts.shown(commit[:12])}")

    def _look_for_git_tag(self, tag: str, accepted: Accepted, found: _Found) -> Look:
        if tag in found.digests or tag in found.seen:
            return FOUND
        if not found.seen and self._is_filtered(accepted):
            return UNTOLD
        return self._missing(f"tag {verdicts.shown(tag)}", tag, found, accepted)

    def _missing(self, name: str, version: str, found: _Found, accepted: Accepted) -> Look:
        limit = self._limit(accepted)
        if found.count < limit:
            return Look(Sight.MISSING, f"Kargo does not list {name}")
        if _is_below(version, found.digests, accepted):
            return Look(Sight.BEYOND, f"{name} is lower than the {limit} that Kargo lists (discoveryLimit)")
        return Look(Sight.MISSING, f"Kargo does not list {name}, and its list is full (discoveryLimit {limit})")

    def _found(self, kind: Kind, url: str) -> _Found:
        """What was discovered in one repository, read once."""
        known = self._read.get((kind, url))
        if known is None:
            raw: msgspec.Raw = getattr(_decoded(self._status.discovered, _Discovered), kind.value)
            entries = [each for each in self._list(raw, _Entry) if self._is_of(each.repository, kind, url)]
            known = self._read[kind, url] = self._gathered(entries)
        return known

    def _gathered(self, entries: list[_Entry]) -> _Found:
        found = _Found()
        for entry in entries:
            listed = [(each.tag, each.digest) for each in self._list(entry.references, _Reference)]
            listed += [(each, "") for each in self._list(entry.versions, str)]
            commits = self._list(entry.commits, _Commit)
            observed = _decoded(entry.observed, _Observed)
            for tag, digest in [*listed, *((each.tag, each.id) for each in commits if each.tag)]:
                found.digests.setdefault(tag, set()).add(digest)
            found.commits.update(filter(None, [observed.head, *(each.id for each in commits)]))
            found.seen.update(each.name for each in self._list(observed.tags, _Ref))
            found.count += len(listed) + len(commits)
        return found

    def _is_of(self, repository: str, kind: Kind, url: str) -> bool:
        """Whether this names a repository, whose canonical URL is given. To find out takes longer than to read it."""
        if self._elements <= 0 or len(repository) > limits.REPOSITORY_URL:
            return False
        self._elements -= _NAME
        return aliases.canonical(urls.normalise(kind, repository)) == url

    def _list[Element](self, raw: msgspec.Raw, kind: type[Element]) -> list[Element]:
        """The elements of a list; none where it is none, or one is of another kind. Of a very long one the first."""
        try:
            if len(raw) <= self._bytes:
                self._bytes -= len(raw)
                return msgspec.json.decode(raw, type=list[kind])  # type: ignore[valid-type]  # a type at run time
            found = shallow.elements(raw, at_most=limits.DISCOVERED_OF_ONE) if self._elements > 0 else None
            if found is None:
                return []
            cost = self._elements if found.more else len(found.first) + len(raw) // _PASSED
            self._elements -= cost
            return [msgspec.json.decode(each, type=kind) for each in found.first]
        except (*shallow.NO_JSON, RecursionError):
            return []

    def _limit(self, accepted: Accepted) -> int:
        """How many a subscription has Kargo list."""
        try:
            limit = msgspec.json.decode(self._terms(accepted).limit, type=int | None)
        except shallow.NO_JSON:
            limit = None
        return limit or DISCOVERY_LIMIT

    def _is_filtered(self, accepted: Accepted) -> bool:
        """Whether a Git subscription may leave out commits of what it takes."""
        selector, terms = accepted.subscription.selector, self._terms(accepted)
        by_path = isinstance(selector, Commits) and bool(selector.paths)
        return by_path or any(bytes(each) not in {b"null", b'""'} for each in (terms.expression_filter, terms.since))

    def _terms(self, accepted: Accepted) -> _Terms:
        position = accepted.subscription.position
        known = self._known_terms.get(position)
        if known is None:
            found = self._subscriptions_apart
            kinds = shallow.members(found[position]) if position < len(found) else None
            fields = (kinds or {}).get(accepted.subscription.kind.value, _ABSENT)
            known = self._known_terms[position] = _decoded(fields, _Terms)
        return known

    @cached_property
    def _subscriptions_apart(self) -> list[msgspec.Raw]:
        found = shallow.elements(self._subscriptions, at_most=limits.SUBSCRIPTIONS)
        return found.first if found else []

    @cached_property
    def _conditions(self) -> list[_Condition]:
        return self._list(self._status.conditions, _Condition)


def worst(looks: Iterable[Look]) -> Look:
    """What counts of several looks: one that is missing makes all of it missing. Of none, nothing is told."""
    return min(looks, key=lambda look: _GRAVITY[look.sight], default=UNTOLD)


_GRAVITY = {Sight.MISSING: 0, Sight.BEYOND: 1, Sight.UNTOLD: 2, Sight.FOUND: 3}


def _is_below(version: str, listed: Iterable[str], accepted: Accepted) -> bool:
    """Whether a version is lower than all that are listed, where the highest are."""
    selector = accepted.subscription.selector
    if isinstance(selector, Commits) and isinstance(selector.refs, Tags):
        selector = selector.refs.tags
    if not isinstance(selector, SemverTags | ChartVersions):
        return False
    try:
        return semver.Version.parse(version) < min(map(semver.Version.parse, listed))
    except semver.InvalidVersion:
        return False


def _decoded[Found: msgspec.Struct](raw: msgspec.Raw, kind: type[Found]) -> Found:
    try:
        return msgspec.json.decode(raw, type=kind)
    except (*shallow.NO_JSON, RecursionError):
        return kind()
