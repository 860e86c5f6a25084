"""Functions with queue and timer triggers. What a message says decides what becomes of it."""

import asyncio
import os

import azure.functions as func

from tests.local.host.triggers.inbox import INBOX

DIARY = os.environ.get("DIARY", "")  # a file that tells another process that a function hangs

app = func.FunctionApp()


@app.queue_trigger("letter", "letters", "AzureWebJobsStorage")
async def on_letter(letter: func.QueueMessage) -> None:
    match letter.get_body():
        case b"fail":
            INBOX.note("on_letter", letter)
            raise RuntimeError("out of luck")
        case b"wait":
            async with INBOX.noted("on_letter", letter):
                await INBOX.gate.acquire()
        case b"hang":
            os.close(os.open(DIARY, os.O_CREAT))
            await asyncio.Event().wait()
        case _:
            INBOX.note("on_letter", letter)


@app.queue_trigger("parcel", "%PARCELS%", "AzureWebJobsStorage")
def on_parcel(parcel: func.QueueMessage) -> None:
    INBOX.note_from_thread("on_parcel", parcel)


@app.queue_trigger("lost", "lost-poison", "")
async def on_lost(lost: func.QueueMessage) -> None:
    INBOX.note("on_lost", lost)
    raise RuntimeError("lost for good")


@app.queue_trigger("letter", "elsewhere", "OTHER_STORAGE")
async def on_other(letter: func.QueueMessage) -> None:
    INBOX.note("on_other", letter)


@app.timer_trigger("timer", "%EVERY%")
async def on_tick(timer: func.TimerRequest) -> None:
    INBOX.note("on_tick", timer)
    raise RuntimeError("a timer goes on")


@app.timer_trigger("timer", "0 0 3 * * *", run_on_startup=True)
async def on_start(timer: func.TimerRequest) -> None:
    INBOX.note("on_start", timer)


@app.timer_trigger("timer", "0 0 3 * * *")
def nightly(timer: func.TimerRequest) -> None:
    INBOX.note_from_thread("nightly", timer)
