"""What is known of values."""

import pytest

from receivers.kargo.expressions.natures import ANY, INT, LIST, MAP, NIL, STRING, STRINGS, UNKNOWN, Nature


@pytest.mark.parametrize(
    ("one", "other", "wanted"),
    [
        (INT, INT, True),
        (INT, ANY, True),
        (INT, STRING, False),
        (UNKNOWN, ANY, False),
        (ANY, UNKNOWN, False),
        (NIL, LIST, True),
        (NIL, INT, False),
        (STRINGS, LIST, False),
    ],
)
def test_a_value_can_take_another_s_place(one: Nature, other: Nature, wanted: bool) -> None:
    assert one.assignable(other) is wanted


def test_what_is_in_a_list_or_a_map() -> None:
    assert INT.listed().element == INT
    assert STRINGS.element == STRING
    assert (MAP.element, MAP.key) == (ANY, STRING)
