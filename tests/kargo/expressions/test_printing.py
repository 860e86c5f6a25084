"""Values as text."""

import pytest

from receivers.kargo.effort import Effort, TooMuch
from receivers.kargo.expressions import ExpressionError, Refused, printing
from tests.kargo.expressions.answers import value


@pytest.mark.parametrize("source", ["string(request.header)", "string(groupBy([1], #))", "string($env)"])
def test_what_go_shows_by_its_address_or_in_an_order_of_types_is_refused(source: str) -> None:
    with pytest.raises(Refused):
        value(source)


@pytest.mark.parametrize("source", ["toJSON(request.header)", "toJSON(1 / 0)", "toJSON(groupBy(['a'], #))"])
def test_what_json_has_not_is_an_error(source: str) -> None:
    with pytest.raises(ExpressionError):
        value(source)


@pytest.mark.parametrize(
    ("text", "quoted"),
    [("a", '"a"'), ('a"\\', r'"a\"\\"'), ("\n\x00\x7f\u200b\U000e0001", r'"\n\x00\x7f\u200b\U000e0001"')],
)
def test_a_text_is_quoted_as_in_go(text: str, quoted: str) -> None:
    assert printing.quoted(text, Effort(100)) == quoted


def test_json_is_compact_or_indented() -> None:
    document = {"b": [1.0, {}], "a": []}
    assert printing.to_json(document, Effort(100)) == '{"a":[],"b":[1,{}]}'
    assert printing.to_json(document, Effort(100), indent=" ") == '{\n "a": [],\n "b": [\n  1,\n  {}\n ]\n}'


def test_writing_costs_effort() -> None:
    with pytest.raises(TooMuch):
        printing.to_json([0.5] * 100, Effort(100))
