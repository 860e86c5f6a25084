"""Expressions give what expr-lang 1.17 gives."""

import os
from pathlib import Path

import pytest

from receivers.kargo.effort import Effort, TooMuch
from receivers.kargo.expressions import Refused, compile, evaluation  # noqa: A004
from receivers.kargo.expressions.syntax import Node
from tests.kargo.expressions import answers
from tests.kargo.expressions.grammar import Grammar
from tests.kargo.expressions.literals import Literals
from tests.kargo.tables import rows

COUNT = int(os.environ.get("EXPRESSIONS") or 3_000)
SEED = int(os.environ.get("EXPRESSIONS_SEED") or 1)


def differences(table: list[tuple[str, object]]) -> list[tuple[str, object, object]]:
    given = answers.environment()
    found = [(source, answers.ours(source, given), wanted) for source, wanted in table]
    return [row for row in found if row[1] != answers.REFUSED and not answers.same(*row[1:])]


def test_an_expression_gives_what_expr_gives() -> None:
    assert differences(rows("expressions")) == []


def test_few_expressions_that_expr_answers_are_refused() -> None:
    given = answers.environment()
    answered = [source for source, wanted in rows("expressions") if wanted != answers.ERROR]
    refused = [source for source in answered if answers.ours(source, given) == answers.REFUSED]
    assert len(refused) < len(answered) / 25


@pytest.mark.skipif(not answers.go_is_there(), reason="Go is not there")
def test_a_random_expression_gives_what_expr_gives(tmp_path: Path) -> None:
    """EXPRESSIONS=100000 tries more of them, and EXPRESSIONS_SEED=2 others. A third of them are damaged."""
    grammar, literals = Grammar(SEED), Literals(SEED)
    draws = (grammar.expression, grammar.damaged, literals.expression)
    sources = [draw() for _ in range(COUNT // len(draws)) for draw in draws]
    assert differences([*zip(sources, answers.go(answers.build(tmp_path), sources), strict=True)]) == []


def test_an_expression_is_compiled_once_and_evaluated_for_each_delivery() -> None:
    expression = compile("request.body.action == 'push'")
    assert expression.evaluate(answers.environment(), Effort(100)) is True
    assert expression.evaluate({"request": {"body": {"action": "ping"}}}, Effort(100)) is False


def test_an_evaluation_costs_effort() -> None:
    with pytest.raises(TooMuch):
        compile("1 + unknown").evaluate({}, Effort(2))


def test_a_function_that_is_not_checked_takes_as_many_arguments_as_it_does() -> None:
    with pytest.raises(Refused, match=r"len\(\) does not take 2 arguments"):
        compile("unknown(len(1, 2))")


def test_a_part_of_an_unknown_kind_is_a_fault_of_ours() -> None:
    with pytest.raises(AssertionError):
        evaluation._Compiler(template=False).compiled(Node())
