"""Functions on strings."""

import pytest

from receivers.kargo.effort import Effort, TooMuch
from receivers.kargo.expressions import Refused, compile  # noqa: A004
from tests.kargo.expressions.answers import value


@pytest.mark.parametrize("source", ["upper('straße')", "fromBase64('/w==')"])
def test_what_python_cannot_tell_is_refused(source: str) -> None:
    with pytest.raises(Refused):
        value(source)


def test_positions_are_counted_in_bytes() -> None:
    assert value("indexOf('größe', 'e')") == 6
    assert value("lastIndexOf('aéa', 'a')") == 3


def test_half_a_pair_of_a_payload_is_no_character() -> None:
    given = {"half": "a\ud800b"}
    assert compile("toBase64(half)").evaluate(given, Effort(100)) == "Ye+/vWI="
    assert compile("half[1:4] + string(indexOf(half, 'b'))").evaluate(given, Effort(100)) == "\ufffd4"


@pytest.mark.parametrize(
    "source",
    [
        "repeat('a', 1000000)",
        "replace(repeat('a', 9999), 'a', repeat('b', 9999))",
        "trim(repeat('a', 50000), repeat('b', 5000))",
        "any(1..1000, repeat('a', 5000) contains 'b')",
        "join(map(1..500, repeat('a', 5000)))",
    ],
)
def test_long_strings_cost_effort_before_they_are_built(source: str) -> None:
    with pytest.raises(TooMuch):
        value(source)
