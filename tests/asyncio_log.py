"""What goes wrong where nobody awaits it, asyncio tells only its own log: a test that caused it fails.

"Task exception was never retrieved", "Unclosed client session", "Exception in callback …". A test that means to cause
it has the mark ``asyncio_tells`` with a part of what is told.
"""

import gc
import logging
from collections.abc import Generator

import pytest


class AsyncioLog(logging.Handler):
    """A plugin of pytest, and a handler of the log."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self._told: list[str] = []
        logging.getLogger("asyncio").addHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        self._told.append(self.format(record))

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_teardown(self, item: pytest.Item) -> Generator[None, object, object]:
        result = yield
        gc.collect(1)  # a task tells that its exception was never retrieved when it is thrown away
        told, self._told = self._told, []
        expected = [mark.args[0] for mark in item.iter_markers("asyncio_tells")]
        missing = [part for part in expected if not any(part in each for each in told)]
        surprising = [each for each in told if not any(part in each for part in expected)]
        if surprising:
            pytest.fail("asyncio's log tells:\n" + "\n".join(surprising), pytrace=False)
        if missing:
            pytest.fail(f"asyncio's log does not tell: {missing}", pytrace=False)
        return result
