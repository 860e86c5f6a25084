"""Functions on strings."""

import pytest

from receivers.kargo.effort import TooMuch
from receivers.kargo.expressions import Refused
from tests.kargo.expressions.answers import value


@pytest.mark.parametrize("source", ["upper('straße')", "fromBase64('/w==')"])
def test_what_python_cannot_tell_is_refused(source: str) -> None:
    with pytest.raises(Refused):
        value(source)


def test_positions_are_counted_in_bytes() -> None:
    assert value("indexOf('größe', 'e')") == 6
    assert value("lastIndexOf('aéa', 'a')") == 3


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
