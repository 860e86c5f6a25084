"""Which receivers can tell of a subscription, as far as what is configured says.

Whether a receiver's URL is registered at its sender nobody here knows: what can be told of may still be only polled.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Self

from receivers import limits
from receivers.cluster.mirror import Mirror
from receivers.cluster.turns import Turns
from receivers.events import Home, Kind, Provider, Receiver, Selection, Target
from receivers.kargo import aliases, repositories
from receivers.kargo.subscriptions import Subscription
from receivers.providers import PROVIDERS, serving

# Public registries whose pushes nobody is told of, by whatever webhook
_NOBODYS = (
    "mcr.microsoft.com",
    "nvcr.io",
    "public.ecr.aws",
    "registry.access.redhat.com",
    "registry.gitlab.com",
    "registry.k8s.io",
    "registry.redhat.io",
)

type Means = Callable[[Selection, Target], bool]


@dataclass(slots=True)
class _Scope:
    """The receivers of one project, or those of the cluster."""

    hosts: list[tuple[Receiver, Home]] = field(default_factory=list)  # who tells of whole hosts
    named: list[tuple[Receiver, Home, str]] = field(default_factory=list)  # of one registry or repository, by its URL
    selecting: list[tuple[Receiver, Selection]] = field(default_factory=list)  # whatever is pushed
    found: dict[tuple[Kind, bool, str], list[Receiver]] = field(default_factory=dict)  # of these hosts, as known so far


class Tellers:
    """Who can tell of what, among some receivers. Made for one look: it learns of no change."""

    def __init__(self) -> None:
        self._scopes: dict[str | None, _Scope] = {}

    @classmethod
    async def among(cls, receivers: Iterable[Receiver]) -> Self:
        """However many there are, other tasks get their turn; no provider is imported while they wait."""
        await asyncio.to_thread(tuple, PROVIDERS.values())
        tellers, turns = cls(), Turns()
        for receiver in receivers:
            tellers.add(receiver)
            await turns.take()
        return tellers

    def add(self, receiver: Receiver) -> None:
        """Count a receiver among them; one that is not served tells of nothing."""
        provider = _provider(receiver)
        if provider is not None:
            self._add(self._scopes.setdefault(receiver.project, _Scope()), receiver, provider)

    def of(self, target: Target, subscription: Subscription, *, means: Means) -> list[Receiver]:
        """The receivers that can tell of what a Warehouse's subscription wants, those of its project first.

        ``means`` says whether a selection means a Warehouse.
        """
        scopes = (self._scopes.get(scope) for scope in (target.namespace, None))
        return [receiver for scope in scopes if scope for receiver in _telling(scope, target, subscription, means)]

    def _add(self, scope: _Scope, receiver: Receiver, provider: Provider) -> None:
        if provider.selects is not None:
            room = limits.COVERAGE_SELECTIONS - len(scope.selecting)
            scope.selecting += [(receiver, each) for each in tuple(provider.selects(receiver))[:room]]
        elif provider.home.named and (registry := receiver.options.get("registry", "").rstrip("/")):
            scope.named.append((receiver, provider.home, registry))
        elif not provider.lacking(receiver.options):
            scope.hosts.append((receiver, provider.home))


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """One Warehouse: its subscriptions with who can tell of each, and why others cannot be read, by position."""

    target: Target
    told: Sequence[tuple[Subscription, list[Receiver]]]
    faults: dict[int, str]

    @property
    def untold(self) -> list[Subscription]:
        """The subscriptions that no receiver can tell of."""
        return [subscription for subscription, by in self.told if not by]


@dataclass(slots=True)
class Survey:
    """All Warehouses of a project, or of all: those to look at, by project and name, and how many there are."""

    untold: list[Target] = field(default_factory=list)  # with a subscription that no receiver can tell of, or a fault
    told: list[Target] = field(default_factory=list)
    subscriptions: int = 0
    only_polled: int = 0  # subscriptions that no receiver can tell of
    unreadable: int = 0  # subscriptions


def look(mirror: Mirror, tellers: Tellers, target: Target) -> Look:
    """One Warehouse; one that is gone has no subscriptions."""
    index, means = mirror.index, mirror.warehouses.means
    faults = index.faults_of(target)
    readable = (each for each in index.subscriptions_of(target) if each.position not in faults)
    return Look(target=target, told=[(each, tellers.of(target, each, means=means)) for each in readable], faults=faults)


async def survey(mirror: Mirror, tellers: Tellers, *, project: str | None = None) -> Survey:
    """Look at every Warehouse of a project, or of all, giving other tasks their turn."""
    found, turns = Survey(), Turns()
    for namespace in [project] if project is not None else mirror.index.projects():
        for target in sorted(mirror.index.targets(namespace), key=lambda each: each.name):
            seen = look(mirror, tellers, target)
            found.subscriptions += len(seen.told)
            found.only_polled += len(seen.untold)
            found.unreadable += len(seen.faults)
            (found.untold if seen.untold or seen.faults else found.told).append(target)
            await turns.take()
    return found


def tells(home: Home, kind: Kind, registry: str, *, classic: bool = False) -> bool:
    """Whether a sender tells of what is pushed to a registry or Git host, ``classic``: to a chart repository there."""
    if kind not in home.kinds or not registry or (classic and not home.charts):
        return False
    host = registry.partition(":")[0]
    if home.anywhere or any(_is_of(host, each) for each in home.own):
        return True
    return kind in home.elsewhere and not _is_somebodys(host)


def of_host(kind: Kind, registry: str) -> str:
    """The provider whose own host this is; empty for nobody's."""
    host = registry.partition(":")[0]
    fitting = (
        name
        for name, provider in PROVIDERS.items()
        if kind in provider.home.kinds and any(_is_of(host, each) for each in provider.home.own)
    )
    return next(fitting, "")


def is_classic(subscription: Subscription) -> bool:
    """Whether it is a chart repository from before there were charts in registries."""
    return subscription.kind is Kind.CHART and "://" in subscription.url


def _telling(scope: _Scope, target: Target, subscription: Subscription, means: Means) -> list[Receiver]:
    registry, classic = repositories.registry(subscription.kind, subscription.url), is_classic(subscription)
    key = (subscription.kind, classic, registry)
    if key not in scope.found:
        scope.found[key] = [
            receiver for receiver, home in scope.hosts if tells(home, subscription.kind, registry, classic=classic)
        ]
    named = [
        receiver
        for receiver, home, url in scope.named
        if subscription.kind in home.kinds and f"{subscription.url}/".startswith(f"{url}/")
    ]
    selecting = {
        id(receiver): receiver
        for receiver, selection in scope.selecting
        if _concerns(selection, subscription) and means(selection, target)
    }
    return [*scope.found[key], *named, *selecting.values()]


def _concerns(selection: Selection, subscription: Subscription) -> bool:
    """Whether a selection that names repositories names this one: it tells of no other."""
    named = [each.values for each in selection.subscribed_to if each.operator == "In"]
    return all(aliases.canonical(subscription.url) in map(aliases.canonical, values) for values in named)


def _provider(receiver: Receiver) -> Provider | None:
    found = serving(receiver.provider)
    return found[0].of(receiver) if found else None


def _is_of(host: str, own: str) -> bool:
    if own.startswith((".", "-")):
        return host.endswith(own)
    return host.startswith(own) if own.endswith(".") else host == own


def _is_somebodys(host: str) -> bool:
    owned = (own for provider in PROVIDERS.values() for own in provider.home.own if not own.endswith("."))
    return host in _NOBODYS or any(_is_of(host, own) for own in owned)
