"""Timer triggers, through the worker library."""

import asyncio
import logging
from datetime import UTC, datetime

import azure.functions as func
import pytest

from receivers.local.host import FunctionHost
from receivers.local.host.errors import UnusableConfiguration, UnusableSchedule
from receivers.local.host.triggers.schedule import parse
from receivers.local.host.triggers.timer import TimerListener
from tests.local.host.triggers.inbox import INBOX
from tests.local.host.triggers.mail_host import mail_host

AT_NIGHT = "0 0 3 * * *"


def nightly_of(host: FunctionHost, *, now: datetime) -> TimerListener:
    """A listener for 3 o'clock whose clock stands still."""
    function = next(function for function in host.functions if function.name == "nightly")
    return TimerListener(function, parse(AT_NIGHT), on_startup=False, now=lambda: now)


async def test_a_timer_fires_again_and_again_though_its_function_fails(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.ERROR)
    host = mail_host(settings={"EVERY": "* * * * * *"})
    await host.start()
    await INBOX.tick("on_tick")
    await INBOX.tick("on_tick")
    await host.stop()
    assert "RuntimeError: a timer goes on" in caplog.text


async def test_what_a_timer_is_told() -> None:
    host = mail_host(settings={"EVERY": "* * * * * *"})
    await host.start()
    timer = (await INBOX.tick("on_tick")).value
    await host.stop()
    assert isinstance(timer, func.TimerRequest)
    assert not timer.past_due


async def test_only_what_is_to_run_on_startup_does() -> None:
    host = mail_host()
    await host.start()
    await INBOX.tick("on_start")
    await host.stop()
    assert INBOX.ticks("nightly") == 0


async def test_a_timer_fires_when_its_time_comes_and_once_for_it() -> None:
    host = mail_host()
    await host.start()
    stopping = asyncio.Event()
    # The clock stands still, as if the event loop had woken early: 3 o'clock must not come twice.
    almost = datetime(2026, 11, 21, 2, 59, 59, 990_000, tzinfo=UTC)
    listening = asyncio.create_task(nightly_of(host, now=almost).run(stopping))
    await INBOX.tick("nightly")
    stopping.set()
    await listening
    await host.stop()
    assert INBOX.ticks("nightly") == 0


async def test_a_timer_that_waits_for_the_night_stops_at_once() -> None:
    host = mail_host()
    await host.start()
    stopping = asyncio.Event()
    stopping.set()
    await nightly_of(host, now=datetime(2026, 11, 21, 4, tzinfo=UTC)).run(stopping)
    await host.stop()
    assert INBOX.ticks("nightly") == 0


async def test_a_schedule_that_is_none_is_refused_at_the_start() -> None:
    with pytest.raises(UnusableSchedule, match="schedule 'never': six fields are needed"):
        await mail_host(settings={"EVERY": "never"}).start()


async def test_a_setting_that_a_trigger_names_must_be_there(monkeypatch: pytest.MonkeyPatch) -> None:
    host = mail_host()
    del host._settings["EVERY"]  # type: ignore[attr-defined]  # it is the dict that mail_host made
    with pytest.raises(UnusableConfiguration, match="names the app setting EVERY, which is not set"):
        await host.start()
