"""One Warehouse as it is now: what the mirror does not keep."""

from dataclasses import dataclass
from urllib.parse import quote

import msgspec

from receivers import limits
from receivers.cluster import records
from receivers.cluster.api import KARGO, Api, ClusterError
from receivers.cluster.refresher import ANNOTATION
from receivers.events import Target
from receivers.kargo import handling, shallow, subscriptions

_STRATEGIES = ("imageSelectionStrategy", "commitSelectionStrategy")
UNREADABLE = "it cannot be read"
_INTERVAL = 32  # characters; "24h0m0s" has seven


@dataclass(frozen=True, slots=True, kw_only=True)
class Warehouse:
    """What its own object says."""

    interval: str  # as written: "5m0s"; empty where it says none
    strategies: dict[int, str]  # by the position of a subscription that says one
    asked: str  # the refresh that was asked for last
    handled: str  # the one that Kargo handled last


async def read(api: Api, target: Target) -> Warehouse | None:
    """A Warehouse, for people who look at it; None: it is gone. Raises ClusterError."""
    encoded = await get(api, target)
    try:
        found = decode(encoded, _Warehouse)
        return _of(found) if found is not None else None
    except (*shallow.NO_JSON, RecursionError):
        raise ClusterError(UNREADABLE) from None


async def get(api: Api, target: Target) -> bytes:
    """A list with the Warehouse alone, or nothing: by the right to list them, which there is. Raises ClusterError."""
    path = f"{KARGO}/namespaces/{quote(target.namespace)}/warehouses"
    params = {"fieldSelector": f"metadata.name={target.name}"}
    return await api.get(path, params=params, timeout=limits.PATCH_TIMEOUT)


def decode[Object](encoded: bytes, kind: type[Object]) -> Object | None:
    """The one object of what :func:`get` returned; None: it is gone. Raises ClusterError."""
    try:
        found = msgspec.json.decode(encoded, type=_Found[kind]).items  # type: ignore[valid-type]  # a type at run time
    except (*shallow.NO_JSON, RecursionError):
        raise ClusterError(UNREADABLE) from None
    return found[0] if found else None


def asked(annotations: msgspec.Raw) -> str:
    """The refresh that was asked for last; empty for none."""
    try:
        return handling.token(msgspec.json.decode(annotations, type=_Annotations).refresh)
    except shallow.NO_JSON:
        return ""


class _Spec(msgspec.Struct):
    interval: msgspec.Raw = msgspec.Raw(b"null")
    subscriptions: msgspec.Raw = msgspec.Raw(b"null")


class _Warehouse(msgspec.Struct):
    metadata: records.Metadata
    spec: _Spec = msgspec.field(default_factory=_Spec)
    status: records.WarehouseStatus = msgspec.field(default_factory=records.WarehouseStatus)


class _Found[Object](msgspec.Struct):
    items: list[Object]


class _Annotations(msgspec.Struct):
    refresh: msgspec.Raw = msgspec.field(name=ANNOTATION, default=msgspec.Raw(b"null"))


def _of(found: _Warehouse) -> Warehouse:
    interval = shallow.value(found.spec.interval) if len(found.spec.interval) <= _INTERVAL else ""
    return Warehouse(
        interval=interval if isinstance(interval, str) else "",
        strategies=_strategies(found.spec.subscriptions),
        asked=asked(found.metadata.annotations),
        handled=handling.token(found.status.last_handled_refresh),
    )


def _strategies(encoded: msgspec.Raw) -> dict[int, str]:
    decoded = subscriptions.decode(encoded).subscriptions
    written = decoded if isinstance(decoded, list) else []
    fields = (
        (position, name, members)
        for position, subscription in enumerate(written)
        if isinstance(subscription, dict)
        for members in subscription.values()
        if isinstance(members, dict)
        for name in _STRATEGIES
    )
    return {position: value for position, name, members in fields if isinstance(value := members.get(name), str)}
