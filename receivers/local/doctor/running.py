"""Whether what answers under the base URL is this service, and of this version."""

import asyncio
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from receivers import version
from receivers.deliveries.readiness import NOT_CONFIGURED
from receivers.local import asking, posting
from receivers.local.asking import Declined
from receivers.local.doctor.findings import Check, Finding, Severity
from receivers.local.posting import Reply
from receivers.settings import Settings
from receivers.text import printable

NAME, SENDERS = "base URL", "senders"
SUBJECT = "setting EXTERNAL_WEBHOOK_SERVER_BASE_URL"
VERSION_SHOWN = 40  # characters
TIMEOUT = 10.0  # seconds; a cold start takes some


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """What was found under the base URL. Without a ``document`` no such service answers there."""

    check: Check
    document: Mapping[str, Any] = field(default_factory=dict)  # as /readyz has it

    @property
    def keeps(self) -> str:
        """What of retry queue and journal that service has; empty where it does not tell."""
        told = [self.document.get(part) for part in ("retryQueue", "journal")]
        if not all(isinstance(each, str) for each in told):
            return ""
        queue, journal = (("no" if each == NOT_CONFIGURED else "a") for each in told)
        return f"{queue} retry queue, and {journal} journal"


async def look(settings: Settings) -> Running:
    """That nothing answers is no fault: senders may reach what this machine does not, and it may be set for later."""
    if not settings.base_url:
        return Running(check=Check(name=NAME, sound="none is set, so nothing was asked"))
    try:
        async with asyncio.timeout(TIMEOUT):
            reply = await posting.get(f"{settings.base_url}/readyz")
    except TimeoutError:
        reply = Reply(error="no answer in time")
    if reply.error:
        return Running(check=Check(name=NAME, sound=f"from this machine there is {reply.error.partition(':')[0]}"))
    document = _document(reply.body)
    check = Check(
        name=NAME, sound="this service answers there, of this version", findings=list(_faults(reply.status, document))
    )
    return Running(check=check, document=document if _is_ours(document) else {})


async def senders(settings: Settings, running: Running) -> Check:
    """Who still posts to a URL that a receiver had before, as the running service knows; it may want its key."""
    if not running.document:
        return Check(name=SENDERS, sound="what they post to is known to the running service alone")
    try:
        async with asyncio.timeout(TIMEOUT), asking.Service(settings.base_url, settings.pages_key) as service:
            overview = await service.get("/overview")
    except (Declined, TimeoutError):
        return Check(name=SENDERS, sound="the running service was not asked: its pages do not open with PAGES_KEY")
    return Check(name=SENDERS, sound="none posts to a URL that a receiver had before", findings=list(_former(overview)))


def _former(overview: Mapping[str, Any]) -> Iterator[Finding]:
    checks = overview.get("checks")
    for each in checks if isinstance(checks, list) else ():
        if isinstance(each, dict) and each.get("name") == "Former URLs" and each.get("level") != "ok":
            yield Finding(
                severity=Severity.WARNING,
                subject="senders",
                problem=printable(str(each.get("says"))),
                remedy=printable(str(each.get("remedy"))),
            )


def _is_ours(document: Mapping[str, Any]) -> bool:
    return "version" in document and "ready" in document


def _faults(status: int, answered: Mapping[str, Any]) -> Iterator[Finding]:
    if not _is_ours(answered):
        problem = f"what answers there ({status} at /readyz) is not this service"
        yield _finding(problem, "correct it; before a switch from Kargo's own server that is right")
    elif answered["version"] != version.shown():
        deployed = str(answered["version"])[:VERSION_SHOWN]
        problem = f"the service there is of version {deployed}, and this command of version {version.shown()}"
        yield _finding(problem, "use the command of the version that is deployed, or deploy this one")


def _document(body: str) -> dict[str, Any]:
    try:
        answered = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return answered if isinstance(answered, dict) else {}


def _finding(problem: str, remedy: str) -> Finding:
    return Finding(severity=Severity.WARNING, subject=SUBJECT, problem=problem, remedy=remedy)
