"""What is kept of the objects of the cluster, and when it changes."""

import json
from contextlib import suppress
from typing import Any

import msgspec
import pytest

from receivers import limits
from receivers.cluster import objects
from receivers.cluster.records import Key, UnreadableError
from receivers.cluster.stores import ConfigStore, PromotionStore, WarehouseStore
from receivers.events import Pushed, Receiver, Requirement, Selection, Target, TargetKind
from testbed.objects import IMAGE, PROJECT, Hook, Object, project_config, promotion, warehouse

OTHER = "registry.azurecr.io/team/other"


def raw(value: Object) -> msgspec.Raw:
    return msgspec.Raw(json.dumps(value).encode())


def named(receivers: list[Receiver]) -> list[str]:
    return [receiver.name for receiver in receivers]


def stored(name: str, *, image: str = IMAGE, uid: str = "1", generation: int | None = 1, **status: Any) -> msgspec.Raw:  # noqa: ANN401 - any JSON
    made = warehouse(name, image=image)
    made["metadata"] |= {"uid": uid} | ({} if generation is None else {"generation": generation})
    return raw(made | ({"status": status} if status else {}))


def images(store: WarehouseStore) -> list[str]:
    return [image for image in (IMAGE, OTHER) if store.index.match(Pushed(repository_urls=(image,)), project=None)]


def test_a_warehouse_is_indexed_again_when_its_generation_grows() -> None:
    store = WarehouseStore()
    store.apply(stored("a"))
    store.apply(stored("a", image=OTHER, generation=2))
    assert images(store) == [OTHER]


def test_a_change_of_the_status_alone_costs_no_indexing() -> None:
    store = WarehouseStore()
    store.apply(stored("a"))
    store.apply(stored("a", image=OTHER))  # cannot be: the same generation has the same spec
    assert images(store) == [IMAGE]


def test_a_list_that_lags_behind_the_watch_does_not_bring_an_old_spec_back() -> None:
    store = WarehouseStore()
    store.apply(stored("a", image=OTHER, generation=2))
    store.apply(stored("a", generation=1))
    assert images(store) == [OTHER]


def test_a_warehouse_that_was_made_anew_under_its_name_is_indexed_again() -> None:
    store = WarehouseStore()
    store.apply(stored("a", generation=3))
    store.apply(stored("a", image=OTHER, uid="2"))
    assert images(store) == [OTHER]


def test_a_warehouse_without_a_generation_is_always_indexed_again() -> None:
    store = WarehouseStore()
    store.apply(stored("a", generation=None))
    store.apply(stored("a", image=OTHER, generation=None))
    assert images(store) == [OTHER]


def test_a_warehouse_that_was_deleted_can_come_back() -> None:
    store = WarehouseStore()
    store.apply(stored("a", generation=3))
    store.delete(Key(PROJECT, "a"))
    assert (len(store), images(store)) == (0, [])
    store.apply(stored("a", generation=1))
    assert images(store) == [IMAGE]


async def test_warehouses_that_a_list_lacks_are_forgotten() -> None:
    store = WarehouseStore()
    for name in ("a", "b"):
        store.apply(stored(name))
    await objects.retain(store, {Key(PROJECT, "a")})
    assert len(store) == len(store.index) == 1


def test_warehouses_that_the_list_of_a_project_lacks_are_forgotten_in_this_project_only() -> None:
    store = WarehouseStore()
    store.apply(stored("a"))
    elsewhere = warehouse("b", project="other")
    store.apply(raw(elsewhere))
    store.retain_in(PROJECT, set())
    assert store.index.count(PROJECT) == 0
    assert store.index.count("other") == 1


@pytest.mark.parametrize("odd", [None, "", 7, ["x"], {"a": "b"}])
def test_a_handled_refresh_that_is_none_is_not_told(odd: object) -> None:
    store = WarehouseStore()
    store.on_handled = lambda *_: pytest.fail("told")
    store.apply(stored("a", lastHandledRefresh=odd))


def test_a_handled_refresh_is_told_once_and_the_next_one_too() -> None:
    store, told = WarehouseStore(), list[str]()
    store.apply(stored("early", lastHandledRefresh="nobody listens yet"))
    store.on_handled = lambda _, token: told.append(token)
    for token in ("1", "1", "2"):
        store.apply(stored("a", lastHandledRefresh=token))
    assert told == ["1", "2"]


@pytest.mark.parametrize(
    "odd", [{}, {"metadata": {}}, {"metadata": {"name": 7}}, {"metadata": {"name": "a"}, "spec": 7}, []]
)
def test_an_odd_object_is_told_to_the_reflector(odd: Any) -> None:  # noqa: ANN401 - any JSON
    for store in (WarehouseStore(), ConfigStore()):
        with pytest.raises(msgspec.DecodeError):
            store.apply(raw(odd))


@pytest.mark.parametrize("subscriptions", [None, 7, "x", [7], [{"image": 7}], [{"a": 1, "b": 2}], {}])
def test_odd_subscriptions_are_a_warehouse_all_the_same(subscriptions: object) -> None:
    store = WarehouseStore()
    made = warehouse("a")
    made["spec"]["subscriptions"] = subscriptions
    store.apply(raw(made))
    assert len(store) == 1


def test_a_config_without_spec_and_status_has_no_receivers() -> None:
    store = ConfigStore()
    specs: list[Object] = [{}, {"spec": None}, {"spec": {}, "status": {}}]
    for spec in specs:
        store.apply(raw({"metadata": {"name": PROJECT, "namespace": PROJECT}} | spec))
    assert (len(store), store.version, store.receivers()) == (1, 1, [])


def test_a_config_that_was_never_there_can_be_deleted() -> None:
    store = ConfigStore()
    store.delete(Key(PROJECT, PROJECT))
    assert store.version == 0


async def test_a_config_that_a_list_lacks_is_forgotten() -> None:
    store = ConfigStore()
    store.apply(raw(project_config([])))
    await objects.retain(store, set())
    assert (len(store), store.version) == (0, 2)


async def test_receivers_that_change_are_told_as_they_were_and_as_they_are() -> None:
    store, told = ConfigStore(), list[tuple[list[str], list[str]]]()
    store.on_changed = lambda before, after: told.append((named(before), named(after)))
    first, second = Hook(name="first"), Hook(name="second")
    for hooks in ([first], [first], [first, second]):  # the second time nothing changed
        store.apply(raw(project_config(hooks)))
    store.delete(Key(PROJECT, PROJECT))
    store.apply(raw(project_config([second])))
    await objects.retain(store, set())
    assert told == [
        ([], ["first"]),
        (["first"], ["first", "second"]),
        (["first", "second"], []),
        ([], ["second"]),
        (["second"], []),
    ]


def test_a_config_that_comes_and_goes_without_receivers_tells_nobody() -> None:
    store = ConfigStore()
    store.on_changed = lambda *_: pytest.fail("told")
    store.apply(raw(project_config([])))
    store.delete(Key(PROJECT, PROJECT))


# What is kept is bounded


async def test_a_project_has_its_share_and_more_only_while_all_projects_need_little(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(limits, "PROJECT_SUBSCRIPTIONS", 10_000)
    monkeypatch.setattr(limits, "ALL_SUBSCRIPTIONS", 20_000)
    store = WarehouseStore()

    def takes(project: str, number: int) -> bool:
        made = warehouse(f"w{number}", project=project)
        made["metadata"] |= {"uid": "1", "generation": 1}
        with suppress(UnreadableError):
            store.apply(raw(made))
            return True
        return False

    def fill(project: str) -> int:
        """How many Warehouses of a project are taken until one is left out."""
        return next(number for number in range(1000) if not takes(project, number))

    first, second = fill("first"), fill("second")
    assert first > 1.5 * second > 3
    assert store.index.match(Pushed(repository_urls=(IMAGE,)), project="second")
    await objects.retain(store, set())
    assert fill("second") == first


@pytest.mark.parametrize(("length", "kept"), [(128, True), (129, False), (1_000_000, False)])
def test_what_kargo_says_it_handled_is_kept_up_to_a_length(length: int, *, kept: bool) -> None:
    store, told = WarehouseStore(), list[str]()
    store.on_handled = lambda _, value: told.append(value)
    store.apply(stored("a", lastHandledRefresh="x" * length))
    assert bool(told) is kept
    assert len(store) == 1


def test_a_long_uid_takes_no_more_room_than_a_usual_one() -> None:
    store = WarehouseStore()
    store.apply(stored("a", uid="x" * 1_000_000))
    assert len(store) == 1
    assert all(len(indexed.uid) <= limits.OBJECT_VERSION for indexed in store._indexed.values())


def test_a_warehouse_that_was_left_out_counts_as_soon_as_it_is_seen_and_there_is_room(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(limits, "PROJECT_SUBSCRIPTIONS", 3_000)
    monkeypatch.setattr(limits, "ALL_SUBSCRIPTIONS", 3_000)
    store = WarehouseStore()
    store.apply(stored("big"))
    with suppress(UnreadableError):
        store.apply(stored("late", image=OTHER))
    assert images(store) == [IMAGE]
    store.delete(Key(PROJECT, "big"))
    store.apply(stored("late", image=OTHER))  # as it was: nobody has changed it
    assert images(store) == [OTHER]


PULL_REQUEST = "https://git.example.com/team/app/pull/7"
WAITING = Target(PROJECT, "waiting", TargetKind.PROMOTION)


def stored_promotion(version: int, *, handled: str = "", uid: str = "1", **fields: Any) -> msgspec.Raw:  # noqa: ANN401
    made = promotion("waiting", PULL_REQUEST, **fields)
    made["metadata"] |= {"resourceVersion": str(version), "uid": uid}
    if handled:
        made["status"]["lastHandledRefresh"] = handled
    return msgspec.Raw(msgspec.json.encode(made))


def test_a_promotion_is_kept_while_it_waits() -> None:
    store = PromotionStore()
    assert store.apply(stored_promotion(5)).version == "5"
    assert [each.target for each in store.index.decisions(PULL_REQUEST, project=None)] == [WAITING]
    store.apply(stored_promotion(6, phase="Succeeded"))
    assert len(store) == 0


def test_an_older_state_of_a_promotion_does_not_count_and_one_of_another_object_does() -> None:
    store = PromotionStore()
    store.apply(stored_promotion(5))
    store.apply(stored_promotion(4, phase="Succeeded"))
    assert len(store) == 1
    store.apply(stored_promotion(4, uid="2", phase="Succeeded"))
    assert len(store) == 0


def test_kargo_s_handling_of_a_promotion_is_told_once_and_when_it_ends_with_it() -> None:
    store, told = PromotionStore(), list[tuple[Target, str]]()
    store.on_handled = lambda *each: told.append(each)
    store.apply(stored_promotion(1, handled="a"))
    store.apply(stored_promotion(2, handled="a"))
    store.apply(stored_promotion(3, handled="b", phase="Succeeded"))
    store.apply(stored_promotion(4, handled="c", phase="Succeeded"))
    assert told == [(WAITING, "a"), (WAITING, "b")]


async def delete(store: PromotionStore) -> None:
    store.delete(Key(PROJECT, "waiting"))


async def forget_all(store: PromotionStore) -> None:
    await objects.retain(store, set())


async def forget_project(store: PromotionStore) -> None:
    store.retain_in(PROJECT, set())


WAYS_TO_FORGET = (delete, forget_all, forget_project)


async def test_promotions_that_are_gone_are_forgotten() -> None:
    for forget in WAYS_TO_FORGET:
        store = PromotionStore()
        store.apply(stored_promotion(1))
        await forget(store)
        assert len(store) == 0
    store.apply(stored_promotion(1))
    await objects.retain(store, {Key(PROJECT, "waiting")})
    store.retain_in("another", set())
    assert len(store) == 1


def test_a_project_has_only_so_many_waiting_promotions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "PROJECT_PROMOTIONS", 1)
    store = PromotionStore()
    store.apply(stored_promotion(1))
    store.apply(stored_promotion(2))
    other = promotion("another", PULL_REQUEST)
    with pytest.raises(UnreadableError, match="wait for pull requests"):
        store.apply(msgspec.Raw(msgspec.json.encode(other)))
    assert len(store) == 1


# Selections of Warehouses


def labelled(name: str, labels: object, *, version: str = "1", uid: str = "u", namespace: str = "kargo-demo") -> bytes:
    metadata = {"name": name, "namespace": namespace, "uid": uid, "generation": 1, "resourceVersion": version}
    subscriptions = [{"image": {"repoURL": f"registry.example.com/{name}"}}]
    return json.dumps({"metadata": metadata | {"labels": labels}, "spec": {"subscriptions": subscriptions}}).encode()


def chosen(store: WarehouseStore, selection: Selection, *, project: str | None = "kargo-demo") -> list[str]:
    return sorted(target.name for target in store.select(selection, project=project) if target)


@pytest.fixture
def labels() -> WarehouseStore:
    store = WarehouseStore()
    store.apply(msgspec.Raw(labelled("a", {"team": "one"})))
    store.apply(msgspec.Raw(labelled("b", {"team": "two"})))
    store.apply(msgspec.Raw(labelled("c", None)))
    store.apply(msgspec.Raw(labelled("d", {"team": "x" * limits.LABELS})))
    store.apply(msgspec.Raw(labelled("e", {"team": "one"}, namespace="other")))
    return store


URL = "registry.example.com/a"


@pytest.mark.parametrize(
    ("selection", "names"),
    [
        (Selection(), ["a", "b", "c", "d"]),
        (Selection(name="a"), ["a"]),
        (Selection(name="none"), []),
        (Selection(labels=(Requirement("team", "In", ("one",)),)), ["a", "d"]),
        (Selection(labels=(Requirement("team", "NotIn", ("one",)),)), ["b", "c", "d"]),
        (Selection(subscribed_to=(Requirement("subscribedURLs", "In", (URL,)),)), ["a"]),
        (Selection(subscribed_to=(Requirement("subscribedURLs", "NotIn", (URL,)),)), ["b", "c", "d"]),
        (Selection(name="b", subscribed_to=(Requirement("subscribedURLs", "In", (URL,)),)), []),
    ],
)
def test_a_selection_means_what_meets_all_of_it(labels: WarehouseStore, selection: Selection, names: list[str]) -> None:
    assert chosen(labels, selection) == names


def test_of_all_projects_others_are_selected_too(labels: WarehouseStore) -> None:
    assert chosen(labels, Selection(labels=(Requirement("team", "In", ("one",)),)), project=None) == ["a", "d", "e"]


@pytest.mark.parametrize(
    ("version", "uid", "names"),
    [("2", "u", []), ("1", "u", []), ("0", "u", ["a"]), ("0", "another", []), ("x", "u", [])],
)
def test_labels_change_with_the_version_and_never_back(version: str, uid: str, names: list[str]) -> None:
    store = WarehouseStore()
    store.apply(msgspec.Raw(labelled("a", {"team": "one"})))
    store.apply(msgspec.Raw(labelled("a", {}, version=version, uid=uid)))
    assert chosen(store, Selection(labels=(Requirement("team", "Exists"),))) == names


def test_labels_are_forgotten_with_the_warehouse(labels: WarehouseStore) -> None:
    labels.delete(Key("kargo-demo", "a"))
    assert chosen(labels, Selection(labels=(Requirement("team", "In", ("one",)),))) == ["d"]
    assert len(labels._labelled) == 3
