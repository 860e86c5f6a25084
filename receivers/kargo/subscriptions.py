"""The subscriptions of a Warehouse, from the raw JSON of ``spec.subscriptions``."""

import sys
from dataclasses import dataclass, field

import msgspec

from receivers import limits
from receivers.events import Kind
from receivers.kargo import fields, selectors, shallow, urls
from receivers.kargo.effort import Effort
from receivers.kargo.selectors import chart, git, image, terms

_TOO_MANY = f"only the first {limits.SUBSCRIPTIONS} subscriptions of a Warehouse count, and there are more"
_TOO_LARGE = (
    f"together the subscriptions are larger than {limits.SUBSCRIPTIONS_BYTES // 1024} KiB: this one is left out"
)

_READERS = {Kind.GIT: git.selector, Kind.IMAGE: image.selector, Kind.CHART: chart.selector}


@dataclass(frozen=True, slots=True)
class Subscription:
    """One subscription that pushes can match."""

    position: int  # in spec.subscriptions, from 0
    kind: Kind
    url: str  # normalised
    selector: selectors.Selector
    remarks: str = ""  # on fields that are older, or unknown here


@dataclass(frozen=True, slots=True)
class Reading:
    """What could be read of a Warehouse's subscriptions, and what not: reasons by position, from 0."""

    subscriptions: list[Subscription] = field(default_factory=list)
    faults: dict[int, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Stands in a list for subscriptions that are not read, and says why."""

    reason: str


@dataclass(frozen=True, slots=True)
class Decoded:
    """What counts of ``spec.subscriptions``, for :func:`read`, and how large it was."""

    subscriptions: object
    size: int = 0  # bytes of JSON


def decode(encoded: msgspec.Raw) -> Decoded:
    """Take what counts from the JSON of ``spec.subscriptions``, in bounded time and memory, whatever it holds."""
    found = shallow.elements(encoded, at_most=limits.SUBSCRIPTIONS)
    if found is None:
        return Decoded(shallow.value(encoded))
    decoded: list[object] = []
    size = 0
    for element in found.first:
        if size + len(element) > limits.SUBSCRIPTIONS_BYTES:
            decoded.append(_decode_large(element))
        else:
            size += len(element)
            decoded.append(_decode_one(element))
    return Decoded([*decoded, LeftOut(_TOO_MANY)] if found.more else decoded, size)


class _Repositories(msgspec.Struct):
    """The kinds that count, of a subscription that is too large to look at the others."""

    git: msgspec.Raw = msgspec.Raw()
    image: msgspec.Raw = msgspec.Raw()
    chart: msgspec.Raw = msgspec.Raw()


def _decode_large(encoded: msgspec.Raw) -> object:
    try:
        kinds = msgspec.json.decode(encoded, type=_Repositories)
    except shallow.NO_JSON:
        return shallow.OTHER
    counts = any(len(each) for each in msgspec.structs.astuple(kinds))
    return LeftOut(_TOO_LARGE) if counts else {"a kind that is passed over": None}


def _decode_one(encoded: msgspec.Raw) -> object:
    kinds = shallow.members(encoded)
    if kinds is None:
        return shallow.OTHER
    return {key: _decode_member(key, each) for key, each in kinds.items()}


def _decode_member(key: str, encoded: msgspec.Raw) -> object:
    match key:
        case "name":
            return shallow.value(encoded)
        case "git" | "image" | "chart":
            return _fields(encoded)
        case _:
            return shallow.OTHER


def _fields(encoded: msgspec.Raw) -> object:
    members = shallow.members(encoded)
    return shallow.OTHER if members is None else {name: shallow.value(each) for name, each in members.items()}


def read(raw: object) -> Reading:
    """Read a list of subscriptions, whatever it is.

    A fault in one leaves the others alone. One whose repository can be read but nothing else is in both parts, with a
    selector that wants nothing. Unknown kinds are passed over. Of many faults the first are told.
    """
    reading = Reading()
    effort = Effort(limits.READING_EFFORT)
    if raw is None:
        return reading
    if not isinstance(raw, list):
        reading.faults[0] = "spec.subscriptions is not a list"
        return reading
    for position, item in enumerate(raw):
        try:
            subscription = _read_one(position, item, effort)
        except fields.Unreadable as unreadable:
            _note(reading, position, str(unreadable))
            continue
        if subscription is None:
            continue
        reading.subscriptions.append(subscription)
        if isinstance(subscription.selector, selectors.Broken):
            _note(reading, position, subscription.selector.reason)
    return reading


def _note(reading: Reading, position: int, reason: str) -> None:
    if len(reading.faults) < limits.SUBSCRIPTION_FAULTS:
        reading.faults[position] = reason
    elif len(reading.faults) == limits.SUBSCRIPTION_FAULTS:
        reading.faults[position] = "neither this one nor some after it can be read"


def _read_one(position: int, item: object, effort: Effort) -> Subscription | None:
    kind, members = _kind_and_members(item)
    match kind:
        case "git":
            return _subscription(position, Kind.GIT, members, effort)
        case "image":
            return _subscription(position, Kind.IMAGE, members, effort)
        case "chart":
            return _subscription(position, Kind.CHART, members, effort)
        case _:
            return None


def _kind_and_members(item: object) -> tuple[object, object]:
    if isinstance(item, LeftOut):
        raise fields.Unreadable(item.reason)
    if not isinstance(item, dict):
        raise fields.Unreadable("a subscription is not an object")
    if not isinstance(item.get("name", ""), str | None):
        raise fields.Unreadable("the name is not a text")
    kinds = [(key, value) for key, value in item.items() if key != "name"]
    if len(kinds) != 1:
        raise fields.Unreadable(f"a subscription has {len(kinds)} kinds, not one")
    return kinds[0]


def _subscription(position: int, kind: Kind, members: object, effort: Effort) -> Subscription:
    if not isinstance(members, dict):
        raise fields.Unreadable(f"{kind} is not an object")
    url = sys.intern(urls.normalise(kind, terms.repository_url(members)))
    remarks = sys.intern(fields.remarks(kind, members))
    return Subscription(position, kind, url, _selector(kind, members, effort), remarks)


def _selector(kind: Kind, members: fields.Fields, effort: Effort) -> selectors.Selector:
    try:
        return _READERS[kind](members, effort)
    except fields.Unreadable as unreadable:
        return selectors.Broken(str(unreadable))
