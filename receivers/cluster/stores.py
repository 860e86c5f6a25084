"""What is kept of the cluster's objects: Warehouses as an index of their subscriptions, configs as receivers."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import msgspec

from receivers import limits
from receivers.cluster import records
from receivers.cluster.records import Identity, Key, UnreadableError
from receivers.cluster.unreadable import Unreadable
from receivers.events import Receiver, Selection, Target, TargetKind
from receivers.kargo import aliases, configs, handling, labels, promotions, shallow, subscriptions
from receivers.kargo.index import SubscriptionIndex
from receivers.kargo.promotions import PullRequestIndex
from receivers.kargo.subscriptions import Decoded, LeftOut

# The receivers of one ProjectConfig or ClusterConfig before and after a change: none before it was there, none once it
# is gone. Called at the moment of the change, so that nothing is seen in between.
type ReceiversChanged = Callable[[list[Receiver], list[Receiver]], None]

CLUSTER_CONFIG = "cluster"  # the only name that counts (Kargo's rule)

_WAREHOUSE_SIZE = 512  # bytes that a Warehouse takes of its project's share, whatever it holds
_SUBSCRIPTION_SIZE = 1024  # the same for each subscription, beside its JSON
_PROJECT_FULL = (
    f"the Warehouses of its project subscribe to more than fits {limits.PROJECT_SUBSCRIPTIONS >> 20} MiB, and those of "
    f"all projects to more than fits {limits.ALL_SUBSCRIPTIONS >> 20} MiB"
)

_PROMOTIONS_FULL = f"more than {limits.PROJECT_PROMOTIONS} Promotions of its project wait for pull requests"


@dataclass(frozen=True, slots=True)
class _Indexed:
    """What is indexed of a Warehouse."""

    uid: str
    generation: int
    size: int  # of its project's share
    left_out: bool = False  # for lack of room: it is tried again whenever it is seen


@dataclass(frozen=True, slots=True)
class _Labelled:
    """The labels of a Warehouse, in one of its versions; None: they are too many to be kept."""

    uid: str
    version: str
    labels: Mapping[str, str] | None


class WarehouseStore:
    """Warehouses, as an index of their subscriptions. One that becomes unreadable stays as it was until it is gone."""

    def __init__(self) -> None:
        self.index = SubscriptionIndex()
        self.unreadable = Unreadable()
        self.on_handled: Callable[[Target, str], None] | None = None  # (Warehouse, the refresh that Kargo handled)
        self.on_seen: Callable[[Target, records.Warehouse], None] | None = None  # each time that one is seen
        self._indexed: dict[Key, _Indexed] = {}
        self._sizes: Counter[str] = Counter()  # by project
        self._handled: dict[Target, str] = {}
        self._labelled: dict[Target, _Labelled] = {}  # of those that have, or had, labels

    def __len__(self) -> int:
        return len(self._indexed)

    def handled(self, target: Target) -> str:
        """The refresh of a Warehouse that Kargo was last seen to have handled; empty for none."""
        return self._handled.get(target, "")

    def select(self, selection: Selection, *, project: str | None) -> Iterator[Target | None]:
        """Look at each Warehouse of a project, or of all: it, if a selection means it, else None."""
        urls = [
            (each.operator == "In", frozenset(map(aliases.canonical, each.values))) for each in selection.subscribed_to
        ]
        for target in self.index.targets(project):
            subscribes = all(self.index.subscribes(target, any_of) is wanted for wanted, any_of in urls)
            yield target if subscribes and self._is_meant(target, selection) else None

    def means(self, selection: Selection, target: Target) -> bool:
        """Whether a selection means a Warehouse."""
        urls = (
            (each.operator == "In", frozenset(map(aliases.canonical, each.values))) for each in selection.subscribed_to
        )
        subscribes = all(self.index.subscribes(target, any_of) is wanted for wanted, any_of in urls)
        return subscribes and self._is_meant(target, selection)

    def apply(self, encoded: msgspec.Raw) -> Identity:
        warehouse = msgspec.json.decode(encoded, type=records.Warehouse)
        identity = warehouse.metadata.identity
        target = _target(warehouse.metadata.key)
        if self._is_newer(target, warehouse.metadata):
            self._index(target, warehouse.metadata, subscriptions.decode(warehouse.spec.subscriptions))
        self._note_labels(target, warehouse.metadata, identity.version)
        if self.on_seen is not None:
            self.on_seen(target, warehouse)
        self._note_handled(target, warehouse.status)
        return identity

    def delete(self, key: Key) -> None:
        self._forget(_target(key))

    def known(self) -> list[Key]:
        return list(self._indexed)

    def retain_in(self, namespace: str, keys: set[Key]) -> None:
        """Forget every object of a namespace whose key is not among these."""
        for target in self.index.targets(namespace):
            if _key(target) not in keys:
                self._forget(target)

    def _index(self, target: Target, metadata: records.Metadata, decoded: Decoded) -> None:
        found = decoded.subscriptions
        count = len(found) if isinstance(found, list) else 0
        size = _WAREHOUSE_SIZE + decoded.size + count * _SUBSCRIPTION_SIZE
        key, left_out = _key(target), False
        before = self._indexed.get(key)
        others = self._sizes[target.namespace] - (before.size if before else 0)
        if not self._has_room(others, _WAREHOUSE_SIZE):
            raise UnreadableError(_PROJECT_FULL)
        if not self._has_room(others, size):
            found, size, left_out = [LeftOut(_PROJECT_FULL)], _WAREHOUSE_SIZE, True
        self.index.put(target, found)
        self._indexed[key] = _Indexed(records.bounded(metadata.uid), metadata.generation or 0, size, left_out)
        self._sizes[target.namespace] = others + size

    def _has_room(self, project: int, size: int) -> bool:
        """Whether so much may be added to what a project has: it is within its share, or all projects need little."""
        return project + size <= limits.PROJECT_SUBSCRIPTIONS or self._sizes.total() + size <= limits.ALL_SUBSCRIPTIONS

    def _forget(self, target: Target) -> None:
        self.index.remove(target)
        self._handled.pop(target, None)
        self._labelled.pop(target, None)
        gone = self._indexed.pop(_key(target), None)
        if gone is not None:
            self._sizes[target.namespace] -= gone.size
            if not self._sizes[target.namespace]:
                del self._sizes[target.namespace]

    def _is_newer(self, target: Target, metadata: records.Metadata) -> bool:
        """Whether the spec is another than the indexed one, and not one before it: a list may lag behind the watch."""
        known = self._indexed.get(_key(target))
        return (
            known is None
            or known.left_out
            or records.bounded(metadata.uid) != known.uid
            or not metadata.generation
            or metadata.generation > known.generation
        )

    def _note_labels(self, target: Target, metadata: records.Metadata, version: str) -> None:
        """Keep the labels unless these are older: the generation does not tell of them."""
        found, known = labels.decode(metadata.labels), self._labelled.get(target)
        if known is None and found == labels.NONE:
            return
        uid = records.bounded(metadata.uid)
        if known is None or uid != known.uid or not _is_older(version, known.version):
            self._labelled[target] = _Labelled(uid, version, found)

    def _is_meant(self, target: Target, selection: Selection) -> bool:
        """By its name and labels."""
        known = self._labelled.get(target)
        found = known.labels if known else labels.NONE
        return selection.name in (None, target.name) and labels.meet(found, selection.labels)

    def _note_handled(self, target: Target, status: msgspec.Raw) -> None:
        token = _handled_refresh(status)
        if token and self._handled.get(target) != token:
            self._handled[target] = token
            if self.on_handled is not None:
                self.on_handled(target, token)


class PromotionStore:
    """The Promotions that wait for pull requests, as an index of these. Nothing is kept of the others."""

    def __init__(self) -> None:
        self.index = PullRequestIndex()
        self.unreadable = Unreadable()
        self.on_handled: Callable[[Target, str], None] | None = None  # (Promotion, the refresh that Kargo handled)
        self._versions: dict[Target, tuple[str, str]] = {}  # uid and resourceVersion
        self._handled: dict[Target, str] = {}

    def __len__(self) -> int:
        return len(self.index)

    def apply(self, encoded: msgspec.Raw) -> Identity:
        promotion = msgspec.json.decode(encoded, type=records.Promotion)
        identity = promotion.metadata.identity
        target = _promotion(promotion.metadata.key)
        uid = records.bounded(promotion.metadata.uid)
        if self._is_newer(target, uid, identity.version):
            urls = promotions.pull_requests(promotion.spec.steps, promotion.status)
            if urls and target not in self.index and self.index.count(target.namespace) >= limits.PROJECT_PROMOTIONS:
                raise UnreadableError(_PROMOTIONS_FULL)
            if urls or target in self.index:  # of the others nobody asked for a refresh
                self._note_handled(target, promotion.status)
            self._put(target, urls, uid, identity.version)
        return identity

    def delete(self, key: Key) -> None:
        self._forget(_promotion(key))

    def known(self) -> list[Key]:
        return [_key(target) for target in self.index.targets()]

    def retain_in(self, namespace: str, keys: set[Key]) -> None:
        """Forget every object of a namespace whose key is not among these."""
        for target in self.index.targets():
            if target.namespace == namespace and _key(target) not in keys:
                self._forget(target)

    def _is_newer(self, target: Target, uid: str, version: str) -> bool:
        """Whether this is no older state than the known one: the generation does not tell of the status."""
        known_uid, known = self._versions.get(target, ("", ""))
        return uid != known_uid or not _is_older(version, known, same=True)

    def _put(self, target: Target, urls: tuple[str, ...], uid: str, version: str) -> None:
        self.index.put(target, urls)
        if urls:
            self._versions[target] = (uid, version)
        else:
            self._forget(target)

    def _forget(self, target: Target) -> None:
        self.index.remove(target)
        self._versions.pop(target, None)
        self._handled.pop(target, None)

    def _note_handled(self, target: Target, status: msgspec.Raw) -> None:
        token = _handled_refresh(status)
        if token and self._handled.get(target) != token:
            self._handled[target] = token
            if self.on_handled is not None:
                self.on_handled(target, token)


class ConfigStore:
    """ProjectConfigs or the ClusterConfig, as the receivers they define.

    One that becomes unreadable keeps its receivers until it is gone: whether a URL counts is for its Secret to say.
    """

    def __init__(self, secrets_namespace: str | None = None) -> None:
        """``secrets_namespace`` is where the ClusterConfig's Secrets are; None for a store of ProjectConfigs."""
        self.version = 0  # grows with every change
        self.unreadable = Unreadable()
        self.on_changed: ReceiversChanged | None = None
        self._secrets_namespace = secrets_namespace
        self._receivers: dict[Key, list[Receiver]] = {}
        self._unread: dict[Key, frozenset[str] | None] = {}  # names that cannot be read; None: there may be any

    def __len__(self) -> int:
        return len(self._receivers)

    def receivers(self) -> list[Receiver]:
        """Every receiver, in no particular order."""
        return [receiver for receivers in self._receivers.values() for receiver in receivers]

    def apply(self, encoded: msgspec.Raw) -> Identity:
        config = msgspec.json.decode(encoded, type=records.Config)
        identity = config.metadata.identity
        configured = configs.decode(config.spec.webhook_receivers) if config.spec else configs.NOTHING
        published = configs.decode(config.status.webhook_receivers) if config.status else configs.NOTHING
        self._note_unread(config.metadata.key, configured.unread)
        self._put(config.metadata.key, self._read(config.metadata.key, configured, published))
        if configured.more:
            raise UnreadableError(f"only its first {limits.RECEIVERS} receivers count, and it has more")
        return identity

    def delete(self, key: Key) -> None:
        self._forget(key)

    def known(self) -> list[Key]:
        return list(self._receivers)

    def misreads(self, key: Key, name: str) -> bool:
        """Whether a config may define a receiver of this name in a way that cannot be read."""
        unread = self._unread.get(key, frozenset())
        return unread is None or name in unread

    def _note_unread(self, key: Key, unread: frozenset[str] | None) -> None:
        self._unread.pop(key, None)
        if unread is None or unread:
            self._unread[key] = unread

    def _read(self, key: Key, configured: configs.Decoded, published: configs.Decoded) -> list[Receiver]:
        """Secrets and Warehouses of a project live in the namespace of its name, and so does its one ProjectConfig.

        Kargo refuses ProjectConfigs of another name, and passes over ClusterConfigs of another.
        """
        if self._secrets_namespace is None:
            if key.name != key.namespace:
                return []
            source = configs.source_of(key.name)
            return configs.receivers(configured, published, project=key.name, secrets_namespace=key.name, source=source)
        if key.name != CLUSTER_CONFIG:
            return []
        source = configs.source_of(None)
        return configs.receivers(
            configured, published, project=None, secrets_namespace=self._secrets_namespace, source=source
        )

    def _put(self, key: Key, found: list[Receiver]) -> None:
        before = self._receivers.get(key)
        if before != found:
            self._receivers[key] = found
            self._tell(before or [], found)

    def _forget(self, key: Key) -> None:
        before = self._receivers.pop(key, None)
        self._unread.pop(key, None)
        if before is not None:
            self._tell(before, [])

    def _tell(self, before: list[Receiver], after: list[Receiver]) -> None:
        self.version += 1
        if self.on_changed is not None and before != after:
            self.on_changed(before, after)


def _is_older(version: str, known: str, *, same: bool = False) -> bool:
    """Whether a version of an object is one before the known one, or the ``same``; what cannot be told is not.

    They grow: https://kubernetes.io/docs/reference/using-api/api-concepts/#resource-versions
    """
    if not (version.isdecimal() and known.isdecimal()):
        return False
    return int(version) < int(known) or (same and version == known)


def _handled_refresh(status: msgspec.Raw) -> str:
    """The refresh that Kargo says it handled, "" for none: an odd status is no reason to lose the Warehouse."""
    try:
        return handling.token(msgspec.json.decode(status, type=records.WarehouseStatus).last_handled_refresh)
    except shallow.NO_JSON:
        return ""


def _target(key: Key) -> Target:
    return Target(key.namespace, key.name)


def _promotion(key: Key) -> Target:
    return Target(key.namespace, key.name, TargetKind.PROMOTION)


def _key(target: Target) -> Key:
    return Key(target.namespace, target.name)
