"""Imports of Azure's libraries, and of what needs them, off the event loop: requests go on meanwhile."""

import asyncio
import importlib
import threading
from types import ModuleType

_one_at_a_time = threading.Lock()


async def imported(module: str) -> ModuleType:
    """Import a module in a thread, after those that were asked for before.

    The modules of Azure's libraries import each other in circles. Of two threads that enter such a circle in different
    places one may find the other's half of a module, and fail.
    """
    return await asyncio.to_thread(_imported, module)


def _imported(module: str) -> ModuleType:
    with _one_at_a_time:
        return importlib.import_module(module)
