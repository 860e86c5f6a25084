"""Whatever stands in any field of an object of the cluster, its neighbours are there, and the loop goes on."""

import asyncio
import json
import random
from contextlib import suppress

import pytest

from receivers.cluster.backoff import Backoff
from receivers.cluster.reflector import Reflector
from receivers.cluster.stores import ConfigStore, WarehouseStore
from receivers.events import Pushed
from testbed.objects import IMAGE, Hook, Object, cluster_config, project_config, warehouse
from testbed.waiting import eventually
from tests import fuzzing
from tests.cluster.stand_ins import Watch
from tests.loop_lag import HELD, loop_lag

pytestmark = pytest.mark.fuzz

LARGEST = 300_000  # bytes; the largest are in test_odd_objects.py
ODD = 4  # objects at a time
HERE = "HERE"  # what is replaced

FIELDS = {
    "Warehouse": [
        "metadata",
        "spec",
        "status",
        "spec.subscriptions",
        "spec.subscriptions.0",
        "status.lastHandledRefresh",
    ]
    + ["spec.subscriptions.0.image", "spec.subscriptions.0.name", "spec.subscriptions.0.unknown"]
    + [
        f"spec.subscriptions.0.image.{field}"
        for field in ("repoURL", "imageSelectionStrategy", "constraint", "allowTagsRegexes", "ignoreTagsRegexes", "any")
    ],
    "Config": ["metadata", "spec", "status"]
    + [f"{part}.webhookReceivers{rest}" for part in ("spec", "status") for rest in ("", ".0", ".0.name", ".0.path")]
    + [f"spec.webhookReceivers.0.azure{rest}" for rest in ("", ".secretRef", ".secretRef.name")],
}
METADATA = ["annotations", "generation", "managedFields", "name", "namespace", "resourceVersion", "uid"]


def encoded(made: Object, version: int, *, generation: int) -> Object:
    metadata = made["metadata"] | {"uid": "u", "generation": generation, "resourceVersion": str(version)}
    return {"status": {}} | made | {"metadata": metadata}


def put(made: Object, path: str, value: object) -> None:
    *folders, last = path.split(".")
    place: object = made
    for folder in folders:
        place = place[int(folder)] if isinstance(place, list) else place[folder]  # type: ignore[index]
    place[int(last) if isinstance(place, list) else last] = value  # type: ignore[index]


def odd_objects(made: Object, fields: list[str], seed: int) -> list[bytes]:
    """Objects of which one to three fields hold anything."""
    chance = random.Random(seed)  # noqa: S311 - nothing is secret
    return [_odd_object(made, fields, chance, number) for number in range(ODD)]


def _odd_object(made: Object, fields: list[str], chance: random.Random, number: int) -> bytes:
    made = json.loads(json.dumps(encoded(made, number + 10, generation=number + 1)))
    made["metadata"]["name"] = made["metadata"].get("namespace", "odd")
    parts: list[bytes] = []
    for path in chance.sample([*fields, *(f"metadata.{name}" for name in METADATA)], chance.randint(1, 3)):
        with suppress(KeyError, IndexError, TypeError, ValueError):  # a part of what is replaced already
            put(made, path, f"{HERE}{len(parts)}")
            parts.append(fuzzing.json(chance, size=LARGEST - 1000))
    text = json.dumps(made, sort_keys=True).encode()
    for position, part in enumerate(parts):
        odd = part if len(text) + len(part) <= LARGEST else b"0"
        text = text.replace(f'"{HERE}{position}"'.encode(), odd)
    return text


async def bring(watch: Watch, store: WarehouseStore | ConfigStore, odd: list[bytes], last: bytes) -> None:
    """Lists odd objects, then watches them change, and come and go, and at last a sound one appear."""
    watch.objects[1:1] = odd
    at_once = Backoff(jitter=lambda: 0.0)
    reflector = Reflector(watch.api, "/warehouses", store, backoff=at_once, relist_backoff=Backoff(jitter=lambda: 0.0))
    task = asyncio.create_task(reflector.run())
    for kind in ("MODIFIED", "ADDED", "DELETED"):
        for each in odd:
            watch.send(kind, each)
            await asyncio.sleep(0)
    watch.send("ADDED", last)
    try:
        await eventually(lambda: watch.lines.empty() and reflector.watching)
        await eventually(lambda: reflector._version == "1000")
    finally:
        task.cancel()
        await asyncio.wait([task])


async def test_any_warehouse() -> None:
    tried = 0
    for seed in fuzzing.seeds():
        odd = await asyncio.to_thread(odd_objects, warehouse("odd", project="odd"), FIELDS["Warehouse"], seed)
        neighbours = [encoded(warehouse(name), version, generation=1) for name, version in (("a", 1), ("z", 1000))]
        first, last = (json.dumps(each, sort_keys=True).encode() for each in neighbours)
        store = WarehouseStore()
        async with loop_lag() as lag:
            await bring(Watch(first), store, odd, last)
        found = store.index.match(Pushed(repository_urls=(IMAGE,)), project="kargo-demo")
        assert [decision.target.name for decision in found] == ["a", "z"], f"FUZZ_SEED={seed}"
        assert lag.longest_computing < HELD, f"FUZZ_SEED={seed}"
        tried += len(odd)
    print(f"{tried} Warehouses")


@pytest.mark.parametrize("kind", ["ProjectConfig", "ClusterConfig"])
async def test_any_config(kind: str) -> None:
    of_cluster = kind == "ClusterConfig"
    tried = 0
    for seed in fuzzing.seeds():
        made = cluster_config([Hook()]) if of_cluster else project_config([Hook()], project="odd")
        odd = await asyncio.to_thread(odd_objects, made, FIELDS["Config"], seed)
        sound = [cluster_config([Hook(project=None)])] * 2
        if not of_cluster:
            sound = [project_config([Hook()], project=project) for project in ("first", "last")]
        first, last = (
            json.dumps(encoded(each, version, generation=1)).encode()
            for each, version in zip(sound, (1, 1000), strict=True)
        )
        store = ConfigStore("system" if of_cluster else None)
        async with loop_lag() as lag:
            await bring(Watch(first), store, odd, last)
        sources = {receiver.source for receiver in store.receivers()}
        assert sources >= ({"ClusterConfig"} if of_cluster else {"ProjectConfig first", "ProjectConfig last"})
        assert lag.longest_computing < HELD, f"FUZZ_SEED={seed}"
        tried += len(odd)
    print(f"{tried} {kind}s")
