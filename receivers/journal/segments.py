"""The index of the journal: which rows of an hour have which values, so that a filter need not read the others.

A segment lists up to a thousand rows of one hour, as one instance wrote them. Its head names every value that occurs in
it; most segments are passed over for their head alone. What it says may be out of date, and rows are asked themselves;
but a row that is stored has every value of its own in a segment that was stored before it.
"""

import base64
import zlib
from collections.abc import Mapping
from typing import Any

import msgspec

from receivers import limits
from receivers.journal.hours import Tally
from receivers.journal.journal import Filter, Row, warehouses_of

CHUNK = 16_000  # characters in one property, which holds 32 Ki units of UTF-16
PROPERTIES = 12  # of one text at most: names are cut to fit
NAMES = 4 * 1024 * 1024  # bytes of an hour's repositories, inflated, that are looked at
LINE = "\n"  # between values, which are printable
MANY = "warehouse="  # of a row with more Warehouses than are indexed: it may have any

type Wanted = list[set[int]]  # for each filter, which values pass it, by their positions


class Segment:
    """Rows of one hour, and the differences that writing them made to its counts."""

    def __init__(self, hour: int, name: str) -> None:
        self.hour = hour
        self.name = name
        self.tally = Tally()
        self._keys: dict[str, int] = {}  # by value, as _shown
        self._names: dict[str, int] = {}  # repositories, of which a part may be looked for: those have negative places
        self._rows: dict[str, tuple[int, ...]] = {}
        self._length = 0  # characters of values
        self._entries = 0

    @property
    def is_full(self) -> bool:
        """Whether further rows belong into another one."""
        return (
            len(self._rows) >= limits.SEGMENT_ROWS
            or self._length >= limits.SEGMENT_TEXT
            or self._entries >= limits.SEGMENT_ENTRIES
        )

    def add(self, row: Row) -> bool:
        """List a row under its values, and under those that it had before. Whether that is news."""
        before = self._rows.get(row.id, ())
        after = tuple(dict.fromkeys((*before, *self._positions(row))))
        return self._set(row.id, after)

    def settle(self, row: Row) -> bool:
        """List a row that is stored under its values alone. Whether that is news."""
        return self._set(row.id, tuple(self._positions(row)))

    def entity(self) -> dict[str, Any]:
        """As it is stored."""
        return {
            "PartitionKey": partition_of(self.hour),
            "RowKey": self.name,
            **_chunks("tally", self.tally.encoded()),
            **_chunks("keys", LINE.join(self._keys)),
            **_chunks("names", base64.b64encode(zlib.compress(LINE.join(self._names).encode())).decode()),
            **_chunks("rows", msgspec.json.encode(self._rows).decode()),
        }

    def __contains__(self, delivery: str) -> bool:
        return delivery in self._rows

    def _positions(self, row: Row) -> list[int]:
        positions = [self._position(self._keys, value) for value in keys_of(row)]
        return [*positions, -1 - self._position(self._names, repository_of(row))]

    def _position(self, known: dict[str, int], value: str) -> int:
        if value not in known:
            self._length += len(value)
            known[value] = len(known)
        return known[value]

    def _set(self, delivery: str, positions: tuple[int, ...]) -> bool:
        before = self._rows.get(delivery)
        self._rows[delivery] = positions
        self._entries += len(positions) - len(before or ())
        return before != positions


def keys_of(row: Row) -> list[str]:
    """What a row is listed under, beside its repository."""
    warehouses = sorted(warehouses_of(row))
    listed = warehouses if len(warehouses) <= limits.SEGMENT_WAREHOUSES else [""]
    values = {
        "provider": row.provider,
        "project": row.project,
        "receiver": row.receiver,
        "state": row.state.value,
        "finding": row.finding.value if row.finding else "",
    }
    told = [f"{kind}={value}" for kind, value in values.items() if value]
    return [_shown(value) for value in (*told, *(f"warehouse={each}" for each in listed))]


def repository_of(row: Row) -> str:
    """The repository that a row is listed under."""
    return _shown(f"{row.registry}/{row.repository}".lower())


def has_keys(only: Filter) -> bool:
    """Whether a filter asks for anything but a time."""
    return bool(_asked(only) or only.repository)


def head(only: Filter) -> list[str]:
    """The properties of a stored segment that tell what :func:`wanted` needs for a filter."""
    texts = [name for name, needed in (("keys", _asked(only)), ("names", only.repository)) if needed]
    return ["PartitionKey", "RowKey", *(each for text in texts for each in properties(text))]


def wanted(only: Filter, entity: Mapping[str, Any]) -> Wanted | None:
    """Which values of a stored segment pass each filter; None where none passes one.

    Raises KeyError, TypeError, ValueError or zlib.error where somebody has tampered with it.
    """
    found: Wanted = []
    asked = _asked(only)
    keys = _joined("keys", entity).split(LINE) if asked else []
    for kind, value in asked.items():
        passes = {_shown(f"{kind}={value}"), MANY if kind == "warehouse" else ""}
        found.append({position for position, key in enumerate(keys) if key in passes})
    if only.repository and all(found):
        part = _shown(only.repository.lower())
        names = _inflated(_joined("names", entity))
        listed = names.split(LINE) if part in names else []
        found.append({-1 - position for position, name in enumerate(listed) if part in name})
    return found if all(found) else None


def passing(entity: Mapping[str, Any], told: Wanted) -> list[str]:
    """The rows of a stored segment that pass every filter. Raises KeyError, TypeError or msgspec.DecodeError."""
    rows = msgspec.json.decode(_joined("rows", entity), type=dict[str, frozenset[int]])
    return [delivery for delivery, has in rows.items() if all(not has.isdisjoint(each) for each in told)]


def tally(entity: Mapping[str, Any]) -> str:
    """The counts of a stored segment, as JSON. Raises as :func:`passing`."""
    return _joined("tally", entity)


def partition_of(hour: int) -> str:
    """The partition key of an hour: later ones come first."""
    return f"{max(0, 9_999_999 - hour):07d}"


def hour_in(partition: str) -> int:
    """The hour that a partition holds. Raises ValueError."""
    return 9_999_999 - int(partition)


def properties(text: str) -> list[str]:
    """Those that hold one text."""
    return [text, *(f"{text}{number}" for number in range(PROPERTIES))]


def _asked(only: Filter) -> dict[str, str]:
    kinds = ("provider", "project", "receiver", "state", "finding", "warehouse")
    return {kind: getattr(only, kind) for kind in kinds if getattr(only, kind)}


def _inflated(text: str) -> str:
    return zlib.decompressobj().decompress(base64.b64decode(text), NAMES).decode()


def _shown(value: str) -> str:
    """Short, and as long in JSON as it is: what differs only beyond that is told apart by the rows."""
    short = value[: limits.SEGMENT_VALUE]
    return short if short.isprintable() else "".join(each if each.isprintable() else "?" for each in short)


def _chunks(name: str, text: str) -> dict[str, Any]:
    parts = [text[start : start + CHUNK] for start in range(0, len(text), CHUNK)]
    return {name: len(parts), **{f"{name}{number}": part for number, part in enumerate(parts)}}


def _joined(name: str, entity: Mapping[str, Any]) -> str:
    return "".join(entity[f"{name}{number}"] for number in range(entity[name]))
