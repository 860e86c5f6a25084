"""Imports off the event loop."""

import asyncio
import sys
import threading
from pathlib import Path

import pytest

from receivers.importing import imported

# A module that takes its time, and tells whether another one was imported meanwhile.
SLOW = """
import sys, time
under_way = sys.modules["under_way"].names
under_way.add(__name__)
time.sleep(0.05)
alone = under_way == {__name__}
under_way.remove(__name__)
"""


@pytest.fixture
def slow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of slow modules, none of which was imported yet."""
    names = [f"slow_{number}" for number in range(3)]
    for name in names:
        (tmp_path / f"{name}.py").write_text(SLOW)
    (tmp_path / "under_way.py").write_text("names = set()")
    monkeypatch.syspath_prepend(tmp_path)
    __import__("under_way")
    return names


async def test_modules_are_imported_one_after_the_other_off_the_event_loop(slow: list[str]) -> None:
    modules = await asyncio.gather(*map(imported, slow))
    assert [module.__name__ for module in modules] == slow
    assert all(module.alone for module in modules)
    assert all(name in sys.modules for name in slow)


async def test_a_module_that_cannot_be_imported_holds_up_no_other() -> None:
    with pytest.raises(ModuleNotFoundError):
        await imported("receivers.nothing_of_this_name")
    assert await imported("threading") is threading
