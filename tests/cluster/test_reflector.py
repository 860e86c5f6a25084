"""A resource is kept in step with the cluster, whatever happens to the cluster and to the connection."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest

from receivers import limits
from receivers.cluster.api import KARGO, Api, ClusterError, UnreachableError
from receivers.cluster.backoff import Backoff
from receivers.cluster.records import Identified, Identity, Key, UnreadableError
from receivers.cluster.reflector import Reflector
from receivers.cluster.unreadable import Unreadable
from testbed.fault_proxy import FaultProxy
from testbed.objects import PROJECT, warehouse
from testbed.servers import ApiServer, RealServer
from testbed.waiting import eventually, ours, turns
from tests.cluster.conftest import connect
from tests.loop_lag import HELD, loop_lag

WAREHOUSES = f"{KARGO}/warehouses"


class Names:
    """A store that keeps names, with the image that is subscribed to."""

    def __init__(self) -> None:
        self.unreadable = Unreadable()
        self.images: dict[str, str] = {}
        self.applied: Counter[str] = Counter()
        self.odd = ""  # the name of an object that cannot be read
        self.defect: Exception | None = None  # what applying any object raises because of a mistake of ours

    def apply(self, encoded: msgspec.Raw) -> Identity:
        metadata = msgspec.json.decode(encoded, type=Identified).metadata
        if metadata.name == self.odd:
            raise UnreadableError("it is odd")
        if self.defect is not None:
            raise self.defect
        self.applied[metadata.name] += 1
        subscriptions = msgspec.json.decode(encoded)["spec"]["subscriptions"]
        self.images[metadata.name] = subscriptions[0]["image"]["repoURL"]
        return metadata.identity

    def delete(self, key: Key) -> None:
        self.images.pop(key.name, None)

    def known(self) -> list[Key]:
        return [Key(PROJECT, name) for name in self.images]


class Pauses(Backoff):
    """A back-off that remembers what it was asked for, and makes nobody wait long."""

    def __init__(self) -> None:
        super().__init__(jitter=lambda: 1.0)
        self.asked: list[tuple[float | None, float]] = []  # what the server asked for, and what it came to

    def next(self, retry_after: float | None = None, *, spread: float = 0.0) -> float:
        self.asked.append((retry_after, super().next(retry_after, spread=spread)))
        return 0.01


class Clock:
    """A clock that stands unless a test sets it."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def store() -> Names:
    return Names()


@pytest.fixture
def pauses() -> Pauses:
    return Pauses()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@asynccontextmanager
async def running(reflector: Reflector) -> AsyncIterator[asyncio.Task[None]]:
    task = asyncio.create_task(reflector.run())
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.wait([task])


@pytest.fixture
async def reflector(api: Api, store: Names, pauses: Pauses, clock: Clock) -> AsyncIterator[Reflector]:
    """A reflector of the cluster's Warehouses, which runs."""
    reflector = Reflector(api, WAREHOUSES, store, backoff=pauses, clock=clock)
    async with running(reflector):
        yield reflector


def lists(proxy: FaultProxy) -> int:
    """How often a list was begun."""
    return len([each for each in proxy.sent("GET", WAREHOUSES) if not each.is_watch and "continue" not in each.query])


# The cluster is well


async def test_what_is_there_is_listed_and_what_changes_is_watched(
    api_server: ApiServer, fault_proxy: FaultProxy, reflector: Reflector, store: Names
) -> None:
    await eventually(lambda: reflector.watching)
    await api_server.apply(warehouse("a", image="example.com/a"), warehouse("b", project="other"))
    await eventually(lambda: store.images.keys() == {"a", "b"})
    await api_server.apply(warehouse("a", image="example.com/changed"))
    await eventually(lambda: store.images["a"] == "example.com/changed")
    await api_server.delete("Warehouse", "a", PROJECT)
    await eventually(lambda: store.images.keys() == {"b"})
    assert lists(fault_proxy) == 1
    assert reflector.fault == ""


async def test_many_objects_come_in_pages(api_server: ApiServer, fault_proxy: FaultProxy, api: Api) -> None:
    names = {f"app-{number:04}" for number in range(limits.PAGE + 20)}
    await api_server.apply(*(warehouse(name) for name in names))
    store = Names()
    async with running(Reflector(api, WAREHOUSES, store)):
        await fault_proxy.wait_for_watches(1)
    assert store.images.keys() == names
    queries = [each.query for each in fault_proxy.sent("GET", WAREHOUSES) if not each.is_watch]
    assert [query["limit"] for query in queries] == [str(limits.PAGE)] * 2
    assert ["continue" in query for query in queries] == [False, True]


async def test_many_callers_share_one_list(fault_proxy: FaultProxy, api: Api, store: Names) -> None:
    reflector = Reflector(api, WAREHOUSES, store)
    await asyncio.gather(*(reflector.list_now() for _ in range(20)))
    assert lists(fault_proxy) == 1
    await reflector.list_now()
    assert lists(fault_proxy) == 2


# The connection breaks


async def test_a_watch_that_is_dropped_goes_on_where_it_was_without_a_list(
    api_server: ApiServer, fault_proxy: FaultProxy, reflector: Reflector, store: Names
) -> None:
    await fault_proxy.wait_for_watches(1)
    (made,) = await api_server.apply(warehouse("a"))
    await eventually(lambda: "a" in store.images)
    fault_proxy.hold(watch=True)
    assert fault_proxy.drop_watches() == 1
    await eventually(lambda: not reflector.watching)
    await api_server.apply(warehouse("b"))
    await api_server.delete("Warehouse", "a", PROJECT)
    fault_proxy.release()
    await eventually(lambda: store.images.keys() == {"b"})
    assert lists(fault_proxy) == 1
    resumed = fault_proxy.sent("GET", WAREHOUSES)[-1]
    assert resumed.query["resourceVersion"] == made["metadata"]["resourceVersion"]
    assert resumed.query["allowWatchBookmarks"] == "true"


@pytest.mark.parametrize("told", ["as an answer", "as an event"])
async def test_a_version_that_is_too_old_is_listed_again(
    api_server: ApiServer, fault_proxy: FaultProxy, reflector: Reflector, store: Names, told: str
) -> None:
    await api_server.apply(warehouse("a"), warehouse("b"))
    await fault_proxy.wait_for_watches(1)
    fault = fault_proxy.answer(410, watch=True) if told == "as an answer" else fault_proxy.expire()
    fault_proxy.hold(watch=False)
    fault_proxy.drop_watches()
    await eventually(lambda: lists(fault_proxy) == 2)
    await api_server.delete("Warehouse", "a", PROJECT)
    await api_server.apply(warehouse("c"))
    fault_proxy.release()
    await eventually(lambda: store.images.keys() == {"b", "c"})
    assert fault.used == 1
    assert lists(fault_proxy) == 2
    await eventually(lambda: reflector.watching)


async def test_a_page_that_is_too_old_begins_the_list_again(
    api_server: ApiServer, fault_proxy: FaultProxy, api: Api, store: Names, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "PAGE", 2)
    await api_server.apply(*(warehouse(name) for name in "abc"))
    fault_proxy.hold(path=WAREHOUSES, times=1)
    async with running(Reflector(api, WAREHOUSES, store, backoff=Pauses())):
        await fault_proxy.wait_for(1)
        fault_proxy.answer(410, path=WAREHOUSES)
        fault_proxy.release()
        await eventually(lambda: store.images.keys() == set("abc"))
    assert lists(fault_proxy) == 2


@pytest.mark.parametrize("fault", ["reset", "truncate", "garble", "answer"])
async def test_a_list_that_fails_is_tried_again(
    api_server: ApiServer, fault_proxy: FaultProxy, api: Api, store: Names, fault: str
) -> None:
    await api_server.apply(warehouse("a"))
    match fault:
        case "truncate":
            fault_proxy.truncate(20, times=3, watch=False)
        case "answer":
            fault_proxy.answer(503, times=3, watch=False)
        case _:
            getattr(fault_proxy, fault)(times=3, watch=False)
    reflector = Reflector(api, WAREHOUSES, store, backoff=Pauses())
    async with running(reflector):
        await eventually(lambda: reflector.watching)
    assert store.images.keys() == {"a"}
    assert reflector.fault == ""
    assert lists(fault_proxy) > 1


async def test_a_page_that_hangs_is_given_up(
    api_server: ApiServer, fault_proxy: FaultProxy, api: Api, store: Names, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "LIST_TIMEOUT", 0.1)
    await api_server.apply(warehouse("a"))
    fault_proxy.hang(times=1)
    async with running(Reflector(api, WAREHOUSES, store)):
        await eventually(lambda: "a" in store.images)


@pytest.mark.parametrize("fault", ["reset", "garble", "hang"])
async def test_a_watch_that_fails_is_tried_again_without_a_list(
    api_server: ApiServer, fault_proxy: FaultProxy, api: Api, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    monkeypatch.setattr(limits, "WATCH_SILENCE", 0.3)
    getattr(fault_proxy, fault)(times=2, watch=True)
    store = Names()
    async with running(Reflector(api, WAREHOUSES, store, backoff=Pauses())):
        await fault_proxy.wait_for_watches(1)
        await api_server.apply(warehouse("a"))
        await eventually(lambda: "a" in store.images)
    assert lists(fault_proxy) == 1


async def test_a_watch_that_sends_nonsense_is_closed_before_the_next_is_waited_for(store: Names) -> None:
    scripted = ScriptedApi([page("1")], [[b"nonsense"]])
    closed: list[int] = []

    class Watched(Pauses):
        def next(self, retry_after: float | None = None, *, spread: float = 0.0) -> float:
            closed.append(scripted.closed)
            return super().next(retry_after, spread=spread)

    async with running(Reflector(scripted.api, WAREHOUSES, store, backoff=Watched())):
        await eventually(lambda: len(scripted.watched) == 2)
    assert closed == [1]


async def test_a_silent_server_is_noticed_and_watched_again_once_it_speaks(
    api_server: ApiServer, fault_proxy: FaultProxy, reflector: Reflector, store: Names, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "WATCH_SILENCE", 0.3)
    monkeypatch.setattr(limits, "LIST_TIMEOUT", 0.3)
    await fault_proxy.wait_for_watches(1)
    api_server.pause()
    fault_proxy.drop_watches()
    await eventually(lambda: reflector.fault == "the API server did not answer in time")
    api_server.resume()
    await api_server.apply(warehouse("a"))
    await eventually(lambda: "a" in store.images)


async def test_a_server_that_is_killed_and_started_again_is_followed_again(
    api_server: ApiServer, reflector: Reflector, store: Names
) -> None:
    await api_server.apply(warehouse("a"), warehouse("b"))
    await eventually(lambda: store.images.keys() == {"a", "b"})
    await api_server.stop()
    await eventually(lambda: not reflector.watching)
    assert store.images.keys() == {"a", "b"}
    await api_server.start()
    await eventually(lambda: reflector.watching)
    await api_server.delete("Warehouse", "a", PROJECT)
    await api_server.apply(warehouse("c"))
    await eventually(lambda: store.images.keys() == {"b", "c"})


async def test_a_paused_database_is_waited_for(real_api_server: RealServer, store: Names) -> None:
    await real_api_server.apply(warehouse("a"))
    async with FaultProxy(real_api_server.url, ca_file=real_api_server.ca_file) as proxy:
        api = connect(real_api_server, proxy.url)
        reflector = Reflector(api, WAREHOUSES, store, backoff=Pauses())
        async with running(reflector):
            await eventually(lambda: reflector.watching)
            real_api_server.pause_etcd()
            writing = asyncio.create_task(real_api_server.apply(warehouse("b")))
            await turns()
            assert reflector.watching
            real_api_server.resume_etcd()
            await writing
            await eventually(lambda: store.images.keys() == {"a", "b"})
        assert lists(proxy) == 1
        await api.close()


# How often it is tried


async def test_waits_grow_and_honour_what_the_server_asks_for(
    fault_proxy: FaultProxy, api: Api, store: Names, pauses: Pauses
) -> None:
    fault_proxy.answer(503, times=3)
    fault_proxy.answer(429, times=1, retry_after=7)
    async with running(Reflector(api, WAREHOUSES, store, backoff=pauses)):
        await fault_proxy.wait_for_watches(1)
    assert pauses.asked == [(None, 0.1), (None, 0.2), (None, 0.4), (7.0, 7.8)]


async def test_a_watch_that_ends_at_once_counts_as_failed(store: Names, pauses: Pauses) -> None:
    scripted = ScriptedApi([page("1")], [[], [], []])
    async with running(Reflector(scripted.api, WAREHOUSES, store, backoff=pauses)):
        await eventually(lambda: len(scripted.watched) == 4)
    assert [waited for _, waited in pauses.asked] == [0.1, 0.2, 0.4]


async def test_a_watch_that_lasted_is_begun_again_without_a_wait(store: Names, pauses: Pauses, clock: Clock) -> None:
    scripted = ScriptedApi([page("1")], [[event("ADDED", "a", "2")]])
    scripted.before_end = lambda: clock.advance(limits.WATCH_TIMEOUT)
    async with running(Reflector(scripted.api, WAREHOUSES, store, backoff=pauses, clock=clock)):
        await eventually(lambda: len(scripted.watched) == 2)
    assert pauses.asked == []
    assert [query["resourceVersion"] for query in scripted.watched] == ["1", "2"]


async def test_an_event_ends_a_row_of_failures(store: Names, pauses: Pauses) -> None:
    scripted = ScriptedApi([page("1")], [[], [], [event("ADDED", "a", "2")], []])
    async with running(Reflector(scripted.api, WAREHOUSES, store, backoff=pauses)):
        await eventually(lambda: len(scripted.watched) == 5)
    assert [waited for _, waited in pauses.asked] == [0.1, 0.2, 0.1, 0.2]


async def test_a_fault_is_logged_once_and_so_is_its_end(
    api_server: ApiServer, reflector: Reflector, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", logger="receivers.cluster")
    await eventually(lambda: reflector.watching)
    await api_server.stop()
    await eventually(lambda: "Connection refused" in reflector.fault or "closed" in reflector.fault)
    await api_server.start()
    await eventually(lambda: reflector.watching)
    messages = Counter(record.getMessage() for record in caplog.records)
    assert messages[f"{WAREHOUSES}: watching again"] >= 1
    assert all(count <= 2 for count in messages.values()), messages


# Rights


async def test_a_resource_that_may_not_be_listed_is_said_to_be_refused(real_api_server: RealServer) -> None:
    async with FaultProxy(real_api_server.url, ca_file=real_api_server.ca_file) as proxy:
        api = connect(real_api_server, proxy.url, user="nobody")
        reflector = Reflector(api, WAREHOUSES, Names(), backoff=Pauses())
        async with running(reflector):
            await reflector.attempted()
            assert (reflector.refused, reflector.synced) == (403, False)
            assert "nobody" in reflector.fault
        await api.close()


@pytest.mark.parametrize("status", [401, 403, 404])
async def test_a_right_that_is_given_later_counts(
    api_server: ApiServer, fault_proxy: FaultProxy, reflector: Reflector, status: int
) -> None:
    fault_proxy.answer(status, times=None)
    await reflector.attempted()
    assert reflector.refused == status
    fault_proxy.clear()
    await eventually(lambda: reflector.watching)
    assert (reflector.refused, reflector.synced) == (0, True)


async def test_a_right_that_is_taken_later_leaves_what_is_known(
    api_server: ApiServer, fault_proxy: FaultProxy, reflector: Reflector, store: Names
) -> None:
    await api_server.apply(warehouse("a"))
    await eventually(lambda: reflector.watching and store.images)
    fault_proxy.answer(403, times=None)
    fault_proxy.drop_watches()
    await eventually(lambda: reflector.fault == "403 told by the test")
    assert (reflector.refused, reflector.synced) == (0, True)
    assert store.images.keys() == {"a"}


async def test_resources_that_are_not_installed(fault_proxy: FaultProxy, api_server: ApiServer) -> None:
    api = connect(api_server, fault_proxy.url, user="admin")
    reflector = Reflector(api, f"{KARGO}/nothings", Names(), backoff=Pauses())
    async with running(reflector):
        await reflector.attempted()
        assert reflector.refused == 404
    await api.close()


# Objects


async def test_an_object_that_cannot_be_read_does_not_hide_the_others(
    api_server: ApiServer, fault_proxy: FaultProxy, api: Api, store: Names
) -> None:
    store.odd = "odd"
    await api_server.apply(warehouse("a"), warehouse("odd"), warehouse("z"))
    reflector = Reflector(api, WAREHOUSES, store)
    async with running(reflector):
        await fault_proxy.wait_for_watches(1)
        assert len(store.unreadable) == 1
        await api_server.apply(warehouse("odd", image="example.com/changed"), warehouse("later"))
        await api_server.delete("Warehouse", "odd", PROJECT)
        await eventually(lambda: store.images.keys() == {"a", "z", "later"})
        assert lists(fault_proxy) == 1
        assert reflector.watching


async def test_a_defect_of_ours_is_noted_of_the_object_it_shows_in(
    api_server: ApiServer, reflector: Reflector, store: Names, caplog: pytest.LogCaptureFixture
) -> None:
    await eventually(lambda: reflector.watching)
    store.defect = RuntimeError("quotes the object")
    await api_server.apply(warehouse("a"))
    await eventually(lambda: len(store.unreadable) == 1)
    store.defect = None
    await api_server.apply(warehouse("b"))
    await eventually(lambda: store.images.keys() == {"b"})
    (found,) = store.unreadable.named()
    assert found.reason.startswith("a defect of this service: RuntimeError at test_reflector.py:")
    assert found.reason in caplog.text
    assert "quotes the object" not in caplog.text
    await api_server.apply(warehouse("a", image="example.com/changed"))
    await eventually(lambda: store.images.keys() == {"a", "b"})
    assert len(store.unreadable) == 0


async def test_a_defect_of_ours_elsewhere_is_logged_and_does_not_end_it(
    api_server: ApiServer, api: Api, store: Names, pauses: Pauses, caplog: pytest.LogCaptureFixture
) -> None:
    def fail() -> None:
        raise RuntimeError("a mistake")

    reflector = Reflector(api, WAREHOUSES, store, relist_backoff=pauses)
    store.known = fail  # type: ignore[method-assign,assignment]
    async with running(reflector):
        await eventually(lambda: reflector.fault == "a defect of this service; its log has the details")
        del store.known
        await api_server.apply(warehouse("a"))
        await eventually(lambda: reflector.watching and store.images.keys() == {"a"})
    assert "a mistake" in caplog.text
    assert pauses.asked


# Against a script: what no server can be made to do at the right moment


type Script = list[list[bytes]]


class ScriptedApi:
    """Answers lists and watches one by one as the script says; a list may be a future. After the last they hang."""

    def __init__(self, answers: list[bytes | ClusterError | asyncio.Future[bytes]], watches: Script) -> None:
        self._answers = list(answers)
        self._watches = list(watches)
        self.listed: list[dict[str, str]] = []
        self.watched: list[dict[str, str]] = []
        self.closed = 0
        self.before_end: Callable[[], None] = lambda: None
        self.push: asyncio.Queue[bytes] = asyncio.Queue()  # to the watch after the last of the script

    @property
    def api(self) -> Any:  # noqa: ANN401 - stands for an Api
        return self

    async def get(self, _path: str, *, params: dict[str, str], **_: object) -> bytes:
        self.listed.append(params)
        answer = self._answers.pop(0)
        if isinstance(answer, ClusterError):
            raise answer
        return answer if isinstance(answer, bytes) else await answer

    async def watch(self, _path: str, *, params: dict[str, str], **_: object) -> AsyncIterator[bytes]:
        self.watched.append(params)
        try:
            yield b""
            if not self._watches:
                while True:
                    yield await self.push.get()
            for line in self._watches.pop(0):
                yield line
            self.before_end()
        finally:
            self.closed += 1


def page(version: str, *items: dict[str, Any], following: str = "") -> bytes:
    return json.dumps({"metadata": {"resourceVersion": version, "continue": following}, "items": list(items)}).encode()


def event(kind: str, name: str, version: str, *, image: str = "example.com/app") -> bytes:
    return json.dumps({"type": kind, "object": stored(name, version, image=image)}).encode()


def stored(name: str, version: str, *, image: str = "example.com/app") -> dict[str, Any]:
    made = warehouse(name, image=image)
    made["metadata"]["resourceVersion"] = version
    return made


async def test_bookmarks_move_on_where_a_watch_resumes(store: Names) -> None:
    scripted = ScriptedApi([page("1")], [[event("ADDED", "a", "5"), event("BOOKMARK", "", "900")]])
    async with running(Reflector(scripted.api, WAREHOUSES, store, backoff=Pauses())):
        await eventually(lambda: len(scripted.watched) == 2)
    assert scripted.watched[1]["resourceVersion"] == "900"
    assert store.images.keys() == {"a"}


async def test_an_error_in_the_watch_that_is_no_410_keeps_the_version(store: Names) -> None:
    error = json.dumps({"type": "ERROR", "object": {"kind": "Status", "code": 500, "message": "etcd is tired"}})
    scripted = ScriptedApi([page("1")], [[event("ADDED", "a", "5"), error.encode()]])
    async with running(Reflector(scripted.api, WAREHOUSES, store, backoff=Pauses())):
        await eventually(lambda: len(scripted.watched) == 2)
    assert scripted.watched[1]["resourceVersion"] == "5"
    assert len(scripted.listed) == 1


@pytest.mark.parametrize(("took", "pause"), [(0.0, limits.BACKOFF_FIRST), (2.0, 4.0), (60.0, limits.RELIST_SPREAD)])
async def test_instances_whose_watches_expire_at_once_list_again_one_after_the_other(
    store: Names, pauses: Pauses, took: float, pause: float
) -> None:
    clock = Clock()
    first: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
    expired = json.dumps({"type": "ERROR", "object": {"kind": "Status", "code": 410, "message": "too old"}})
    scripted = ScriptedApi([first, page("9")], [[expired.encode()]])
    async with running(Reflector(scripted.api, WAREHOUSES, store, clock=clock, backoff=pauses)):
        await eventually(lambda: scripted.listed)
        clock.now += took
        first.set_result(page("1"))
        await eventually(lambda: len(scripted.watched) == 2)
    assert pauses.asked == [(None, pause)]
    assert scripted.watched[1]["resourceVersion"] == "9"


async def test_a_list_that_has_no_items_is_empty(store: Names) -> None:
    scripted = ScriptedApi([b'{"metadata": {"resourceVersion": "1"}, "items": null}'], [])
    reflector = Reflector(scripted.api, WAREHOUSES, store)
    await reflector.list_now()
    assert (reflector.synced, store.images) == (True, {})


async def test_events_wait_for_a_list_that_would_put_older_objects_over_theirs(store: Names) -> None:
    late: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
    scripted = ScriptedApi([page("1", stored("a", "1")), late], [])
    reflector = Reflector(scripted.api, WAREHOUSES, store, backoff=Pauses())
    async with running(reflector):
        await eventually(lambda: reflector.watching)
        listing = asyncio.create_task(reflector.list_now())
        await turns()
        scripted.push.put_nowait(event("MODIFIED", "a", "3", image="example.com/newest"))
        scripted.push.put_nowait(event("ADDED", "b", "4"))
        await turns()
        late.set_result(page("2", stored("a", "2", image="example.com/older")))
        await listing
        await eventually(lambda: store.images == {"a": "example.com/newest", "b": "example.com/app"})


async def test_events_go_on_after_a_list_that_failed(store: Names) -> None:
    late: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
    scripted = ScriptedApi([page("1"), late], [])
    reflector = Reflector(scripted.api, WAREHOUSES, store, backoff=Pauses())
    async with running(reflector):
        await eventually(lambda: reflector.watching)
        listing = asyncio.create_task(reflector.list_now())
        await turns()
        scripted.push.put_nowait(event("ADDED", "a", "3"))
        await turns()
        late.set_exception(UnreachableError("away"))
        await asyncio.wait([listing])
        assert isinstance(listing.exception(), UnreachableError)
        await eventually(lambda: store.images.keys() == {"a"})


async def test_other_tasks_get_their_turn_while_thousands_of_objects_are_read() -> None:
    pages = [
        page("1", *(stored(f"app-{number}-{first}", "1") for number in range(limits.PAGE)), following=following)
        for first, following in enumerate(["more"] * 5 + [""])
    ]
    store = Names()
    async with loop_lag() as lag:
        await Reflector(ScriptedApi([*pages], []).api, WAREHOUSES, store).list_now()
    assert len(store.images) == 6 * limits.PAGE
    assert lag.longest_computing < HELD


# Age


async def test_the_age_is_the_time_since_the_cluster_last_spoke(store: Names, clock: Clock) -> None:
    gone: list[bytes | ClusterError | asyncio.Future[bytes]] = [page("1")]
    scripted = ScriptedApi(gone, [[event("ADDED", "a", "2")]])
    reflector = Reflector(scripted.api, WAREHOUSES, store, backoff=Pauses(), clock=clock)
    assert (reflector.age, reflector.trusted) == (None, False)
    await reflector.list_now()
    clock.now += limits.STALE_AFTER - 1
    assert (reflector.age, reflector.trusted) == (limits.STALE_AFTER - 1, True)
    clock.now += 1
    assert not reflector.trusted
    async with running(reflector):
        await eventually(lambda: reflector.watching and store.images)
        clock.now += 3600
        assert (reflector.age, reflector.trusted) == (0.0, True)
    assert reflector.age == 3600
    assert not reflector.trusted


# Stopping


async def test_stopping_in_a_list_leaves_nothing_behind(fault_proxy: FaultProxy, api: Api) -> None:
    fault_proxy.hang()
    async with running(Reflector(api, WAREHOUSES, Names())):
        await fault_proxy.wait_for(1)
    await turns()
    assert ours() == []
