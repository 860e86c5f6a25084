"""From events to Warehouses, whatever tenants wrote and a sender posted."""

import asyncio
import gc
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from time import thread_time
from typing import Any

import pytest

from receivers import limits
from receivers.cluster.refresher import Outcome, Result
from receivers.cluster.turns import Turns
from receivers.deliveries import matching
from receivers.events import Kind, Pushed, Selected, Selection, Target
from receivers.kargo import patterns
from receivers.kargo.index import SubscriptionIndex
from tests.loop_lag import HELD, loop_lag

IMAGE = "r.azurecr.io/team/app"
SLOW = "(a|b)*a(a|b){%d}c"  # every further letter of a tag leads to a new state


class Known:
    """A mirror whose Warehouses are known already."""

    def __init__(self, index: SubscriptionIndex) -> None:
        self.index = index

    async def warehouses_ready(self, _project: str | None) -> None:
        """At once."""


async def match(index: SubscriptionIndex, *events: Pushed, project: str | None = "demo") -> matching.Match:
    mirror: Any = Known(index)
    return await matching.match(mirror, events, project=project)


def pushed(*tags: str, url: str = IMAGE) -> Pushed:
    return Pushed(repository_urls=(url,), qualifiers=tags)


def image(url: str = IMAGE, **fields: object) -> dict[str, Any]:
    return {"image": {"repoURL": url, **fields}}


def warehouses(number: int, wanted: Callable[[int], list[dict[str, Any]]], *, projects: int = 1) -> SubscriptionIndex:
    index = SubscriptionIndex()
    for position in range(number):
        namespace = "demo" if projects == 1 else f"p{position % projects}"
        index.put(Target(namespace, f"w{position:05}"), wanted(position))
    return index


def reasons(match: matching.Match) -> dict[str, str]:
    return {decision.target.name: decision.reason for decision in match.decisions}


async def test_pushes_to_one_repository_count_as_one() -> None:
    index = warehouses(2, lambda number: [image(constraint=f"^{number}")])
    found = await match(index, pushed("0.1.0"), pushed("1.0.0", url=IMAGE.upper()), pushed("0.1.0"))
    assert reasons(found) == {"w00000": "tag 0.1.0 satisfies ^0", "w00001": "tag 1.0.0 satisfies ^1"}
    assert [target.name for target in found.targets] == ["w00000", "w00001"]


async def test_one_push_without_a_tag_refreshes_every_subscriber() -> None:
    index = warehouses(1, lambda _: [image(constraint="^9")])
    found = await match(index, pushed("1.0.0"), pushed())
    assert reasons(found) == {"w00000": "the push names no tag, so every subscriber is refreshed"}


async def test_one_of_several_repositories_is_enough() -> None:
    index = warehouses(1, lambda _: [image(constraint="^9"), image("b.io/bb", constraint="^1"), image("c.io/cc")])
    index.put(Target("demo", "other"), [image("d.io/dd")])
    found = await match(index, pushed("1.0.0"), pushed("1.0.0", url="b.io/bb"), pushed("x", url="c.io/cc"))
    assert reasons(found) == {"w00000": "tag 1.0.0 satisfies ^1"}
    assert found.others == 1


async def test_pushes_of_git_to_one_repository_lose_nothing_together() -> None:
    url = "https://git.example.com/app"
    wanted = ({"branch": "main", "includePaths": ["app"]}, {"includePaths": ["app"]}, {"branch": "x"})
    index = warehouses(3, lambda number: [{"git": {"repoURL": url, **wanted[number]}}])

    def push(ref: str, *files: str, default: str = "") -> Pushed:
        return Pushed(
            repository_urls=(url,),
            kinds=(Kind.GIT,),
            qualifiers=(f"refs/heads/{ref}",),
            changed_files=frozenset(files) or None,
            default_branch=default,
        )

    found = await match(index, push("main", "app/a"), push("dev", "docs/b", default="dev"))
    assert [target.name for target in found.targets] == ["w00000", "w00001"]
    found = await match(index, push("dev", "docs/b", default="dev"), push("main", "docs/c"))
    assert found.targets == []
    found = await match(index, push("dev", "docs/b", default="dev"), push("main"))
    assert [target.name for target in found.targets] == ["w00000", "w00001"]


def demanding(number: int) -> list[dict[str, Any]]:
    return [image(constraint="||".join([f">={number}.{part}.0" for part in range(20)])) for part in range(20)]


TAGS = tuple(f"{'ab' * 20}{number}" for number in range(1_000))
HOSTILE: dict[str, tuple[int, Callable[[int], list[dict[str, Any]]], list[Pushed]]] = {
    "a thousand expressions and a thousand tags": (
        1,
        lambda _: [image(allowTagsRegexes=[f"^v{each}-(alpha|beta)$" for each in range(1_000)])],
        [pushed(*TAGS)],
    ),
    "as many expressions as are checked, on every tag": (
        250,
        lambda number: [image(allowTagsRegexes=[f"^v{number}-{each}-(alpha|beta)$" for each in range(100)])],
        [pushed(*TAGS)],
    ),
    "expressions that lead to ever new states": (
        250,
        lambda number: [image(ignoreTagsRegexes=[SLOW % each + str(number) for each in range(1, 30)])],
        [pushed(*TAGS[:20])],
    ),
    "long constraints and a thousand versions": (
        250,
        demanding,
        [pushed(*(f"0.0.{number}-a.b.c.d.e.f.g" for number in range(1_000)))],
    ),
    "tags of 4,096 characters": (
        250,
        lambda number: [image(allowTagsRegexes=[f"(a|b)*x{number}"])],
        [pushed(*(f"{'ab' * 2_000}{number}" for number in range(500)))],
    ),
    "five thousand Warehouses and a batch of five thousand events": (
        5_000,
        lambda number: [image(constraint=f"^{number % 100}")],
        [pushed(f"1.{number}.0", url=IMAGE + "\u200b" * (number % 40)) for number in range(5_000)],
    ),
    "a batch of five thousand repositories": (
        1_000,
        lambda number: [image(f"r.io/app{each}", constraint=f"^{number}") for each in range(5)],
        [pushed("1.0.0", url=f"R.io/app{number}") for number in range(5_000)],
    ),
    "charts at one path in thousands of registries": (
        80,
        lambda number: [{"chart": {"repoURL": f"oci://r{number}-{each}.azurecr.io/helm/app"}} for each in range(250)],
        [Pushed(repository_urls=("helm/app",), registry_suffix=".azurecr.io", qualifiers=("latest",))],
    ),
}


async def test_selecting_lets_others_have_their_turn_at_each_warehouse(monkeypatch: pytest.MonkeyPatch) -> None:
    selected = [Target("demo", f"w{number}") for number in range(100)]
    taken = 0

    class Counting(Turns):
        async def take(self) -> None:
            nonlocal taken
            taken += 1

    class Warehouses:
        def select(self, _selection: Selection, **_scope: str | None) -> list[Target | None]:
            return [*selected, None]

    mirror: Any = Known(SubscriptionIndex())
    mirror.warehouses = Warehouses()
    monkeypatch.setattr(matching, "Turns", Counting)
    found = await matching.match(mirror, [Selected(selections=(Selection(),))], project="demo")
    assert [decision.target for decision in found.decisions] == sorted(selected)
    assert taken == 101


@pytest.fixture
def _frozen() -> Iterator[None]:
    """What other tests left behind is not looked at by the garbage collector, which would hold the event loop."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.mark.usefixtures("_frozen")
@pytest.mark.parametrize("name", HOSTILE)
async def test_matching_never_holds_the_event_loop(name: str) -> None:
    number, wanted, events = HOSTILE[name]
    index = warehouses(number, wanted)
    patterns._examined.cache_clear()
    async with loop_lag() as lag:
        found = await match(index, *events)
    assert len(found.decisions) == number
    assert lag.longest_computing < HELD


@pytest.mark.usefixtures("_frozen")
async def test_a_cluster_receiver_never_holds_the_event_loop_though_every_project_be_hostile() -> None:
    index = warehouses(2_000, lambda number: [image(allowTagsRegexes=[f"a+b*{number}"])], projects=100)
    async with loop_lag() as lag:
        found = await match(index, pushed(*TAGS[:100]), project=None)
    assert len(found.decisions) == 2_000
    assert lag.longest_computing < HELD


@pytest.mark.parametrize("name", HOSTILE)
def test_putting_a_warehouse_holds_the_event_loop_for_a_moment(name: str) -> None:
    _, wanted, _ = HOSTILE[name]
    index = SubscriptionIndex()
    for number in range(3):
        patterns._examined.cache_clear()
        took = _time_to_put(index, Target("demo", f"w{number}"), wanted(number))
        if took < HELD:
            return
    pytest.fail(f"{took} s")


def _time_to_put(index: SubscriptionIndex, target: Target, subscriptions: object) -> float:
    began = thread_time()
    index.put(target, subscriptions)
    return thread_time() - began


async def test_past_what_is_checked_a_push_refreshes_and_says_so() -> None:
    number, wanted, events = HOSTILE["as many expressions as are checked, on every tag"]
    found = await match(warehouses(number, wanted), *events)
    assert set(reasons(found).values()) == {"too many tags and expressions to check for this push, so it is refreshed"}
    assert len(found.targets) == number
    assert limits.DECISION_EFFORT < limits.PROJECT_EFFORT < limits.DELIVERY_EFFORT


class Settling:
    """A refresher that settles what it was asked for, some at a time, once it has been asked for all."""

    def __init__(self, number: int) -> None:
        self._number = number
        self._asked: list[asyncio.Future[Outcome]] = []
        self._asked_for_all = asyncio.Event()

    def covered(self, _target: Target, *, since: datetime) -> None:
        """Nothing was refreshed lately."""

    def struggles(self, _target: Target) -> bool:
        """All is well."""
        return False

    def refresh(self, _target: Target) -> asyncio.Future[Outcome]:
        self._asked.append(asyncio.get_running_loop().create_future())
        if len(self._asked) == self._number:
            self._asked_for_all.set()
        return self._asked[-1]

    async def settle(self) -> None:
        await self._asked_for_all.wait()
        for position, future in enumerate(self._asked):
            future.set_result(Outcome(result=Result.REFRESHED, attempts=1))
            if position % 100 == 0:
                await asyncio.sleep(0)


@pytest.mark.usefixtures("_frozen")
async def test_waiting_for_thousands_of_refreshes_never_holds_the_event_loop() -> None:
    targets = [Target("demo", str(number)) for number in range(20_000)]
    refresher: Any = Settling(len(targets))
    settling = asyncio.create_task(refresher.settle())
    async with loop_lag() as lag:
        until = asyncio.get_running_loop().time() + 60
        refreshes = await matching.refresh(refresher, targets, since=datetime.now(UTC), until=until)
    await settling
    assert len(refreshes.outcomes) == len(targets)
    assert lag.longest_computing < HELD
