"""Numbers."""

import math

import pytest

from receivers.kargo.expressions import ExpressionError, Refused, arithmetic
from tests.kargo.expressions.answers import value


def test_integers_have_64_bits() -> None:
    assert value("9223372036854775807 + 1") == -(1 << 63)
    assert arithmetic.multiply(1 << 62, 4) == 0
    assert arithmetic.negate(-(1 << 63)) == -(1 << 63)


def test_floats_divide_by_zero() -> None:
    assert arithmetic.divide(1, -0.0) == -math.inf
    assert math.isnan(arithmetic.divide(0, 0))


@pytest.mark.parametrize(
    ("base", "exponent", "wanted"),
    [(2, 10, 1024.0), (0, -1, math.inf), (-0.0, -3, -math.inf), (-2, 3, -8.0), (2, 5000, math.inf), (2, -5000, 0.0)],
)
def test_powers(base: float, exponent: float, wanted: float) -> None:
    assert arithmetic.power(base, exponent) == wanted


@pytest.mark.parametrize(("base", "exponent"), [(2, 0.5), (math.inf, 2), (2, 2.0**60)])
def test_a_power_that_go_computes_in_its_own_way_is_refused(base: float, exponent: float) -> None:
    with pytest.raises(Refused):
        arithmetic.power(base, exponent)


def test_a_remainder_is_that_of_integers() -> None:
    assert (arithmetic.modulo(-7, 3), arithmetic.modulo(7, -3)) == (-1, 1)
    with pytest.raises(ExpressionError, match="% needs integers, not float64 and int"):
        value("request.body.n % 2")
