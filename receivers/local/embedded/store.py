"""The objects of the embedded API, with the history from which watches are served."""

import asyncio
import base64
import time
import uuid
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from receivers.local.embedded import errors
from receivers.local.embedded.resources import NAMESPACES, SECRETS, Object, Resource

HISTORY = 10_000  # changes that are remembered; a watch that starts before them gets 410
SNAPSHOTS = 100  # lists whose pages can be continued
DECIDED_BY_SERVER = ("uid", "creationTimestamp", "generation", "resourceVersion")
IDENTITY = ("name", "namespace")


@dataclass(frozen=True, slots=True)
class Change:
    """One write. ``before`` is None for a creation, ``after`` carries the new resourceVersion also after a deletion."""

    revision: int
    resource: Resource
    type: Literal["ADDED", "MODIFIED", "DELETED"]
    before: Object | None
    after: Object


type Feed = asyncio.Queue[Change | None]  # None: the server stops


class Store:
    """Objects by resource, namespace and name."""

    def __init__(self) -> None:
        # Revisions of an earlier run are smaller, so a client that kept one is told to list again.
        self.revision = time.time_ns() // 1000
        self._oldest = self.revision
        self._objects: dict[Resource, dict[tuple[str, str], Object]] = {}
        self._history: deque[Change] = deque(maxlen=HISTORY)
        self._feeds: dict[Feed, Resource | None] = {}
        self._snapshots: OrderedDict[str, tuple[int, list[Object]]] = OrderedDict()

    def get(self, resource: Resource, namespace: str, name: str) -> Object:
        """The object. Raises 404."""
        try:
            return self._objects[resource][namespace, name]
        except KeyError:
            raise errors.not_found(resource, name) from None

    def every(self, resource: Resource, namespace: str = "") -> list[Object]:
        """The objects of a namespace, or of all, by namespace and name."""
        found = self._objects.get(resource, {})
        return [found[key] for key in sorted(found) if namespace in ("", key[0])]

    def create(self, resource: Resource, namespace: str, new: Object) -> Object:
        """Stores a new object; its status too, if it has one. Raises 409 when it exists, 404 without its namespace."""
        metadata = new.get("metadata") or {}
        name = metadata.get("name") or ""
        if not name:
            raise errors.invalid(resource, "", "metadata.name: Required value: name or generateName is required")
        if (namespace, name) in self._objects.get(resource, {}):
            raise errors.already_exists(resource, name)
        if resource.namespaced:
            self.get(NAMESPACES, "", namespace)
        decided = {
            "uid": str(uuid.uuid4()),
            "creationTimestamp": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            **({"generation": 1} if resource.group else {}),
            **({"namespace": namespace} if resource.namespaced else {}),
        }
        return self._write(resource, "ADDED", None, _normalised(resource, new) | {"metadata": metadata | decided})

    def update(
        self, resource: Resource, namespace: str, name: str, change: Callable[[Object], Object], *, status: bool = False
    ) -> Object:
        """Stores what ``change`` makes of the object; with ``status`` only its status, otherwise all but it.

        Raises 409 when the changed object names another resourceVersion. What changes nothing is no write: the
        resourceVersion stays and no watch hears of it.
        """
        old = self.get(resource, namespace, name)
        new = change(old)
        claimed = (new.get("metadata") or {}).get("resourceVersion")
        if claimed not in (None, "", old["metadata"]["resourceVersion"]):
            raise errors.conflict(resource, name)
        merged = {**old, "status": new.get("status", {})} if status else _merged(resource, old, new)
        return old if merged == old else self._write(resource, "MODIFIED", old, merged)

    def delete(self, resource: Resource, namespace: str, name: str) -> None:
        """Removes the object; a namespace with all that is in it. Raises 404."""
        last = self.get(resource, namespace, name)
        self._write(resource, "DELETED", last, last)
        if resource is NAMESPACES:
            inside = [(kind, key) for kind, found in self._objects.items() for key in found if key[0] == name]
            for kind, key in inside:
                self.delete(kind, *key)

    def page(self, token: str, size: int) -> tuple[int, list[Object], str]:
        """A page of a list kept by :meth:`keep`: its revision, objects, and the token of the next page or "".

        A size of 0 is all that is left. Raises 410.
        """
        key, _, position = token.partition(":")
        if key not in self._snapshots:
            raise errors.expired()
        revision, kept = self._snapshots[key]
        start = int(position)
        end = start + size if size else len(kept)
        return revision, kept[start:end], f"{key}:{end}" if end < len(kept) else ""

    def keep(self, objects: list[Object]) -> str:
        """Keeps a list as it is now, so that its pages agree with each other; the token of its first page."""
        key = uuid.uuid4().hex
        self._snapshots[key] = (self.revision, objects)
        if len(self._snapshots) > SNAPSHOTS:
            self._snapshots.popitem(last=False)
        return f"{key}:0"

    def changes_since(self, revision: int) -> Iterator[Change]:
        """What was written after this revision. Raises 410 when not all of it is remembered."""
        if revision < self._oldest:
            raise errors.expired()
        return (change for change in tuple(self._history) if change.revision > revision)

    def follow(self, resource: Resource | None = None) -> Feed:
        """A queue of what is written from now on, to one resource or to all. :meth:`unfollow` ends it."""
        feed: Feed = asyncio.Queue()
        self._feeds[feed] = resource
        return feed

    def unfollow(self, feed: Feed) -> None:
        """Ends a :meth:`follow`."""
        self._feeds.pop(feed, None)

    def close(self) -> None:
        """Ends every feed."""
        for feed in self._feeds:
            feed.put_nowait(None)

    def _write(
        self, resource: Resource, kind: Literal["ADDED", "MODIFIED", "DELETED"], before: Object | None, after: Object
    ) -> Object:
        self.revision += 1
        stored = after | {"metadata": after["metadata"] | {"resourceVersion": str(self.revision)}}
        found = self._objects.setdefault(resource, {})
        key = (stored["metadata"].get("namespace", ""), stored["metadata"]["name"])
        if kind == "DELETED":
            del found[key]
        else:
            found[key] = stored
        if len(self._history) == HISTORY:
            self._oldest = self._history[0].revision
        change = Change(self.revision, resource, kind, before, stored)
        self._history.append(change)
        for feed, followed in self._feeds.items():
            if followed in (None, resource):
                feed.put_nowait(change)
        return stored


def _merged(resource: Resource, old: Object, new: Object) -> Object:
    """The new object with what the server decides: identity, generation, and a status that is written elsewhere."""
    kept = {key: old["metadata"][key] for key in (*IDENTITY, *DECIDED_BY_SERVER) if key in old["metadata"]}
    merged = _normalised(resource, new) | {"metadata": (new.get("metadata") or {}) | kept}
    if resource.status:
        merged.pop("status", None)
        merged |= {"status": old["status"]} if "status" in old else {}
    content = ("metadata", "status")
    if resource.group and _without(merged, content) != _without(old, content):
        merged["metadata"] = merged["metadata"] | {"generation": old["metadata"]["generation"] + 1}
    return merged


def _normalised(resource: Resource, new: Object) -> Object:
    """As it is stored: with its kind, and a Secret's plain text encoded."""
    result = new | {"apiVersion": resource.api_version, "kind": resource.kind}
    if resource is SECRETS:
        plain: Mapping[str, str] = result.pop("stringData", None) or {}
        encoded = {key: base64.b64encode(value.encode()).decode() for key, value in plain.items()}
        result = {"type": "Opaque", **result, "data": (result.get("data") or {}) | encoded}
    return result


def _without(each: Object, keys: tuple[str, ...]) -> Object:
    return {key: value for key, value in each.items() if key not in keys}
