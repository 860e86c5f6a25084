"""What is kept of a Kubernetes object: the few fields that count, decoded without building the rest.

A Warehouse's status lists everything it discovered, tens of kilobytes; msgspec skips it without allocating. What a
tenant can fill with anything stays undecoded here: ``receivers.kargo`` takes what counts of it.
"""

import re
import sys
from typing import Annotated, NamedTuple

import msgspec

from receivers import limits

# The names of Kargo's objects: https://kubernetes.io/docs/concepts/overview/working-with-objects/names/#dns-subdomain-names
_NAME = re.compile(r"[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?")

_ABSENT = msgspec.Raw(b"null")


class Key(NamedTuple):
    """Which object of its kind. The namespace of a cluster-scoped one is empty."""

    namespace: str
    name: str


class Identity(NamedTuple):
    """Which object, as far as that can be read, and in which version; "" where that cannot be read."""

    key: Key | None
    version: str


class UnreadableError(Exception):
    """An object is not what Kubernetes and Kargo write. The text says why, for people."""


class Metadata(msgspec.Struct):
    """An object's identity and version."""

    name: str
    namespace: str = ""
    uid: str = ""  # another one when the name is used again
    generation: Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)] | None = None  # changes with the spec only
    resource_version: str = msgspec.field(name="resourceVersion", default="")
    labels: msgspec.Raw = _ABSENT
    annotations: msgspec.Raw = _ABSENT

    @property
    def key(self) -> Key:
        """Which object it is. Raises :class:`UnreadableError` for a name that Kubernetes would refuse."""
        if not is_name(self.name) or not (self.namespace == "" or is_name(self.namespace)):
            raise UnreadableError("its name is none that Kubernetes accepts")
        return Key(sys.intern(self.namespace), self.name)

    @property
    def identity(self) -> Identity:
        """As :attr:`key`, with the version."""
        return Identity(self.key, bounded(self.resource_version))


def bounded(version: str) -> str:
    """A resourceVersion or uid; one that is longer than those of Kubernetes counts as absent."""
    return version if len(version) <= limits.OBJECT_VERSION else ""


def is_name(text: str) -> bool:
    """Whether Kubernetes accepts this as the name of an object or a namespace."""
    return len(text) <= limits.OBJECT_NAME and _NAME.fullmatch(text) is not None


class Identified(msgspec.Struct):
    """Of any object: which one it is."""

    metadata: Metadata


class _Subscriptions(msgspec.Struct):
    subscriptions: msgspec.Raw = _ABSENT


class Warehouse(msgspec.Struct):
    """Of a Warehouse: what it subscribes to, and what Kargo did last."""

    metadata: Metadata
    spec: _Subscriptions = msgspec.field(default_factory=_Subscriptions)
    status: msgspec.Raw = _ABSENT


class _Steps(msgspec.Struct):
    steps: msgspec.Raw = _ABSENT


class Promotion(msgspec.Struct):
    """Of a Promotion: its steps, and how far it is."""

    metadata: Metadata
    spec: _Steps = msgspec.field(default_factory=_Steps)
    status: msgspec.Raw = _ABSENT


class WarehouseStatus(msgspec.Struct):
    """Of a Warehouse's status: which refresh Kargo handled last."""

    last_handled_refresh: msgspec.Raw = msgspec.field(name="lastHandledRefresh", default=_ABSENT)


class _WebhookReceivers(msgspec.Struct):
    webhook_receivers: msgspec.Raw = msgspec.field(name="webhookReceivers", default=_ABSENT)


class Config(msgspec.Struct):
    """Of a ProjectConfig or ClusterConfig: its receivers, and the paths published for them."""

    metadata: Metadata
    spec: _WebhookReceivers | None = None
    status: _WebhookReceivers | None = None


class ListMetadata(msgspec.Struct):
    """Where a list goes on, and from which version a watch follows it."""

    resource_version: str = msgspec.field(name="resourceVersion", default="")
    continue_token: str = msgspec.field(name="continue", default="")


class Page(msgspec.Struct):
    """One page of a list. Items stay undecoded, so that one odd object does not hide the others."""

    metadata: ListMetadata
    items: list[msgspec.Raw] | None = None


class WatchEvent(msgspec.Struct):
    """One line of a watch: ADDED, MODIFIED, DELETED, BOOKMARK or ERROR."""

    type: str
    object: msgspec.Raw


class Failure(msgspec.Struct):
    """The object of an ERROR event."""

    code: int = 0
    message: str = ""


class Secret(msgspec.Struct):
    """A Secret's data, still in base64."""

    data: dict[str, str] | None = None
