"""Which Warehouses a push concerns, without asking the cluster."""

from collections import defaultdict
from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple

from receivers import limits
from receivers.events import Decision, Kind, Pushed, Target
from receivers.kargo import aliases, changes, repositories
from receivers.kargo.changes import Change
from receivers.kargo.effort import DeliveryEffort, Effort
from receivers.kargo.repositories import Repository
from receivers.kargo.selectors import Broken, Selector, Unchecked
from receivers.kargo.subscriptions import Subscription, read
from receivers.kargo.verdicts import Verdict

_CANDIDATES = 500  # found in one step
_REASONS = 3  # shown of one Warehouse: enough to see what is wrong, and short

type _Subscribers = dict[Target, tuple[Subscription, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """A subscription that cannot be read, or not be checked, or is odd."""

    target: Target
    position: int  # in spec.subscriptions, from 0
    reason: str


class Accepted(NamedTuple):
    """What one subscription takes of a push."""

    url: str  # the key of the repository
    subscription: Subscription
    qualifiers: tuple[str, ...]


class SubscriptionIndex:
    """The subscriptions of all Warehouses, by project and URL: the one key of all the names that its registry has.

    What does not depend on the push is done when a Warehouse is put, and what one project has costs the others nothing.
    """

    def __init__(self) -> None:
        self._count = 0
        self._urls: dict[str, dict[Target, tuple[str, ...]]] = {}  # by project
        self._faults: dict[Target, dict[int, str]] = {}
        self._unchecked: dict[Target, dict[int, str]] = {}
        self._fault_count = 0
        self._subscribers: defaultdict[str, defaultdict[str, _Subscribers]] = defaultdict(lambda: defaultdict(dict))
        # by their path in the registry and by project: the URLs of charts, and their hosts
        self._charts_at: defaultdict[str, defaultdict[str, dict[str, str]]] = defaultdict(lambda: defaultdict(dict))

    def __len__(self) -> int:
        """How many Warehouses there are."""
        return self._count

    def count(self, project: str | None) -> int:
        """How many Warehouses a project has, or all projects together."""
        return len(self) if project is None else len(self._urls.get(project, ()))

    def targets(self, project: str | None) -> list[Target]:
        """The Warehouses of a project, or of all, in no particular order."""
        return list(self._targets(project))

    def projects(self) -> list[str]:
        """The projects that have Warehouses, by name."""
        return sorted(self._urls)

    def urls(self, project: str | None) -> list[str]:
        """The canonical URL of each repository that a project, or any, subscribes to, in no particular order."""
        return [url for url, found in self._subscribers.items() if project is None or project in found]

    def has(self, target: Target) -> bool:
        """Whether there is such a Warehouse."""
        return target in self._urls.get(target.namespace, ())

    def subscriptions_of(self, target: Target) -> list[Subscription]:
        """The subscriptions of one Warehouse that pushes can match, by position; none of one that is gone."""
        return self._of(target) if self.has(target) else []

    def faults_of(self, target: Target) -> dict[int, str]:
        """By position, why subscriptions of one Warehouse cannot be read."""
        return dict(sorted(self._faults.get(target, {}).items()))

    def subscribes(self, target: Target, urls: frozenset[str]) -> bool:
        """Whether a Warehouse subscribes to one of these repositories, given by their canonical URLs."""
        return not urls.isdisjoint(self._urls.get(target.namespace, {}).get(target, ()))

    def put(self, target: Target, subscriptions: object) -> None:
        """Add or replace a Warehouse; ``subscriptions`` is the JSON of its ``spec.subscriptions``, anything at all."""
        self.remove(target)
        reading = read(subscriptions)
        self._count += 1
        by_url: defaultdict[str, list[Subscription]] = defaultdict(list)
        for subscription in reading.subscriptions:
            url = aliases.canonical(subscription.url)
            by_url[url].append(subscription)
            if subscription.kind is Kind.CHART:
                self._charts_at[repositories.path(url)][target.namespace][url] = repositories.host(url)
        self._urls.setdefault(target.namespace, {})[target] = tuple(by_url)
        for url, found in by_url.items():
            self._subscribers[url][target.namespace][target] = tuple(found)
        self._note_faults(target, reading.faults, reading.subscriptions)

    def remove(self, target: Target) -> None:
        """Forget a Warehouse; one that is not there is forgotten already."""
        in_project = self._urls.get(target.namespace, {})
        gone = in_project.pop(target, None)
        if gone is None:
            return
        if not in_project:
            del self._urls[target.namespace]
        self._count -= 1
        self._fault_count -= len(self._faults.pop(target, ()))
        self._unchecked.pop(target, None)
        for url in gone:
            self._remove_subscriber(url, target)

    @property
    def fault_count(self) -> int:
        """How many subscriptions cannot be read."""
        return self._fault_count

    def faults(self) -> list[Fault]:
        """Every subscription that cannot be read, by Warehouse and position."""
        return _listed(self._faults)

    def unchecked(self) -> list[Fault]:
        """Every subscription that is more than is checked, so that each push refreshes; by Warehouse and position."""
        return _listed(self._unchecked)

    def remarks(self) -> list[Fault]:
        """Every subscription with fields that are older, or unknown here; by Warehouse and position."""
        return [
            Fault(target=target, position=subscription.position, reason=subscription.remarks)
            for target in sorted(self.targets(None))
            for subscription in self._of(target)
            if subscription.remarks
        ]

    def subscriptions(self, project: str | None) -> list[Subscription]:
        """The subscriptions that pushes can match of a project's Warehouses, or of all, by Warehouse and position.

        Of very many Warehouses some do: those who ask want an example.
        """
        some = islice(self._targets(project), limits.EXAMPLES)
        return [subscription for target in sorted(some) for subscription in self._of(target)]

    def match(self, event: Pushed, *, project: str | None) -> list[Decision]:
        """Decide on every Warehouse that subscribes to what was pushed, by namespace and name, in one go.

        Args:
            event: What was pushed. Without qualifiers every subscriber is refreshed.
            project: Only Warehouses of this project; ``None``: of all.
        """
        steps = self.decisions(repositories.of(event), changes.of(event), project=project, effort=DeliveryEffort())
        return [decision for decision in steps if decision is not None]

    def accepted(self, target: Target, event: Pushed, *, effort: Effort) -> list[Accepted]:
        """What the subscriptions of one Warehouse take of a push. One that takes everything unread is not among them.

        Raises TooMuch for what would take more effort than there is left.
        """
        repository, change = repositories.of(event), changes.of(event)
        found = []
        for url in (*repository.urls, *self._charts(repository, target.namespace)):
            for subscription in self._subscriptions_to(url, target):
                if isinstance(subscription.selector, Unchecked):
                    continue
                if repository.registry_suffix and subscription.kind is not Kind.CHART:
                    continue
                alone = (change._replace(qualifiers=(each,)) for each in change.qualifiers)
                taken = [each.qualifiers[0] for each in alone if subscription.selector.weigh(each, effort).accepted]
                if taken:
                    found.append(Accepted(url, subscription, tuple(taken)))
        return found

    def decisions(
        self, repository: Repository, change: Change, *, project: str | None, effort: DeliveryEffort
    ) -> Iterator[Decision | None]:
        """Decide on every Warehouse that subscribes to a repository, by namespace and name, one by one.

        Without qualifiers every subscriber is refreshed.
        Each step is short, and the index may change between two of them; None is a step that decided nothing. What
        would take more effort than there is left is refreshed unchecked.
        """
        for namespace in [project] if project is not None else self._projects(repository):
            verdicts: dict[Selector, Verdict] = {}
            candidates = yield from self._candidates(repository, namespace)
            for target in sorted(candidates, key=lambda each: each.name):
                yield _decide(target, candidates[target], change, effort.decision(namespace), verdicts)

    def _targets(self, project: str | None) -> Iterator[Target]:
        if project is not None:
            return iter(self._urls.get(project, ()))
        return (target for targets in self._urls.values() for target in targets)

    def _projects(self, repository: Repository) -> list[str]:
        """Where something subscribes to a repository."""
        found: set[str] = set()
        for url in repository.urls:
            found.update(self._subscribers.get(url, ()))
        for path in repository.chart_paths:
            found.update(self._charts_at.get(path, ()))
        return sorted(found)

    def _candidates(
        self, repository: Repository, namespace: str
    ) -> Generator[None, None, dict[Target, list[Subscription]]]:
        """What may subscribe to a repository in one project, found in short steps."""
        found: dict[Target, list[Subscription]] = {}
        for count, (target, subscription) in enumerate(self._matching(repository, namespace), start=1):
            if subscription is not None:
                found.setdefault(target, []).append(subscription)
            if count % _CANDIDATES == 0:
                yield
        return found

    def _matching(self, repository: Repository, namespace: str) -> Iterator[tuple[Target, Subscription | None]]:
        charts_only = bool(repository.registry_suffix)
        for url in (*repository.urls, *self._charts(repository, namespace)):
            if namespace not in self._subscribers.get(url, ()):
                continue
            for target, subscriptions in list(self._subscribers[url][namespace].items()):
                for subscription in subscriptions:
                    yield target, subscription if subscription.kind is Kind.CHART or not charts_only else None

    def _charts(self, repository: Repository, namespace: str) -> list[str]:
        """A project's charts at a repository's paths, in any registry that may have sent the event."""
        suffix = repository.registry_suffix
        return [
            url
            for path in repository.chart_paths
            if namespace in self._charts_at.get(path, ())
            for url, host in self._charts_at[path][namespace].items()
            if host.endswith(suffix)
        ]

    def _subscriptions_to(self, url: str, target: Target) -> tuple[Subscription, ...]:
        by_project = self._subscribers.get(url)
        subscribers = by_project.get(target.namespace) if by_project is not None else None
        return subscribers.get(target, ()) if subscribers is not None else ()

    def _of(self, target: Target) -> list[Subscription]:
        found = (
            each
            for url in self._urls[target.namespace][target]
            for each in self._subscribers[url][target.namespace][target]
        )
        return sorted(found, key=lambda each: each.position)

    def _note_faults(self, target: Target, faults: dict[int, str], subscriptions: Iterable[Subscription]) -> None:
        if faults:
            self._faults[target] = faults
            self._fault_count += len(faults)
        selectors = ((each.position, each.selector) for each in subscriptions)
        unchecked = {position: each.reason for position, each in selectors if isinstance(each, Unchecked)}
        if unchecked:
            self._unchecked[target] = unchecked

    def _remove_subscriber(self, url: str, target: Target) -> None:
        by_project = self._subscribers[url]
        del by_project[target.namespace][target]
        if by_project[target.namespace]:
            return
        _discard(self._subscribers, url, target.namespace)
        path = repositories.path(url)
        if target.namespace in self._charts_at.get(path, ()):
            self._charts_at[path][target.namespace].pop(url, None)
            if not self._charts_at[path][target.namespace]:
                _discard(self._charts_at, path, target.namespace)


def _discard[Value](outer: dict[str, defaultdict[str, Value]], key: str, namespace: str) -> None:
    del outer[key][namespace]
    if not outer[key]:
        del outer[key]


def _listed(reasons: dict[Target, dict[int, str]]) -> list[Fault]:
    return [
        Fault(target=target, position=position, reason=reason)
        for target in sorted(reasons)
        for position, reason in sorted(reasons[target].items())
    ]


def _decide(
    target: Target,
    matching: list[Subscription],
    change: Change,
    effort: Effort,
    verdicts: dict[Selector, Verdict],
) -> Decision:
    if not change.qualifiers:
        return Decision(target=target, refresh=True, reason="the push names no tag, so every subscriber is refreshed")
    refusals: dict[str, None] = {}  # in their order, equal ones once
    for subscription in sorted(matching, key=lambda each: each.position):
        verdict = _verdict(subscription.selector, change, effort, verdicts)
        if verdict.accepted:
            return Decision(target=target, refresh=True, reason=verdict.reason)
        broken = isinstance(subscription.selector, Broken)
        refusals[f"spec.subscriptions[{subscription.position}]: {verdict.reason}" if broken else verdict.reason] = None
    return Decision(target=target, refresh=False, reason=_joined(list(refusals)))


def _verdict(selector: Selector, change: Change, effort: Effort, verdicts: dict[Selector, Verdict]) -> Verdict:
    """Most Warehouses of a project want the same of a repository, so that one verdict does for all of them."""
    known = verdicts.get(selector)
    if known is None:
        known = verdicts[selector] = selector.decide(change, effort)
    return known


def _joined(reasons: list[str]) -> str:
    shown, more = reasons[:_REASONS], len(reasons[_REASONS:])
    return "; ".join([*shown, f"and {more} more"] if more else shown)
