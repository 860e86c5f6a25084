"""The page of the queues: what waits, what was given up, and trying again or discarding it."""

from receivers.pages import documents, looks, queries, queued
from receivers.pages.queued import GivenUp
from receivers.pages.visits import Done, File, Refused, View, Visit
from receivers.retries.queue import RetryQueue
from receivers.runtime import Runtime

WITHOUT_QUEUE = (
    "What cannot be refreshed at once is not kept: this service has no retry queue. It has one once a Storage account "
    "is configured (AzureWebJobsStorage). Until then such a delivery is answered an error, as in Kargo's own server."
)
GONE = "It is not among the first messages that were given up: it was tried again or discarded meanwhile."


async def listing(visit: Visit, service: Runtime) -> View:
    """What is in the queues."""
    queries.refuse_unknown(visit, (), besides=("revived", "discarded"))
    queue = _queue(service)
    contents = await looks.now(queue)
    found = await queued.queues(contents, service)
    queued.note(queue, found)
    return View(
        template="queue.html",
        values={"queues": found, "revived": visit.number("revived"), "discarded": visit.number("discarded")},
        document=documents.queues(contents, found),
    )


async def revive(visit: Visit, service: Runtime) -> Done:
    """Try given-up messages again: the one of the form, or all."""
    message = visit.form.get("id")
    if message is not None and not message.strip():
        raise Refused(400, "Which one?", "The id is empty. Without one all are tried again.")
    revived = await _queue(service).revive(None if message is None else [message])
    return Done(location=f"/queue?revived={revived}", document={"revived": revived})


async def ask(visit: Visit, service: Runtime) -> View:
    """Ask once more before a given-up message is discarded."""
    queries.refuse_unknown(visit, ("id",))
    message = await _message(visit.query.get("id", ""), service)
    return View(
        template="discard.html",
        values={"message": message},
        document={"id": message.id, "what": message.what, "reason": message.reason},
    )


async def discard(visit: Visit, service: Runtime) -> Done:
    """Delete the given-up message of the form. What it held is not refreshed any more."""
    message = visit.form.get("id", "")
    if not message:
        raise Refused(400, "Nothing was discarded", "Which one? The form names no message.")
    found = await _queue(service).discard([message])
    if not found:
        raise Refused(404, "No such message", GONE)
    for each in found:
        if each.message is not None and service.recorder is not None:
            service.recorder.discarded(each.message)
    return Done(location=f"/queue?discarded={len(found)}", document={"discarded": len(found)})


async def save(visit: Visit, service: Runtime) -> File:
    """The bytes of a given-up message that cannot be read, to look at them elsewhere."""
    queries.refuse_unknown(visit, ("id",))
    message = await _message(visit.query.get("id", ""), service)
    if message.row is not None:
        raise Refused(409, "Nothing to save", "This message can be read: the queue's page shows what is in it.")
    return File(name="message.bin", content=message.unreadable)


async def _message(wanted: str, service: Runtime) -> GivenUp:
    contents = await looks.now(_queue(service))
    message = next((each for each in queued.poison(contents) if each.id == wanted), None)
    if message is None:
        raise Refused(404, "No such message", GONE)
    return message


def _queue(service: Runtime) -> RetryQueue:
    if service.queue is None:
        raise Refused(404, "No retry queue", WITHOUT_QUEUE)
    return service.queue
