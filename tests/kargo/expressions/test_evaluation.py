"""Expressions give what expr-lang 1.17 gives."""

import os
from pathlib import Path

import pytest

from tests.kargo.expressions import answers
from tests.kargo.expressions.grammar import Grammar
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
    assert len(refused) < len(answered) / 50


@pytest.mark.skipif(not answers.go_is_there(), reason="Go is not there")
def test_a_random_expression_gives_what_expr_gives(tmp_path: Path) -> None:
    """EXPRESSIONS=100000 tries more of them, and EXPRESSIONS_SEED=2 others."""
    grammar = Grammar(SEED)
    sources = [grammar.expression() for _ in range(COUNT)]
    assert differences([*zip(sources, answers.go(answers.build(tmp_path), sources), strict=True)]) == []
