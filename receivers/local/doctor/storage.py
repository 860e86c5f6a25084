"""Whether what cannot be refreshed at once is kept, and taken up again."""

import asyncio
from collections.abc import Sequence

from receivers import limits
from receivers.journal.journal import Filter
from receivers.local.doctor.findings import Finding, Severity
from receivers.runtime import Runtime
from receivers.settings import Settings
from receivers.storage.account import StorageError

SUBJECT = "retry queue"
URLS = "AzureWebJobsStorage__{}ServiceUri"


async def check(service: Runtime) -> Sequence[Finding]:
    """What is wrong with the Storage account; nothing where there is none, which is a choice."""
    if service.watch is None or service.queue is None:
        return []
    found = _check_names(service.settings)
    try:
        await service.queue.due_since()
    except StorageError as error:
        # Not an error: on another machine than the app's there may be no identity for it.
        return [*found, _unusable(SUBJECT, error, service.settings, URLS.format("queue"))]
    found += await _check_journal(service)
    due = await service.watch.oldest_due()
    if due is not None and due > limits.QUEUE_UNREAD:
        problem = f"nobody reads it: its oldest message has been due for {due:.0f} s"
        remedy = (
            "see whether a service runs with this Storage account, and its log for the listener of the function retries"
        )
        found.append(Finding(subject=SUBJECT, problem=problem, remedy=remedy))
    return found


async def _check_journal(service: Runtime) -> list[Finding]:
    """Whether its rows can be read: a table of the same account, which may have another address or other roles."""
    if service.journal is None or service.settings.journal != "table":
        return []
    try:
        async with asyncio.timeout(limits.STORAGE_TIMEOUT):
            async for _ in service.journal.rows(Filter()):
                break
    except (StorageError, TimeoutError) as error:
        return [_unusable("journal", error, service.settings, URLS.format("table"))]
    return []


def _unusable(subject: str, error: Exception, settings: Settings, url: str) -> Finding:
    named = "AzureWebJobsStorage" if settings.storage_connection else url
    if settings.storage_account and not settings.storage_connection:
        named = "AzureWebJobsStorage__accountName"
    roles = "" if settings.storage_connection else ", and the roles of this identity on the account"
    return Finding(
        severity=Severity.WARNING,
        subject=subject,
        problem=f"the Storage account cannot be used: {str(error) or 'no answer in time'}",
        remedy=f"check the setting {named}{roles}",
    )


def _check_names(settings: Settings) -> list[Finding]:
    """The trigger takes the account's name before a URL, so both must mean the same."""
    named, given = settings.queue_service, settings.storage_queues
    if not settings.storage_account or not given or named == given:
        return []
    problem = f"the queue trigger goes by AzureWebJobsStorage__accountName ({named}), and not by the URL beside it"
    return [Finding(subject=SUBJECT, problem=problem, remedy="remove AzureWebJobsStorage__accountName, or the URLs")]
