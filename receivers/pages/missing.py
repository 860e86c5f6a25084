"""The page of a delivery that the journal has no row of: what is known all the same, and where to look."""

from datetime import UTC, datetime, timedelta

from receivers.journal.journal import is_id
from receivers.pages import looks, problems, queued, wording
from receivers.pages.searching import when_of
from receivers.pages.visits import View
from receivers.runtime import Runtime

NO_ID = "This is not the id of a delivery, nor the beginning of one that is kept."
NO_ROW = (
    "There is no delivery with this id, or it is older than the journal keeps, or it was refused before a receiver "
    "was known: these are counted, not recorded."
)


async def view(service: Runtime, delivery: str) -> View:
    """What the id itself tells, and the retry queue."""
    known = _told_by(delivery, days=service.settings.journal_days) if is_id(delivery) else []
    told = await _queued(service, delivery) if is_id(delivery) else ""
    text = NO_ROW if is_id(delivery) else NO_ID
    return View(
        template="missing.html",
        status=404,
        values={"text": text, "known": known, "queued": told, "delivery": delivery if is_id(delivery) else ""},
        document={"error": " ".join([text, *known, *([told] if told else [])])},
    )


def _told_by(delivery: str, *, days: int) -> list[str]:
    """What an id tells, which begins with a time."""
    now, arrived = datetime.now(UTC), when_of(delivery)
    if arrived > now:
        return ["Its id is of a time to come."]
    kept = f"Deliveries are kept for {days} days."
    told = f"By its id it arrived {wording.utc(arrived)}."
    return [told, kept] if now - arrived > timedelta(days=days) else [told]


async def _queued(service: Runtime, delivery: str) -> str:
    """What the first messages of the queues say of it; empty: nothing."""
    contents = await problems.contents(service, looks.lately)
    if contents is None:
        return ""
    for each in queued.poison(contents):
        if each.row is not None and each.row.id == delivery:
            return f"Its message was given up, and is kept in the queue: {each.what}, {each.reason}."
    waits = any(each.message.delivery == delivery for each in contents.waits)
    return "Its message waits in the queue for another try." if waits else ""
