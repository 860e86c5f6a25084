"""Whatever the order in which refreshes are asked for and patches end: none is lost, and none is served too early."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import cast

from hypothesis import given, settings
from hypothesis import strategies as st

from receivers import limits
from receivers.cluster.api import Api, ClusterError, RefusedError, UnreachableError
from receivers.cluster.availability import Availability
from receivers.cluster.refresher import ANNOTATION, Outcome, Refresher, Result
from receivers.events import Target
from testbed.waiting import turns

TARGETS = [Target("kargo-demo", name) for name in ("a", "b", "c")]
SLOTS = 2

ask = st.tuples(st.just("ask"), st.integers(0, len(TARGETS) - 1))
end = st.tuples(st.sampled_from(["done", "lost", "429", "404", "422"]), st.integers(0, SLOTS - 1))
pause = st.tuples(st.just("pause"), st.just(0))
steps = st.lists(ask | end | pause, max_size=60)


@dataclass
class Patch:
    path: str
    value: str
    began: int
    end: asyncio.Future[None]


@dataclass
class FakeCluster:
    """An API whose patches end when, and as, the test says. Time is the number of steps so far."""

    now: int = 0
    patches: list[Patch] = field(default_factory=list)

    @property
    def under_way(self) -> list[Patch]:
        return [patch for patch in self.patches if not patch.end.done()]

    async def merge_patch(self, path: str, body: bytes, **_: object) -> None:
        value = body.decode().split(f'"{ANNOTATION}":"')[1].split('"')[0]
        patch = Patch(path, value, self.now, asyncio.get_running_loop().create_future())
        self.patches.append(patch)
        await patch.end

    async def get(self, *_: object, **__: object) -> bytes:
        """The probe: the cluster is there."""
        return b"{}"


def failure(name: str, number: int) -> ClusterError | None:
    """How a patch ends; the text says which one it was."""
    if name == "done":
        return None
    return UnreachableError(str(number)) if name == "lost" else RefusedError(int(name), str(number))


async def play(script: Iterable[tuple[str, int]]) -> None:
    cluster = FakeCluster()
    api = cast("Api", cluster)
    availability = Availability(api)
    refresher = Refresher(api, availability)
    asked: list[tuple[int, Target, asyncio.Future[Outcome]]] = []
    for name, number in script:
        cluster.now += 1
        if name == "ask":
            asked.append((cluster.now, TARGETS[number], refresher.refresh(TARGETS[number])))
        elif name == "pause":
            await turns(5)
        elif number < len(cluster.under_way):
            _end(cluster, number, name)
        paths = [patch.path for patch in cluster.under_way]
        assert len(paths) == len(set(paths)) <= SLOTS
    while refresher.pending:
        cluster.now += 1
        await turns(1)
        if cluster.under_way:
            _end(cluster, 0, "done")
    for time, target, future in asked:
        _check(cluster, time, target, future.result())
    await availability.close()


def _end(cluster: FakeCluster, number: int, name: str) -> None:
    patch = cluster.under_way[number]
    error = failure(name, cluster.patches.index(patch))
    if error is None:
        patch.end.set_result(None)
    else:
        patch.end.set_exception(error)


def _check(cluster: FakeCluster, asked: int, target: Target, outcome: Outcome) -> None:
    """The outcome is that of a patch of this object which began after it was asked for."""
    if outcome.result is Result.REFRESHED:
        (patch,) = [patch for patch in cluster.patches if patch.value == outcome.value]
        assert patch.end.exception() is None
    else:
        patch = cluster.patches[int(outcome.error.split()[-1])]
        assert str(patch.end.exception()) == outcome.error
    assert patch.path.endswith(f"/{target.name}")
    assert patch.began >= asked


@settings(max_examples=300, deadline=None)
@given(steps)
def test_every_refresh_is_settled_by_a_patch_that_began_after_it_was_asked_for(script: list[tuple[str, int]]) -> None:
    before = limits.PATCHES_IN_FLIGHT, limits.BACKOFF_FIRST
    limits.PATCHES_IN_FLIGHT, limits.BACKOFF_FIRST = SLOTS, 0.0
    try:
        asyncio.run(play(script))
    finally:
        limits.PATCHES_IN_FLIGHT, limits.BACKOFF_FIRST = before
