"""What operators give, and to what they can be applied, as far as that is known before an expression runs."""

from receivers.kargo.expressions.natures import BOOL, DURATION, FLOAT, INT, STRING, TIME, UNKNOWN, Nature

_LOGICAL = {"or", "||", "and", "&&"}
_ORDERED = {"<", ">", ">=", "<="}
_TEXTUAL = {"matches", "contains", "startsWith", "endsWith"}
_TIMES = (TIME.type, DURATION.type)
_OF_TIMES: dict[tuple[str, str, str], Nature] = {
    ("-", TIME.type, TIME.type): DURATION,
    ("-", TIME.type, DURATION.type): TIME,
    ("+", TIME.type, DURATION.type): TIME,
    ("+", DURATION.type, TIME.type): TIME,
    **{(operator, DURATION.type, DURATION.type): DURATION for operator in "+-*"},
    **{("*", DURATION.type, number): DURATION for number in ("int", "float")},
    **{("*", number, DURATION.type): DURATION for number in ("int", "float")},
}


def operated(operator: str, left: Nature, right: Nature) -> Nature | None:  # noqa: C901, PLR0911 - one case a kind
    """What an operator gives; None if it cannot be applied."""
    if operator in {"==", "!="}:
        return BOOL if left.comparable(right) else None
    if operator in _LOGICAL:
        return _if_types(BOOL, left, right, "bool")
    if operator in _ORDERED:
        return _if_numbers(BOOL, left, right) or _if_types(BOOL, left, right, "string", "int", "float", *_TIMES)
    if operator in _TEXTUAL:
        return _if_types(BOOL, left, right, "string")
    if (operator, left.type, right.type) in _OF_TIMES:
        return _OF_TIMES[operator, left.type, right.type]
    match operator:
        case "+":
            also = ("int", "float", *_TIMES)
            return _sum(left, right) or _if_types(STRING, left, right, "string", given=UNKNOWN, also=also)
        case "-":
            return _sum(left, right) or _if_types(UNKNOWN, left, right, "int", "float", *_TIMES)
        case "*":
            return _sum(left, right) or _if_types(UNKNOWN, left, right, "int", "float", DURATION.type)
        case "/" | "**" | "^":
            return _if_numbers(FLOAT, left, right) or _if_types(FLOAT, left, right, "int", "float")
        case "%":
            return _if_types(INT, left, right, "int")
        case "..":
            return INT.listed() if _if_types(INT, left, right, "int") else None
        case "in":
            return _in(left, right)
    return _either(left, right)


def _if_types(
    nature: Nature,
    left: Nature,
    right: Nature,
    *types: str,
    given: Nature | None = None,
    also: tuple[str, ...] = (),
) -> Nature | None:
    """The nature, if both are of the same of these types; ``given`` if that is only not excluded."""
    if left.type == right.type and left.type in types:
        return nature
    return (given or nature) if left.fits(right, *types, *also) else None


def _if_numbers(nature: Nature, left: Nature, right: Nature) -> Nature | None:
    return nature if left.number and right.number else None


def _sum(left: Nature, right: Nature) -> Nature | None:
    return _if_numbers(FLOAT if "float" in {left.type, right.type} else INT, left, right)


def _in(left: Nature, right: Nature) -> Nature | None:
    if right.kind == "map":
        return BOOL if left.unknown or left.assignable(right.key) else None
    if right.kind == "list":
        return BOOL if left.comparable(right.element) else None
    if right == TIME:
        return BOOL if left.unknown or left.type == "string" else None
    return BOOL if right.unknown or (left.unknown and right.type == "string") else None


def _either(left: Nature, right: Nature) -> Nature:
    """Of ``??``."""
    if left.nil or right.nil:
        return right if left.nil else left
    return left if right.assignable(left) else UNKNOWN
