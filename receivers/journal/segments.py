"""The index of the journal: which rows of an hour have which values, so that a filter need not read the others.

A segment lists up to a thousand rows of one hour, as one instance wrote them. Its head names every value that occurs in
it; most segments are passed over for their head alone. What it says may be out of date, and rows are asked themselves;
but a row that is stored has every value of its own in a segment that was stored before it.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from receivers import limits
from receivers.journal.hours import Tally
from receivers.journal.journal import Filter, Row, warehouses_of

CHUNK = 16_000  # characters in one property, which holds 32 Ki units of UTF-16
PROPERTIES = 12  # of one text at most: names are cut to fit
HEAD = ("PartitionKey", "RowKey", "values", *(f"values{number}" for number in range(PROPERTIES)))
TALLY = ("PartitionKey", "RowKey", "tally", *(f"tally{number}" for number in range(PROPERTIES)))
MANY = "warehouse="  # of a row with more Warehouses than are indexed: it may have any

type Wanted = list[set[int]]  # for each filter, which values pass it, by their positions


class Segment:
    """Rows of one hour, and the differences that writing them made to its counts."""

    def __init__(self, hour: int, name: str) -> None:
        self.hour = hour
        self.name = name
        self.tally = Tally()
        self._values: dict[str, int] = {}
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
            **_chunks("values", msgspec.json.encode(list(self._values)).decode()),
            **_chunks("rows", msgspec.json.encode(self._rows).decode()),
        }

    def __contains__(self, delivery: str) -> bool:
        return delivery in self._rows

    def _positions(self, row: Row) -> list[int]:
        return [self._position(value) for value in values_of(row)]

    def _position(self, value: str) -> int:
        if value not in self._values:
            self._length += len(value)
            self._values[value] = len(self._values)
        return self._values[value]

    def _set(self, delivery: str, positions: tuple[int, ...]) -> bool:
        before = self._rows.get(delivery)
        self._rows[delivery] = positions
        self._entries += len(positions) - len(before or ())
        return before != positions


def values_of(row: Row) -> list[str]:
    """What a row is listed under."""
    warehouses = sorted(warehouses_of(row))
    listed = warehouses if len(warehouses) <= limits.SEGMENT_WAREHOUSES else [""]
    values = {
        "provider": row.provider,
        "project": row.project,
        "receiver": row.receiver,
        "state": row.state.value,
        "finding": row.finding.value if row.finding else "",
        "repository": f"{row.registry}/{row.repository}".lower(),
    }
    told = [f"{kind}={value}" for kind, value in values.items() if value]
    return [_shown(value) for value in (*told, *(f"warehouse={each}" for each in listed))]


def has_keys(only: Filter) -> bool:
    """Whether a filter asks for anything but a time."""
    return any(_asked(only).values())


def wanted(only: Filter, values: Iterable[str]) -> Wanted | None:
    """Which values pass each filter; None where nothing passes one."""
    positions = {value: position for position, value in enumerate(values)}
    found: Wanted = []
    for kind, asked in _asked(only).items():
        if not asked:
            continue
        value = _shown(f"{kind}={asked}")
        if kind == "repository":
            part = value.partition("=")[2].lower()
            passing = {at for each, at in positions.items() if each.startswith("repository=") and part in each[11:]}
        else:
            passing = {positions[each] for each in (value, MANY if kind == "warehouse" else value) if each in positions}
        if not passing:
            return None
        found.append(passing)
    return found


def head(entity: Mapping[str, Any]) -> list[str]:
    """The values of a stored segment. Raises KeyError, TypeError or msgspec.DecodeError."""
    return msgspec.json.decode(_joined("values", entity), type=list[str])


def passing(entity: Mapping[str, Any], told: Wanted) -> list[str]:
    """The rows of a stored segment that pass every filter. Raises as :func:`head`."""
    rows = msgspec.json.decode(_joined("rows", entity), type=dict[str, frozenset[int]])
    return [delivery for delivery, has in rows.items() if all(not has.isdisjoint(each) for each in told)]


def tally(entity: Mapping[str, Any]) -> str:
    """The counts of a stored segment, as JSON. Raises as :func:`head`."""
    return _joined("tally", entity)


def partition_of(hour: int) -> str:
    """The partition key of an hour: later ones come first."""
    return f"{max(0, 9_999_999 - hour):07d}"


def hour_in(partition: str) -> int:
    """The hour that a partition holds. Raises ValueError."""
    return 9_999_999 - int(partition)


def _asked(only: Filter) -> dict[str, str]:
    kinds = ("provider", "project", "receiver", "state", "finding", "repository", "warehouse")
    return {kind: getattr(only, kind) for kind in kinds}


def _shown(value: str) -> str:
    """Short, and as long in JSON as it is: what differs only beyond that is told apart by the rows."""
    return "".join(each if each.isprintable() else "?" for each in value[: limits.SEGMENT_VALUE])


def _chunks(name: str, text: str) -> dict[str, Any]:
    parts = [text[start : start + CHUNK] for start in range(0, len(text), CHUNK)]
    return {name: len(parts), **{f"{name}{number}": part for number, part in enumerate(parts)}}


def _joined(name: str, entity: Mapping[str, Any]) -> str:
    return "".join(entity[f"{name}{number}"] for number in range(entity[name]))
