"""The probe that other tests measure the event loop with tells when it was held."""

import asyncio
import time

from tests.loop_lag import loop_lag

HELD = 0.05  # seconds


def compute() -> None:
    until = time.thread_time() + HELD
    while time.thread_time() < until:
        pass


async def test_a_loop_that_was_held_is_told() -> None:
    async with loop_lag() as lag:
        await asyncio.sleep(0.01)
        compute()
        await asyncio.sleep(0.01)
    assert lag.longest >= lag.longest_computing >= HELD / 2


async def test_a_loop_that_was_held_to_the_end_is_told() -> None:
    async with loop_lag() as lag:
        compute()
    assert lag.longest >= lag.longest_computing >= HELD / 2


async def test_a_loop_that_was_held_by_others_than_this_thread_was_not_computing() -> None:
    async with loop_lag() as lag:
        time.sleep(HELD)  # noqa: ASYNC251 - as if the machine was busy
    assert lag.longest >= HELD / 2 > lag.longest_computing


async def test_what_comes_before_and_after_does_not_count() -> None:
    compute()
    async with loop_lag() as lag:
        pass
    measured = lag.longest
    compute()
    await asyncio.sleep(0)
    assert lag.longest == measured
