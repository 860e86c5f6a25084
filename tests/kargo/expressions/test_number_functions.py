"""Functions on numbers."""

import math

import pytest

from receivers.kargo.expressions import Refused
from tests.kargo.expressions.answers import value


@pytest.mark.parametrize(("source", "wanted"), [("round(-0.4)", -0.0), ("ceil(-0.5)", -0.0), ("floor(0.5)", 0.0)])
def test_a_number_that_is_rounded_to_zero_keeps_its_sign(source: str, wanted: float) -> None:
    found = value(source)
    assert isinstance(found, float)
    assert (found, math.copysign(1, found)) == (wanted, math.copysign(1, wanted))


def test_what_is_a_mean_adds_up_in_the_order_of_go() -> None:
    assert value("mean([0.1, 0.2], [0.3])") == (0.1 + 0.2 + 0.3) / 3


def test_a_median_with_nan_is_refused() -> None:
    with pytest.raises(Refused):
        value("median([1, 0.0 / request.body.zero])")
