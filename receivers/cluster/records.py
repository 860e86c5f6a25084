"""What is kept of a Kubernetes object: the few fields that count, decoded without building the rest.

A Warehouse's status lists everything it discovered, tens of kilobytes; msgspec skips it without allocating. Where a
schema does not fix a field's type, anything is taken here and judged by its reader.
"""

from typing import Any

import msgspec


class Metadata(msgspec.Struct):
    """An object's identity and version."""

    name: str
    namespace: str = ""
    uid: str = ""  # another one when the name is used again
    generation: int | None = None  # changes with the spec only


class _Subscriptions(msgspec.Struct):
    subscriptions: Any = None


class WarehouseStatus(msgspec.Struct):
    """What Kargo did last."""

    last_handled_refresh: Any = msgspec.field(name="lastHandledRefresh", default=None)


class Warehouse(msgspec.Struct):
    """Of a Warehouse: what it subscribes to, and which refresh Kargo handled last."""

    metadata: Metadata
    spec: _Subscriptions = msgspec.field(default_factory=_Subscriptions)
    status: WarehouseStatus | None = None


class _WebhookReceivers(msgspec.Struct):
    webhook_receivers: Any = msgspec.field(name="webhookReceivers", default=None)


class Config(msgspec.Struct):
    """Of a ProjectConfig or ClusterConfig: its receivers, and the paths published for them."""

    metadata: Metadata
    spec: _WebhookReceivers | None = None
    status: _WebhookReceivers | None = None


class _ListMetadata(msgspec.Struct):
    resource_version: str = msgspec.field(name="resourceVersion", default="")
    continue_token: str = msgspec.field(name="continue", default="")


class Page(msgspec.Struct):
    """One page of a list. Items stay undecoded, so that one odd object does not hide the others."""

    metadata: _ListMetadata
    items: list[msgspec.Raw] | None = None


class WatchEvent(msgspec.Struct):
    """One line of a watch: ADDED, MODIFIED, DELETED, BOOKMARK or ERROR."""

    type: str
    object: msgspec.Raw


class Bookmark(msgspec.Struct):
    """The version a watch has reached."""

    metadata: _ListMetadata


class Failure(msgspec.Struct):
    """The object of an ERROR event."""

    code: int = 0
    message: str = ""


class Secret(msgspec.Struct):
    """A Secret's data, still in base64."""

    data: dict[str, str] | None = None
