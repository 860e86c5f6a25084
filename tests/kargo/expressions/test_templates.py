"""Texts with expressions in them."""

import pytest

from receivers import limits
from receivers.kargo.effort import Effort
from receivers.kargo.expressions import ExpressionError, Refused, templates
from tests.kargo.expressions import answers
from tests.kargo.tables import rows

GIVEN = answers.environment()


def text(source: str) -> str:
    return templates.text(source, GIVEN, Effort(answers.PLENTY))


def test_a_template_gives_what_kargo_gives() -> None:
    for source, wanted in rows("templates"):
        found = answers.ours_of_template(source, GIVEN)
        assert answers.same(found, wanted), (source, found, wanted)


def test_what_is_a_string_to_kargo_is_the_same_where_a_string_is_wanted() -> None:
    for source, wanted in rows("templates"):
        if wanted != answers.ERROR and isinstance(wanted["value"], str):
            assert (source, text(source)) == (source, wanted["value"])


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("${{ request.body.five }}", "5"),
        ("${{ 't' }}", "t"),
        ("${{ 'true' }}", "true"),
        ("${{ 'null' }}", "null"),
        ("${{ '[1]' }}", "[1]"),
        ("${{ quote('5') }}", "5"),
        ("1${{ request.body.five }}", "15"),
        ("${{ params.limit }}${% request.body.five %}", "105"),
        ("42", "42"),
        ("a${{}}${{ 1 }}", "a${{ 1 }}"),
    ],
)
def test_text_stays_text_where_a_string_is_wanted(source: str, said: str) -> None:
    assert text(source) == said


@pytest.mark.parametrize(
    "source", ["${{ 5 }}", "${{ request.body.n }}", "${{ true }}", "${{ nil }}", "${{ [1] }}", "${{ {} }}", "${{1}}0"]
)
def test_what_is_no_text_is_an_error_where_a_string_is_wanted(source: str) -> None:
    with pytest.raises(ExpressionError, match="a string is wanted"):
        text(source)


@pytest.mark.parametrize("source", ["${{ timezone('UTC') }}", "x" * (limits.FORMULA + 1), "${{1}}" * 21])
def test_what_is_too_much_is_refused(source: str) -> None:
    with pytest.raises(Refused):
        text(source)


def test_json_that_is_too_deep_is_refused() -> None:
    with pytest.raises(Refused):
        templates.evaluate("${{ repeat('[', 60000) + repeat(']', 60000) }}", GIVEN, Effort(1_000_000))


def test_as_many_expressions_as_may_be_are_evaluated() -> None:
    assert text("a" + "${{1}}" * limits.TEMPLATE_EXPRESSIONS) == "a" + "1" * limits.TEMPLATE_EXPRESSIONS
