"""Text as values."""

import pytest

from receivers.kargo.effort import Effort
from receivers.kargo.expressions import ExpressionError, Refused, reading


@pytest.mark.parametrize("text", ["0x1p1024", "-0x1p99999", "1e309", "1" * 1001, "٣", "0x", "1__0", ""])
def test_what_is_no_number_or_too_large_is_none(text: str) -> None:
    assert reading.floating(text) is None
    assert reading.integer(text) is None


@pytest.mark.parametrize(("text", "number"), [("0x_1p-2", 0.25), ("+1_0.5e0_1", 105.0), ("-INF", -float("inf"))])
def test_a_number_may_be_written_as_in_go(text: str, number: float) -> None:
    assert reading.floating(text) == number


def test_json_is_that_of_go() -> None:
    assert reading.json_value('{"a\\ud800": ["\\ud83d\\ude00", 1]}', Effort(100)) == {"a\ufffd": ["😀", 1.0]}


@pytest.mark.parametrize("text", ["", "NaN", "1e999", "[1", "{'a': 1}", "\ufeff1"])
def test_what_is_no_json_is_an_error(text: str) -> None:
    with pytest.raises(ExpressionError, match="not a JSON document"):
        reading.json_value(text, Effort(100))


def test_json_that_is_too_deep_is_refused() -> None:
    with pytest.raises(Refused, match="nested too deeply"):
        reading.json_value("[" * 100_000, Effort(100_000))
