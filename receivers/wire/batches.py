"""Several events in one body: one that cannot be read costs the others nothing."""

from collections.abc import Callable, Sequence

from receivers import limits
from receivers.events import Event, Ignored, Malformed
from receivers.wire.go_json import Json


def read(documents: Sequence[Json], meaning: Callable[[Json], Event]) -> list[Event]:
    """One event for each of a batch; what ``meaning`` calls malformed is ignored, for the sake of the others.

    Raises :class:`Malformed` for more than any sender sends and, when none can be read, for what the first has wrong.
    """
    if len(documents) > limits.BATCH:
        raise Malformed(f"more than {limits.BATCH} events in one batch")
    events: list[Event] = []
    refusals: list[Malformed] = []
    for position, document in enumerate(documents, start=1):
        try:
            events.append(meaning(document))
        except Malformed as refusal:
            events.append(Ignored(f"event {position} of {len(documents)} cannot be read"))
            refusals.append(refusal)
    if refusals and len(refusals) == len(documents):
        raise Malformed(refusals[0].message)
    return events
