"""The subscriptions of a Warehouse, from the raw JSON of ``spec.subscriptions``."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field

from receivers import limits
from receivers.events import Kind
from receivers.kargo import selectors, urls
from receivers.kargo.effort import Effort


@dataclass(frozen=True, slots=True)
class Subscription:
    """One subscription that pushes can match."""

    position: int  # in spec.subscriptions, from 0
    kind: Kind
    url: str  # normalised
    selector: selectors.Selector


@dataclass(frozen=True, slots=True)
class Reading:
    """What could be read of a Warehouse's subscriptions, and what not: reasons by position, from 0."""

    subscriptions: list[Subscription] = field(default_factory=list)
    faults: dict[int, str] = field(default_factory=dict)


def read(raw: object) -> Reading:
    """Read a list of subscriptions, whatever it is.

    A fault in one leaves the others alone. One whose repository can be read but nothing else is in both parts, with a
    selector that wants nothing. Git and unknown kinds are passed over: no sender of ours pushes to them.
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
        except selectors.Unreadable as unreadable:
            reading.faults[position] = str(unreadable)
            continue
        if subscription is None:
            continue
        reading.subscriptions.append(subscription)
        if isinstance(subscription.selector, selectors.Broken):
            reading.faults[position] = subscription.selector.reason
    return reading


def _read_one(position: int, item: object, effort: Effort) -> Subscription | None:
    kind, fields = _kind_and_fields(item)
    match kind:
        case "image":
            return _subscription(position, Kind.IMAGE, fields, effort)
        case "chart":
            return _subscription(position, Kind.CHART, fields, effort)
        case _:
            return None


def _kind_and_fields(item: object) -> tuple[object, object]:
    if not isinstance(item, Mapping):
        raise selectors.Unreadable("a subscription is not an object")
    if not isinstance(item.get("name", ""), str | None):
        raise selectors.Unreadable("the name is not a text")
    kinds = [(key, value) for key, value in item.items() if key != "name"]
    if len(kinds) != 1:
        raise selectors.Unreadable(f"a subscription has {len(kinds)} kinds, not one")
    return kinds[0]


def _subscription(position: int, kind: Kind, fields: object, effort: Effort) -> Subscription:
    if not isinstance(fields, Mapping):
        raise selectors.Unreadable(f"{kind} is not an object")
    url = sys.intern(urls.normalise(kind, selectors.repository_url(fields)))
    return Subscription(position, kind, url, _selector(kind, fields, effort))


def _selector(kind: Kind, fields: selectors.Fields, effort: Effort) -> selectors.Selector:
    read_selector = selectors.image_selector if kind is Kind.IMAGE else selectors.chart_selector
    try:
        return read_selector(fields, effort)
    except selectors.Unreadable as unreadable:
        return selectors.Broken(str(unreadable))
