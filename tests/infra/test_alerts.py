"""The alert rules ask what docs/operations.md says, whose queries are tried on what the service really logs."""

import re
from pathlib import Path

import pytest

from tests.infra.terraform import INFRA, ROOT

TEXT = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
QUERIES = re.findall(r"```kusto\n(.*?)```", TEXT, re.DOTALL)
(PARTS,) = (query for query in QUERIES if query.startswith("let Deliveries"))
RULES = sorted((INFRA / "alerts").glob("*.kql"))


@pytest.mark.parametrize("rule", RULES, ids=lambda path: path.stem)
def test_the_query_of_a_rule_is_that_of_the_guide(rule: Path) -> None:
    query = rule.read_text(encoding="utf-8")
    assert query.removeprefix(PARTS) in QUERIES
    assert ("Deliveries\n" in query) == query.startswith(PARTS)


def test_there_is_a_query_for_each_rule_and_a_rule_for_each_query() -> None:
    text = (INFRA / "main.alerts.tf").read_text(encoding="utf-8")
    rules = set(re.findall(r"^    (\w+) += \{ severity", text, re.MULTILINE))
    assert {path.stem for path in RULES} == rules
    assert {rule for rule in rules if f"| `{rule}` |" not in TEXT} == set()
