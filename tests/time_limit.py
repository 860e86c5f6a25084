"""A time limit for each part of a test: what it needs, the test itself, and what tidies up after it.

Whatever hangs fails, and tells where its threads and its tasks wait; then the next test has its turn. A test that needs
longer has a mark with its own limit: ``@pytest.mark.time_limit(300)``. What cannot even be interrupted ends the
process, after twice the time.
"""

import asyncio
import faulthandler
import io
import os
import signal
import sys
import threading
import traceback
from collections.abc import Generator, Iterator
from contextlib import contextmanager

import pytest

LIMIT = 120.0  # seconds; nearly every test takes less than one, and the machine may be busy
AGAIN = 5.0  # seconds, after which it is interrupted once more: something may have taken the first time for its own


class OutOfTime(BaseException):
    """Nothing takes it for an error that it knows how to handle."""


class TimeLimit:
    """A plugin of pytest, which interrupts by a signal. Every worker has its own."""

    def __init__(self, limit: float = LIMIT) -> None:
        self._limit = limit
        self._stderr = os.dup(2)  # before pytest captures it

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> Generator[None, object, object]:
        with self._limited(item, "what it needs was not ready"):
            return (yield)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, object, object]:
        with self._limited(item, "it was not over"):
            return (yield)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_teardown(self, item: pytest.Item) -> Generator[None, object, object]:
        with self._limited(item, "what it needed was not put away"):
            return (yield)

    @contextmanager
    def _limited(self, item: pytest.Item, what: str) -> Iterator[None]:
        mark = item.get_closest_marker("time_limit")
        limit = float(mark.args[0]) if mark else self._limit

        def interrupt(*_: object) -> None:
            raise OutOfTime(f"{what} after {limit:g} s\n{_places()}")

        before = signal.signal(signal.SIGALRM, interrupt)
        signal.setitimer(signal.ITIMER_REAL, limit, min(limit, AGAIN))
        faulthandler.dump_traceback_later(2 * limit, exit=True, file=self._stderr)
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)
            faulthandler.cancel_dump_traceback_later()


def _places() -> str:
    """Where the tasks of the running loop and the other threads are."""
    told = io.StringIO()
    try:
        tasks = asyncio.all_tasks()
    except RuntimeError:  # no loop runs
        tasks = set()
    for task in tasks:
        print(f"Task {task.get_name()}:", file=told)
        awaited: object = task.get_coro()
        while frame := getattr(awaited, "cr_frame", None):
            traceback.print_stack(frame, limit=1, file=told)
            awaited = getattr(awaited, "cr_await", None)
    frames = sys._current_frames()
    for thread in threading.enumerate():
        if thread is not threading.main_thread() and thread.ident in frames:
            print(f"Thread {thread.name}:", file=told)
            traceback.print_stack(frames[thread.ident], file=told)
    return told.getvalue()
