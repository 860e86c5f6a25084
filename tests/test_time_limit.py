"""What hangs, and what is told to nobody, fails its test and no other."""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
CONFTEST = """
from tests.asyncio_log import AsyncioLog
from tests.time_limit import TimeLimit

def pytest_configure(config):
    config.pluginmanager.register(TimeLimit(0.3))
    config.pluginmanager.register(AsyncioLog())
"""
HANGING = """
import asyncio, threading, time
import pytest

async def forever():
    await asyncio.Event().wait()

@pytest.fixture
def never_ready():
    time.sleep(60)

@pytest.fixture
async def never_put_away():
    yield
    await forever()

def test_that_blocks():
    time.sleep(60)

async def test_that_waits():
    await forever()

async def test_that_does_not_let_itself_be_stopped():
    while True:
        try:
            await asyncio.sleep(60)
        except Exception:
            pass

def test_of_what_is_not_ready(never_ready):
    pass

@pytest.mark.time_limit(30)
def test_that_may_take_longer():
    time.sleep(0.6)

def test_that_ends():
    pass

async def test_of_what_is_not_put_away(never_put_away):
    pass
"""
DEAF = """
import signal, time

def test_deaf():
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGALRM])
    time.sleep(60)
"""
TELLING = """
import asyncio
import pytest

async def fail():
    raise ValueError("nobody asked for it")

async def test_of_a_task_that_fails_alone():
    asyncio.create_task(fail())
    await asyncio.sleep(0)

async def test_of_a_callback_that_fails():
    asyncio.get_running_loop().call_soon(int, "no number")
    await asyncio.sleep(0)

@pytest.mark.asyncio_tells("nobody asked for it")
async def test_that_means_it():
    asyncio.create_task(fail())
    await asyncio.sleep(0)

@pytest.mark.asyncio_tells("nobody asked for it")
async def test_that_means_it_in_vain():
    pass

async def test_of_nothing_odd():
    await asyncio.sleep(0)
"""


def run(folder: Path, tests: str) -> tuple[dict[str, str], str]:
    """How each test ended, "error" if it was what comes before or after it; and all that was written."""
    (folder / "conftest.py").write_text(CONFTEST)
    (folder / "test_odd.py").write_text(tests)
    options = ["-p", "no:cacheprovider", "-rA", "-c", str(ROOT / "pyproject.toml"), "--rootdir", str(folder)]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options, str(folder)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    ended = re.findall(r"^(PASSED|FAILED|ERROR) \S*::test_(\w+)", done.stdout, re.MULTILINE)
    return {name: how.lower() for how, name in ended}, done.stdout + done.stderr


def test_what_hangs_fails_and_tells_where_and_the_next_test_has_its_turn(tmp_path: Path) -> None:
    ended, told = run(tmp_path, HANGING)
    assert ended == {
        "that_blocks": "failed",
        "that_waits": "failed",
        "that_does_not_let_itself_be_stopped": "failed",
        "of_what_is_not_ready": "error",
        "of_what_is_not_put_away": "error",
        "that_may_take_longer": "passed",
        "that_ends": "passed",
    }
    assert "it was not over after 0.3 s" in told
    assert "await asyncio.Event().wait()" in told


def test_what_cannot_be_interrupted_ends_the_process_and_tells_where(tmp_path: Path) -> None:
    _, told = run(tmp_path, DEAF)
    assert "Timeout" in told
    assert "in test_deaf" in told


def test_what_only_asyncios_log_tells_fails_its_test(tmp_path: Path) -> None:
    ended, told = run(tmp_path, TELLING)
    assert ended == {
        "of_a_task_that_fails_alone": "error",
        "of_a_callback_that_fails": "error",
        "that_means_it": "passed",
        "that_means_it_in_vain": "error",
        "of_nothing_odd": "passed",
    }
    assert "ValueError: nobody asked for it" in told
