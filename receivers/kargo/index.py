"""Which Warehouses a push concerns, without asking the cluster."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from receivers.events import ArtifactPushed, Decision, Kind, Target
from receivers.kargo import media_types, urls
from receivers.kargo.selectors import Broken
from receivers.kargo.subscriptions import Subscription, read

_REASONS = 3  # shown of one Warehouse: enough to see what is wrong, and short


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """A subscription that cannot be read."""

    target: Target
    position: int  # in spec.subscriptions, from 0
    reason: str


class SubscriptionIndex:
    """The subscriptions of all Warehouses, by normalised URL.

    All work that does not depend on the push is done when a Warehouse is put.
    """

    def __init__(self) -> None:
        self._urls: dict[Target, frozenset[str]] = {}
        self._faults: dict[Target, dict[int, str]] = {}
        self._warehouses_in: Counter[str] = Counter()
        self._subscribers: defaultdict[str, dict[Target, tuple[Subscription, ...]]] = defaultdict(dict)
        self._charts_at: defaultdict[str, set[str]] = defaultdict(set)  # URLs of charts by their path in the registry

    def __len__(self) -> int:
        """How many Warehouses there are."""
        return len(self._urls)

    def count(self, project: str | None) -> int:
        """How many Warehouses a project has, or all projects together."""
        return len(self) if project is None else self._warehouses_in[project]

    def put(self, target: Target, subscriptions: object) -> None:
        """Add or replace a Warehouse; ``subscriptions`` is the JSON of its ``spec.subscriptions``, anything at all."""
        self.remove(target)
        reading = read(subscriptions)
        self._warehouses_in[target.namespace] += 1
        self._urls[target] = frozenset(subscription.url for subscription in reading.subscriptions)
        for url in self._urls[target]:
            self._subscribers[url][target] = tuple(each for each in reading.subscriptions if each.url == url)
        for subscription in reading.subscriptions:
            if subscription.kind is Kind.CHART:
                self._charts_at[_path(subscription.url)].add(subscription.url)
        if reading.faults:
            self._faults[target] = reading.faults

    def remove(self, target: Target) -> None:
        """Forget a Warehouse; one that is not there is forgotten already."""
        gone = self._urls.pop(target, None)
        if gone is None:
            return
        self._faults.pop(target, None)
        self._warehouses_in[target.namespace] -= 1
        for url in gone:
            self._remove_subscriber(url, target)

    def faults(self) -> list[Fault]:
        """Every subscription that cannot be read, by Warehouse and position."""
        return [
            Fault(target=target, position=position, reason=reason)
            for target in sorted(self._faults)
            for position, reason in sorted(self._faults[target].items())
        ]

    def subscriptions(self, project: str | None) -> list[Subscription]:
        """Every subscription to images and charts of a project's Warehouses, or of all, by Warehouse and position."""
        return [
            subscription
            for target in sorted(target for target in self._urls if project in (None, target.namespace))
            for subscription in self._of(target)
        ]

    def match(self, event: ArtifactPushed, *, project: str | None) -> list[Decision]:
        """Decide on every Warehouse that subscribes to what was pushed, by namespace and name.

        Args:
            event: What was pushed. Without qualifiers every subscriber is refreshed.
            project: Only Warehouses of this project; ``None``: of all.
        """
        candidates: dict[Target, list[Subscription]] = {}
        for target, subscription in self._matching(event):
            if project is None or target.namespace == project:
                candidates.setdefault(target, []).append(subscription)
        qualifiers = sorted({qualifier for qualifier in event.qualifiers if qualifier})
        return [
            _decide(target, candidates[target], qualifiers)
            for target in sorted(candidates, key=lambda target: (target.namespace, target.name))
        ]

    def _of(self, target: Target) -> list[Subscription]:
        found = (each for url in self._urls[target] for each in self._subscribers[url][target])
        return sorted(found, key=lambda each: each.position)

    def _matching(self, event: ArtifactPushed) -> Iterator[tuple[Target, Subscription]]:
        """Images and charts share one index, as in Kargo; but a push without a host is a chart's for certain."""
        charts_only = bool(event.registry_suffix)
        for url in self._chart_urls(event) if charts_only else _normalised_urls(event):
            for target, subscriptions in self._subscribers.get(url, {}).items():
                for subscription in subscriptions:
                    if subscription.kind is Kind.CHART or not charts_only:
                        yield target, subscription

    def _chart_urls(self, event: ArtifactPushed) -> set[str]:
        """The charts at the event's paths, in any registry that may have sent it."""
        suffix = event.registry_suffix.lower()
        return {
            url
            for path in event.repository_urls
            for url in self._charts_at.get(path.strip("/").lower(), ())
            if _host(url).endswith(suffix)
        }

    def _remove_subscriber(self, url: str, target: Target) -> None:
        del self._subscribers[url][target]
        if self._subscribers[url]:
            return
        del self._subscribers[url]
        path = _path(url)
        if path in self._charts_at:
            self._charts_at[path].discard(url)
            if not self._charts_at[path]:
                del self._charts_at[path]


def _normalised_urls(event: ArtifactPushed) -> list[str]:
    """What the event's URLs may stand for."""
    kinds = event.kinds or media_types.kinds(event.media_type)
    return sorted({urls.normalise(kind, url) for kind in kinds for url in event.repository_urls} - {""})


def _decide(target: Target, matching: list[Subscription], qualifiers: list[str]) -> Decision:
    if not qualifiers:
        return Decision(target=target, refresh=True, reason="the push names no tag, so every subscriber is refreshed")
    refusals: dict[str, None] = {}  # in their order, equal ones once
    for subscription in sorted(matching, key=lambda each: each.position):
        verdict = subscription.selector.decide(qualifiers)
        if verdict.accepted:
            return Decision(target=target, refresh=True, reason=verdict.reason)
        broken = isinstance(subscription.selector, Broken)
        refusals[f"spec.subscriptions[{subscription.position}]: {verdict.reason}" if broken else verdict.reason] = None
    return Decision(target=target, refresh=False, reason=_joined(list(refusals)))


def _joined(reasons: list[str]) -> str:
    shown, more = reasons[:_REASONS], len(reasons[_REASONS:])
    return "; ".join([*shown, f"and {more} more"] if more else shown)


def _host(url: str) -> str:
    return _address(url).partition("/")[0].partition(":")[0]


def _path(url: str) -> str:
    return _address(url).partition("/")[2].strip("/")


def _address(url: str) -> str:
    return url.removeprefix("https://").removeprefix("http://")
