"""Tasks that several wait for, and that may end when nobody waits any more."""

import asyncio
from typing import Any


def retrieve_exception(task: asyncio.Task[Any]) -> None:
    """Mark a task's failure as seen, for tasks whose waiters may have gone."""
    if not task.cancelled():
        task.exception()
