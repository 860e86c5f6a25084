"""Azurite, the emulator of Azure Storage: what the local service and the tests have instead of a Storage account.

It is an npm package, pinned by package-lock.json, that runs on Node 20 or newer. It is installed once, outside the
tree: by ``python -m receivers.local.azurite``, or by :func:`storage` when it is first needed.
"""

import asyncio
import contextlib
import logging
import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

from receivers.local.azurite.emulator import Azurite
from receivers.local.azurite.installation import Unavailable, install, installed

__all__ = ["Azurite", "Storage", "Unavailable", "install", "installed", "storage"]

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Storage:
    """What :func:`storage` could get: a connection string, or the reason why there is none."""

    connection_string: str | None = field(default=None, repr=False)
    reason: str = ""


@contextlib.asynccontextmanager
async def storage() -> AsyncIterator[Storage]:
    """An empty Azurite while the block runs. Without Node there is none, and the reason says how to get it.

    The first time ever, it is installed, which takes half a minute and the network.
    """
    async with contextlib.AsyncExitStack() as stack:
        try:
            await asyncio.to_thread(install)
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="kargo-receivers-"))
            azurite = await stack.enter_async_context(Azurite(Path(folder)))
            found = Storage(connection_string=azurite.connection_string)
        except Unavailable as unavailable:
            found = Storage(reason=str(unavailable))
        yield found
