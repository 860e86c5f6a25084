"""Which refreshes count as handled by another one."""

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
