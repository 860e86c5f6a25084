"""Several events in one body."""

import pytest

from receivers import limits
from receivers.events import Event, Ignored, Malformed, Ping
from receivers.wire import batches
from receivers.wire.go_json import Json


def meaning(document: Json) -> Event:
    if document == "odd":
        raise Malformed("odd")
    return Ping()


def test_what_cannot_be_read_is_ignored_beside_what_can() -> None:
    assert batches.read(["a", "odd"], meaning) == [Ping(), Ignored("event 2 of 2 cannot be read")]
    assert batches.read([], meaning) == []


@pytest.mark.parametrize("documents", [["odd"], ["odd", "odd"], ["a"] * (limits.BATCH + 1)])
def test_a_batch_of_which_nothing_can_be_read_or_too_much_is_malformed(documents: list[Json]) -> None:
    with pytest.raises(Malformed):
        batches.read(documents, meaning)
