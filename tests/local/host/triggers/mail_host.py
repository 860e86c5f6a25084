"""A local host in this process that runs the mail app."""

import base64
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from receivers.local.azurite import Azurite
from receivers.local.host import FunctionHost

MAIL = Path(__file__).parent / "mail"
QUEUES = "AzureFunctionsJobHost__extensions__queues__"
# A module name of its own: a process imports each name once.
SETTINGS = {"PYTHON_SCRIPT_FILE_NAME": "mail_app.py", "PARCELS": "parcels", "EVERY": "0 0 3 * * *"}


def mail_host(connection_string: str = "", settings: Mapping[str, str] | None = None) -> FunctionHost:
    """A host that is not started. ``settings`` are app settings; without a connection string it has no queues."""
    return FunctionHost(
        MAIL, settings={**SETTINGS, "AzureWebJobsStorage": connection_string, "OTHER_STORAGE": "", **(settings or {})}
    )


@asynccontextmanager
async def listening(azurite: Azurite, settings: Mapping[str, str] | None = None) -> AsyncIterator[FunctionHost]:
    """A host that listens while the block runs."""
    host = mail_host(azurite.connection_string, settings)
    await host.start()
    try:
        yield host
    finally:
        await host.stop()


def encoded(body: bytes | str) -> str:
    """A message as the host expects it."""
    return base64.b64encode(body.encode() if isinstance(body, str) else body).decode()
