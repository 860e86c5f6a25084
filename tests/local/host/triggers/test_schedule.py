"""NCRONTAB, by the examples of its documentation and by what is easily got wrong."""

from datetime import MAXYEAR, UTC, datetime, timedelta

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from receivers.local.host.errors import UnusableSchedule
from receivers.local.host.triggers.schedule import parse


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("schedule", "moment", "due"),
    [
        ("0 0 3 * * *", "2026-11-21 02:59:59", "2026-11-21 03:00:00"),
        ("0 0 3 * * *", "2026-11-21 03:00:00", "2026-11-22 03:00:00"),
        ("0 0 3 * * *", "2026-11-21 02:59:59.999999", "2026-11-21 03:00:00"),
        ("0 0 3 * * *", "2026-12-31 03:00:00.000001", "2027-01-01 03:00:00"),
        ("* * * * * *", "2026-12-31 23:59:59", "2027-01-01 00:00:00"),
        ("0 */5 * * * *", "2026-11-21 10:02:30", "2026-11-21 10:05:00"),
        ("0 */5 * * * *", "2026-11-21 10:57:00", "2026-11-21 11:00:00"),
        ("0 0 */2 * * *", "2026-11-21 23:00:00", "2026-11-22 00:00:00"),
        ("0 0 9-17 * * *", "2026-11-21 17:00:00", "2026-11-22 09:00:00"),
        ("0 30 9 * * 1-5", "2026-11-20 09:30:00", "2026-11-23 09:30:00"),
        ("0 30 9 * Jan Mon", "2026-11-21 00:00:00", "2027-01-04 09:30:00"),
        ("5,8,10 * * * * *", "2026-11-21 00:00:08", "2026-11-21 00:00:10"),
        ("30/10 * * * * *", "2026-11-21 00:00:40", "2026-11-21 00:00:50"),
        ("10-40/15 * * * * *", "2026-11-21 00:00:26", "2026-11-21 00:00:40"),
        ("0 0 0 * * sun", "2026-11-21 00:00:00", "2026-11-22 00:00:00"),
        ("0 0 0 1 1 *", "2026-01-01 00:00:00", "2027-01-01 00:00:00"),
        ("0 0 0 29 2 *", "2026-01-01 00:00:00", "2028-02-29 00:00:00"),
        ("0 0 0 29 2 *", "2096-03-01 00:00:00", "2104-02-29 00:00:00"),
        ("0 0 0 13 * 5", "2026-11-21 00:00:00", "2027-08-13 00:00:00"),  # both the day and the weekday
        ("15 3 * * *", "2026-11-21 00:00:00", "2026-11-21 03:15:00"),  # five fields: no seconds
    ],
)
def test_the_next_time(schedule: str, moment: str, due: str) -> None:
    assert parse(schedule).after(utc(moment)) == utc(due)


@pytest.mark.parametrize(
    ("schedule", "complaint"),
    [
        ("", "six fields are needed"),
        ("* * * *", "six fields are needed"),
        ("00:05:00", "six fields are needed"),
        ("60 * * * * *", "'60' is no number from 0 to 59"),
        ("* * * 0 * *", "'0' is no number from 1 to 31"),
        ("* * * * 13 *", "from 1 to 12"),
        ("* * * * * 7", "from 0 to 6"),
        ("* * * * mon *", "'mon' is no number"),
        ("*/0 * * * * *", "'0' is no number from 1 to 59"),
        ("*/ * * * * *", "'' is no number"),
        ("-5 * * * * *", "'' is no number"),
        ("5- * * * * *", "'' is no number"),
        ("*-5 * * * * *", r"'\*' is no number"),
        ("1,,2 * * * * *", "'' is no number"),
        ("9-5 * * * * *", "'9-5' has no values"),
        ("² * * * * *", "is no number"),
        ("0 0 0 30 2 *", "its time never comes"),
    ],
)
def test_what_is_no_schedule_is_refused_with_the_reason(schedule: str, complaint: str) -> None:
    with pytest.raises(UnusableSchedule, match=complaint):
        parse(schedule)


@given(
    moment=st.datetimes(timezones=st.just(UTC)),
    second=st.integers(0, 59),
    minute=st.integers(0, 59),
    step=st.integers(1, 23),
)
def test_no_time_is_left_out(moment: datetime, second: int, minute: int, step: int) -> None:
    assume(moment.year < MAXYEAR)
    due = parse(f"{second} {minute} */{step} * * *").after(moment)
    assert (due.second, due.minute, due.hour % step) == (second, minute, 0)
    hours = range(1, round((due - moment) / timedelta(hours=1)) + 1)
    earlier = (due - timedelta(hours=hour) for hour in hours)
    assert not [time for time in earlier if time > moment and time.hour % step == 0]
