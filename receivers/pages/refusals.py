"""The page of requests that were refused before a receiver was known: how many, why and when."""

from collections.abc import Mapping
from typing import Any

from receivers.deliveries.refusals import Summary
from receivers.pages import queries
from receivers.pages.visits import View, Visit
from receivers.runtime import Runtime

MINUTES = 60  # listed, the latest ones in which there was something


async def listing(visit: Visit, service: Runtime) -> View:
    """What was counted within the last day."""
    queries.refuse_unknown(visit, ())
    summary = await service.refusals.summary()
    return View(
        template="refusals.html",
        values={"summary": summary, "minutes": list(summary.minutes.items())[: -MINUTES - 1 : -1]},
        document={
            "ofThisInstance": not summary.whole,
            "reasons": [
                {
                    "reason": reason.value,
                    "lastHour": summary.hour(reason),
                    "lastDay": summary.day(reason),
                    "busiestMinute": summary.busiest(reason)[0].isoformat(),
                    "inBusiestMinute": summary.busiest(reason)[1],
                    "lastMinute": summary.last(reason).isoformat(),
                }
                for reason in summary.reasons
            ],
            "minutes": [
                {"minute": minute.isoformat(), **{reason.value: count for reason, count in counted.items()}}
                for minute, counted in reversed(summary.minutes.items())
            ],
        },
    )


def totals(found: Summary) -> Mapping[str, Any]:
    """The same as a part of another document."""
    return {"lastHour": found.hour(), "lastDay": found.day(), "ofThisInstance": not found.whole}
