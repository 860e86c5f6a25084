"""Numbers as Go computes them: integers of 64 bits that wrap, floats that divide by zero."""

import math

from receivers.kargo.effort import Effort
from receivers.kargo.expressions.errors import ExpressionError, Refused
from receivers.kargo.expressions.values import (
    CHARACTERS_PER_UNIT,
    LARGEST_INTEGER,
    SMALLEST_INTEGER,
    Duration,
    Moment,
    is_number,
    to_float,
    type_name,
    whole,
    wrapped,
)

_WHOLE = 1 << 52  # floats as large as this have no fraction


def add(left: object, right: object, effort: Effort) -> object:
    if isinstance(left, str) and isinstance(right, str):
        effort.demand((len(left) + len(right)) // CHARACTERS_PER_UNIT)
        return left + right
    if left.__class__ is int and right.__class__ is int:
        return wrapped(left + right)
    match left, right:
        case (Moment(nanoseconds, offset), Duration(added)) | (Duration(added), Moment(nanoseconds, offset)):
            return Moment(nanoseconds + added, offset)
        case Duration(one), Duration(other):
            return Duration(wrapped(one + other))
    return to_float(left) + to_float(right)


def subtract(left: object, right: object) -> object:
    if left.__class__ is int and right.__class__ is int:
        return wrapped(left - right)
    match left, right:
        case Moment(one), Moment(other):
            return Duration(max(SMALLEST_INTEGER, min(one - other, LARGEST_INTEGER)))
        case Moment(nanoseconds, offset), Duration(taken):
            return Moment(nanoseconds + wrapped(-taken), offset)
        case Duration(one), Duration(other):
            return Duration(wrapped(one - other))
    return to_float(left) - to_float(right)


def multiply(left: object, right: object) -> object:
    if left.__class__ is int and right.__class__ is int:
        return wrapped(left * right)
    if isinstance(left, Duration) and (isinstance(right, Duration) or is_number(right)):
        return multiply(left.nanoseconds, right) if isinstance(right, float) else _times(left, right)
    if isinstance(right, Duration) and is_number(left):
        return multiply(right, left)
    return to_float(left) * to_float(right)


def _times(left: Duration, right: object) -> Duration:
    factor = right.nanoseconds if isinstance(right, Duration) else whole(right)
    return Duration(wrapped(left.nanoseconds * factor))


def divide(left: object, right: object) -> float:
    dividend, divisor = to_float(left), to_float(right)
    if divisor:
        return dividend / divisor
    if not dividend or math.isnan(dividend):
        return math.nan
    return math.copysign(math.inf, dividend) * math.copysign(1.0, divisor)


def modulo(left: object, right: object) -> int:
    """The remainder, with the sign of the dividend. Raises ExpressionError for floats, and for a division by zero."""
    if left.__class__ is not int or right.__class__ is not int:
        raise ExpressionError(f"% needs integers, not {type_name(left)} and {type_name(right)}")
    dividend, divisor = int(left), int(right)
    if not divisor:
        raise ExpressionError("an integer is divided by zero")
    return int(math.copysign(1, dividend)) * (abs(dividend) % abs(divisor))


def negate(value: object) -> object:
    if value.__class__ is int:
        return wrapped(-value)
    return -to_float(value)


def power(left: object, right: object) -> float:
    """A power, computed by repeated squaring as Go does it, so that the last digit is the same.

    Raises:
        ExpressionError: the exponent has a fraction, or the base is not finite: Go's answer cannot be told here.
    """
    base, exponent = to_float(left), to_float(right)
    if exponent == 0 or base == 1:
        return 1.0
    if not (math.isfinite(base) and math.isfinite(exponent)) or exponent != math.floor(exponent):
        raise Refused("powers are computed for whole exponents only")
    if base == 0:
        return _power_of_zero(base, exponent)
    if abs(exponent) >= _WHOLE:
        raise Refused("powers are computed for smaller exponents only")
    return _whole_power(base, int(exponent))


def _power_of_zero(base: float, exponent: float) -> float:
    size = 0.0 if exponent > 0 else math.inf
    return math.copysign(size, base) if exponent % 2 else size


def _whole_power(base: float, exponent: int) -> float:
    fraction, scale = 1.0, 0
    square, square_scale = math.frexp(base)
    remaining = abs(exponent)
    while remaining:
        if not -(1 << 12) < square_scale < 1 << 12:  # past what a float holds, whatever comes
            scale += square_scale
            break
        if remaining & 1:
            fraction *= square
            scale += square_scale
        square *= square
        square_scale *= 2
        if square < 0.5:  # noqa: PLR2004 - a fraction is kept between a half and one
            square += square
            square_scale -= 1
        remaining >>= 1
    return _scaled(1 / fraction, -scale) if exponent < 0 else _scaled(fraction, scale)


def _scaled(fraction: float, scale: int) -> float:
    try:
        return math.ldexp(fraction, scale)
    except OverflowError:
        return math.copysign(math.inf, fraction)
