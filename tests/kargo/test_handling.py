"""Which refreshes count as handled by another one."""

from datetime import UTC, datetime

import pytest

from receivers.kargo import handling

VALUE = "2026-11-21T12:00:00.200000Z-bbbbbb"


@pytest.mark.parametrize(
    ("handled", "covered"),
    [
        (VALUE, True),
        ("2026-11-21T12:00:00.200000Z-cccccc", True),  # of the same microsecond
        ("2026-11-21T12:00:00.300000Z-cccccc", True),
        ("2026-11-21T12:00:00.100000Z-aaaaaa", False),
        ("2026-11-21T12:00:01Z", True),  # Kargo's own
        ("2026-11-21T12:00:00Z", False),  # of the same second: it may have come before
        ("anything", False),
        ("", False),
    ],
)
def test_a_later_refresh_covers_an_earlier_one(handled: str, covered: bool) -> None:
    assert handling.covers(handled, VALUE) is covered


def test_what_was_never_written_is_covered_by_nothing() -> None:
    assert not handling.covers(VALUE, "")


@pytest.mark.parametrize(
    ("value", "at"),
    [
        ("2026-11-21T08:56:47.404158Z-1f2e3d4c", datetime(2026, 11, 21, 8, 56, 47, 404158, tzinfo=UTC)),
        ("2026-11-21T08:56:47Z", datetime(2026, 11, 21, 8, 56, 47, tzinfo=UTC)),
        ("2026-13-21T08:56:47Z", None),
        ("yesterday", None),
        ("", None),
    ],
)
def test_a_refresh_says_when_it_was_asked_for(value: str, at: datetime | None) -> None:
    assert handling.time(value) == at
