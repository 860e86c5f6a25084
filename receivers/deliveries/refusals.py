"""Requests that were refused before a receiver was known: counted, not recorded.

Anybody can send these, as many as they like, so none of them is worth a row of the journal, a line of the log or a
trace. They are counted by reason and minute. What somebody with a key to the pages tried is recorded all the same, and
so is one request a minute to a URL that was a receiver's.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from receivers import limits
from receivers.deliveries.delivery import Delivery

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
SHOWN = timedelta(seconds=limits.REFUSALS_SHOWN)
UNANSWERED = 500


class Reason(StrEnum):
    """Why, as counters name it."""

    UNKNOWN_URL = "unknownUrl"
    FORMER_URL = "formerUrl"
    TOO_LARGE = "tooLarge"
    NOT_ASKED = "notAsked"  # the cluster, whose receiver it is
    MALFORMED = "malformed"
    DEFECT = "defect"

    @property
    def phrase(self) -> str:
        """Completes "1,234 requests …"."""
        return _PHRASES[self]


_PHRASES = {
    Reason.UNKNOWN_URL: "to unknown URLs",
    Reason.FORMER_URL: "to URLs that receivers had before",
    Reason.TOO_LARGE: "with a body above the limit",
    Reason.NOT_ASKED: "whose receiver the cluster could not be asked for",
    Reason.MALFORMED: "that were no deliveries",
    Reason.DEFECT: "that failed by a defect",
}


_REASONS = {  # by the status of the answer
    404: Reason.UNKNOWN_URL,
    413: Reason.TOO_LARGE,
    500: Reason.DEFECT,
    503: Reason.NOT_ASKED,
}


def reason_of(delivery: Delivery) -> Reason | None:
    """Why a delivery is counted only; None where it is to be recorded."""
    if delivery.receiver is not None or delivery.test or delivery.redelivery_of:
        return None
    if delivery.former is not None:
        return None if delivery.former.is_news else Reason.FORMER_URL
    return _REASONS.get(delivery.answer.status if delivery.answer else UNANSWERED, Reason.MALFORMED)


type Minutes = dict[datetime, Counter[Reason]]  # by the minute's beginning


def add(minutes: Minutes, others: Mapping[datetime, Mapping[Reason, int]]) -> None:
    """Add counts to others."""
    for minute, counted in others.items():
        minutes.setdefault(minute, Counter()).update(counted)


def minute_of(time: datetime) -> datetime:
    """When the minute of a time began."""
    return time.astimezone(UTC).replace(second=0, microsecond=0)


class Summary:
    """What was counted within the last day."""

    def __init__(self, minutes: Minutes, *, now: datetime, whole: bool) -> None:
        self.minutes = {minute: minutes[minute] for minute in sorted(minutes) if now - minute <= SHOWN}
        self.whole = whole  # False: only of this instance, since it was started
        self._now = now

    @property
    def reasons(self) -> list[Reason]:
        """Those that there were, the most frequent first."""
        return [reason for reason, _ in self._total(self.minutes.values()).most_common()]

    def day(self, reason: Reason | None = None) -> int:
        """How many within the last 24 hours, of one reason or of all."""
        return self._of(self._total(self.minutes.values()), reason)

    def hour(self, reason: Reason | None = None) -> int:
        """How many within the last hour."""
        recent = (counted for minute, counted in self.minutes.items() if self._now - minute <= HOUR)
        return self._of(self._total(recent), reason)

    def busiest(self, reason: Reason) -> tuple[datetime, int]:
        """The minute with the most, and how many these were."""
        minute = max(self.minutes, key=lambda each: self.minutes[each][reason])
        return minute, self.minutes[minute][reason]

    def last(self, reason: Reason) -> datetime:
        """The latest minute in which there was one."""
        return max(minute for minute, counted in self.minutes.items() if counted[reason])

    @staticmethod
    def _total(counters: Iterable[Counter[Reason]]) -> Counter[Reason]:
        total: Counter[Reason] = Counter()
        for counted in counters:
            total.update(counted)
        return total

    @staticmethod
    def _of(total: Counter[Reason], reason: Reason | None) -> int:
        return total.total() if reason is None else total[reason]
