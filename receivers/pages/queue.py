"""The page of the queues: what waits, what was given up, and trying again."""

from receivers.pages import documents
from receivers.pages.visits import Done, Refused, View, Visit
from receivers.retries.queue import RetryQueue
from receivers.runtime import Runtime

WITHOUT_QUEUE = (
    "What cannot be refreshed at once is not kept: this service has no retry queue. It has one once a Storage account "
    "is configured (AzureWebJobsStorage). Until then such a delivery is answered an error, as in Kargo's own server."
)


async def listing(visit: Visit, service: Runtime) -> View:
    """What is in the queues."""
    contents = await _queue(service).peek()
    return View(
        template="queue.html",
        values={"contents": contents, "revived": visit.number("revived")},
        document=documents.queues(contents),
    )


async def revive(visit: Visit, service: Runtime) -> Done:
    """Try given-up messages again: the one of the form, or all."""
    message = visit.form.get("id", "")
    revived = await _queue(service).revive([message] if message else None)
    return Done(location=f"/queue?revived={revived}", document={"revived": revived})


def _queue(service: Runtime) -> RetryQueue:
    if service.queue is None:
        raise Refused(404, "No retry queue", WITHOUT_QUEUE)
    return service.queue
