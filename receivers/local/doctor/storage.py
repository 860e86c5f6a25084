"""Whether what cannot be refreshed at once is kept, and taken up again."""

from collections.abc import Sequence

from receivers import limits
from receivers.local.doctor.findings import Finding, Severity
from receivers.runtime import Runtime
from receivers.settings import Settings
from receivers.storage.account import StorageError

SUBJECT = "retry queue"


async def check(service: Runtime) -> Sequence[Finding]:
    """What is wrong with the Storage account; nothing where there is none, which is a choice."""
    if service.watch is None or service.queue is None:
        return []
    found = _check_names(service.settings)
    try:
        await service.queue.due_since()
    except StorageError as error:
        problem = f"the Storage account cannot be used: {error}"
        remedy = "check the settings AzureWebJobsStorage…, and the roles of this identity on the account"
        # Not an error: on another machine than the app's there may be no identity for it.
        return [*found, Finding(severity=Severity.WARNING, subject=SUBJECT, problem=problem, remedy=remedy)]
    due = await service.watch.oldest_due()
    if due is not None and due > limits.QUEUE_UNREAD:
        problem = f"nobody reads it: its oldest message has been due for {due:.0f} s"
        remedy = (
            "see whether a service runs with this Storage account, and its log for the listener of the function retries"
        )
        found.append(Finding(subject=SUBJECT, problem=problem, remedy=remedy))
    return found


def _check_names(settings: Settings) -> list[Finding]:
    """The trigger takes the account's name before a URL, so both must mean the same."""
    named, given = settings.queue_service, settings.storage_queues
    if not settings.storage_account or not given or named == given:
        return []
    problem = f"the queue trigger goes by AzureWebJobsStorage__accountName ({named}), and not by the URL beside it"
    return [Finding(subject=SUBJECT, problem=problem, remedy="remove AzureWebJobsStorage__accountName, or the URLs")]
