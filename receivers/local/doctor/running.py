"""Whether what answers under the base URL is this service, and of this version."""

import asyncio
import json
from collections.abc import Iterator
from typing import Any

from receivers import version
from receivers.local import posting
from receivers.local.doctor.findings import Check, Finding, Severity
from receivers.local.posting import Reply
from receivers.settings import Settings

NAME = "base URL"
SUBJECT = "setting EXTERNAL_WEBHOOK_SERVER_BASE_URL"
VERSION_SHOWN = 40  # characters
TIMEOUT = 10.0  # seconds; a cold start takes some


async def check(settings: Settings) -> Check:
    """That nothing answers is no fault: senders may reach what this machine does not, and it may be set for later."""
    if not settings.base_url:
        return Check(name=NAME, sound="none is set, so nothing was asked")
    try:
        async with asyncio.timeout(TIMEOUT):
            reply = await posting.get(f"{settings.base_url}/readyz")
    except TimeoutError:
        reply = Reply(error="no answer in time")
    if reply.error:
        return Check(name=NAME, sound=f"from this machine there is {reply.error.partition(':')[0]}")
    return Check(name=NAME, sound="this service answers there, of this version", findings=list(_faults(reply)))


def _faults(reply: Reply) -> Iterator[Finding]:
    answered = _document(reply.body)
    if "version" not in answered or "ready" not in answered:
        problem = f"what answers there ({reply.status} at /readyz) is not this service"
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
