"""What is looked for in one Warehouse, as it waits for a later look."""

from collections.abc import Iterable, Sequence
from typing import Annotated

import msgspec

from receivers import limits
from receivers.events import Pushed, Target
from receivers.retries import messages
from receivers.retries.messages import Id, Time, refuse_odd

VERSION = 1


class UnreadableSearch(Exception):
    """A search that this version cannot read. The text says why, and quotes nothing of it."""


class Sought(msgspec.Struct, frozen=True, kw_only=True):
    """One push that Kargo should find, and the deliveries that told of it."""

    event: Pushed
    deliveries: tuple[Id, ...]
    since: Time  # when the first of them arrived

    def __post_init__(self) -> None:
        """What is decoded is refused where this raises ValueError."""
        refuse_odd(self.since)


class Search(msgspec.Struct, frozen=True, kw_only=True):
    """What Kargo should find in one Warehouse once it has handled a refresh."""

    version: int = VERSION
    project: str
    warehouse: str
    value: str  # of the refresh
    sought: tuple[Sought, ...]
    begun: Time
    tries: Annotated[int, msgspec.Meta(ge=0)] = 0  # how often Kargo was asked again

    @property
    def target(self) -> Target:
        """The Warehouse."""
        return Target(self.project, self.warehouse)

    def __post_init__(self) -> None:
        """What is decoded is refused where this raises ValueError."""
        refuse_odd(self.begun)


def sought(delivery: Id, pushes: Iterable[Pushed], *, since: Time) -> list[Sought]:
    """What one delivery tells of that can be looked for: a bounded part of it."""
    found = []
    for push in pushes:
        event = messages.slim(push, size=limits.SEARCH_EVENT)
        if isinstance(event, Pushed) and 0 < len(event.qualifiers) <= limits.SEARCH_QUALIFIERS:
            found.append(Sought(event=event, deliveries=(delivery,), since=since))
        if len(found) == limits.SEARCH_PUSHES:
            break
    return found


def pushed(event: Pushed) -> object:
    """What was pushed, whatever it was then: of two that are equal the later one counts."""
    return (event.repository_urls, event.qualifiers)


def merged(each: Sequence[Sought]) -> list[Sought]:
    """The same, each push once; of a tag that was pushed again the latest counts for all who told of it."""
    by_push: dict[object, Sought] = {}
    for one in sorted(each, key=lambda one: one.since):
        key = pushed(one.event)
        known = by_push.get(key)
        earlier = known.deliveries if known else ()
        deliveries = tuple(dict.fromkeys((*earlier, *one.deliveries)))[-limits.SEARCH_TOLD :]
        by_push[key] = msgspec.structs.replace(one, deliveries=deliveries, since=known.since if known else one.since)
    return list(by_push.values())


def encode(search: Search) -> bytes:
    """As it stands in the queue."""
    return msgspec.json.encode(search)


def decode(text: bytes) -> Search:
    """Read a search. Raises :class:`UnreadableSearch`."""
    try:
        search = msgspec.json.decode(text, type=Search)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise UnreadableSearch("it is not a search of this service, or was damaged") from None
    if search.version != VERSION:
        raise UnreadableSearch(f"its version is {search.version}; this service reads version {VERSION}")
    return search
