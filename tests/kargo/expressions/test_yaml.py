"""Values are written as YAML as Go's library writes them, or not at all."""

import json
import os
import random
from pathlib import Path

import pytest

from receivers.kargo.effort import Effort, TooMuch
from receivers.kargo.expressions import Refused, templates
from receivers.kargo.expressions.values import AnyMap
from receivers.kargo.expressions.yaml import to_yaml
from tests.kargo.expressions import answers

COUNT = int(os.environ.get("EXPRESSIONS") or 3_000)
SEED = int(os.environ.get("EXPRESSIONS_SEED") or 1)
WORDS = """
true False NULL null ~ yes No on off y N .inf -.Inf +.INF .nan .NaN << . .. ... --- - -- ? : # & * ! | > ' " %
@ ` , [ ] { } [] {} 0 1 -1 +1 00 07 08 0777 0x1F 0X1f -0x10 0b11 0B1 -0b11 0b-1 0b+1 0b2 0o17 -0o17 0O7 0o8
0o-7 1_000 _1 1_ 1e3 1E+5 1e 1e400 .5 -.5 5. 1.2.3 v1.2.3 1:30 10:59:59 1:60 190:20:30.15 1:2_0
9223372036854775807 9223372036854775808 18446744073709551615 18446744073709551616 0xffffffffffffffff
-9223372036854775808 -9223372036854775809 -0x8000000000000000 2026-11-28 2026-1-2 2026-13-01 2026-02-30
2026-01-02-nightly 20261128 2026-01-02T03:04:05Z 2026-01-02t03:04:05.123+01:00 2026-01-02T25:04:05Z
2026-01-02T team/app registry.example.com/team/app:1.2.3 a:b a: :a a#b a@b sha256:0123456789abcdef
refs/heads/main https://example.com/x?y=z&a=1 -a ?a :a <<< = .a .5a +a é ünï 日本 😀 a😀b
"""
PIECES = [
    *"ab1 0:#-'\"\\\n\n\t,[]{}?&*!|>%@`._~e+",
    "\n ",
    " \n",
    "\r",
    "\x00",
    "\x07",
    "\x1b",
    "\x7f",
    "\x85",
    "\xa0",
    "\u2028",
    "\ufeff",
]
PIECES += ["\ufffe", "\u200b", "é", "日", "😀", ": ", " #", "- ", "2026-01-02", " 03:04:05", "true", "null"]


class Drawn:
    """Random values of JSON, rich in what YAML makes something of."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)  # noqa: S311 - for tests
        self._words = [*WORDS.split(), "", "2026-01-02 03:04:05", "2026-01-02 03:04", "a b", " a", "a "]

    def value(self, depth: int = 0) -> object:
        """A value that is nested a few levels."""
        kinds = ["text", "text", "word", "number", "constant"] + (["list", "object"] * 2 if depth < 4 else [])
        match self._random.choice(kinds):
            case "text":
                return self.text()
            case "word":
                return self._random.choice(self._words)
            case "number":
                return self._random.choice([0, -0.0, 5, -7, 1.5, 1e6, 1e21, 123456.75, 1e-5, 2e300, 1e100, 4.0])
            case "constant":
                return self._random.choice([None, True, False])
            case "list":
                return [self.value(depth + 1) for _ in range(self._random.randrange(4))]
        return {self.key(): self.value(depth + 1) for _ in range(self._random.randrange(6))}

    def text(self) -> str:
        """A short text."""
        return "".join(self._random.choice(PIECES) for _ in range(self._random.randrange(7)))

    def key(self) -> str:
        """A key: mostly of letters, digits and what stands between."""
        if self._random.random() < 0.2:
            return self._random.choice([self.text(), self._random.choice(self._words), "k" * 129])
        return "".join(self._random.choice("abAB0123-_./") for _ in range(self._random.randrange(6)))


def template(value: object) -> str:
    literal = json.dumps(json.dumps(value, ensure_ascii=False), ensure_ascii=False)
    return f"${{% asYAML(fromJSON({literal})) %}}"


def drawn(count: int, seed: int) -> list[str]:
    source = Drawn(seed)
    found = (template(source.value()) for _ in range(count))
    return [each for each in found if "%}" not in each[:-2] and "\x85" not in each]


def compared(sources: list[str], wanted: list[object]) -> list[tuple[str, object, object]]:
    given = answers.environment()
    found = zip(sources, (answers.ours_of_template(each, given) for each in sources), wanted, strict=True)
    return [row for row in found if row[1] != answers.REFUSED and not answers.same(*row[1:])]


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("team/app", "team/app"),
        ("1.2.3", "1.2.3"),
        ("1.2", '"1.2"'),
        ("0777", '"0777"'),
        ("yes", '"yes"'),
        ("", '""'),
        ("a: b", "'a: b'"),
        ("it's #1", "'it''s #1'"),
        ("a\tb", '"a\\tb"'),
        ("😀", '"\\U0001F600"'),
        ("a\n\nb\n", "|\n    a\n\n    b"),
        (" a\nb", "|4-\n     a\n    b"),
        ("a\n\n", "|+\n    a\n"),
        ("a \nb", '"a \\nb"'),
        (5.0, "5"),
        (1e6, "1e+06"),
        (float("-inf"), "-.inf"),
        (None, "null"),
        ([], "[]"),
        ({}, "{}"),
        (
            [1, [2, {"b10": True, "b9": [], "B": {"c": [3]}}]],
            "- 1\n- - 2\n  - B:\n        c:\n            - 3\n    b9: []\n    b10: true",
        ),
    ],
)
def test_a_value_is_written_as_this(value: object, written: str) -> None:
    assert to_yaml(value, Effort(1_000)) == f"{written}\n"


@pytest.mark.parametrize(
    "value",
    [
        "<<",
        "a\u2028",
        "\ufeffa",
        "9" * 301,
        "0000-01-01",
        "2026-01-02T3:4:5Z",
        {"a\nb": 1},
        {"k" * 129: 1},
        {"é": 1, "a": 2},
        {"a" + "1" * 20: 1, "a" + "2" * 20: 2},
        AnyMap(grouped=False),
    ],
)
def test_what_is_written_in_a_way_of_go_s_own_is_refused(value: object) -> None:
    with pytest.raises(Refused):
        to_yaml(value, Effort(1_000))


def test_a_long_text_that_is_no_number_is_none() -> None:
    assert to_yaml("0" + "_g" * 400, Effort(1_000)) == "0" + "_g" * 400 + "\n"


def test_yaml_costs_effort() -> None:
    with pytest.raises(TooMuch):
        to_yaml(["a"] * 100, Effort(100))


def test_a_template_can_hold_yaml() -> None:
    given = answers.environment()
    said = templates.evaluate("${{ asYAML({'b': 1, 'a': ['x']}) }}", given, Effort(1_000))
    assert said == "a:\n    - x\nb: 1\n"


@pytest.mark.skipif(not answers.go_is_there(), reason="Go is not there")
def test_a_random_value_is_written_as_go_writes_it(tmp_path: Path) -> None:
    """EXPRESSIONS=100000 tries more of them, and EXPRESSIONS_SEED=2 others."""
    sources = drawn(COUNT, SEED)
    wanted = answers.go(answers.build(tmp_path), sources, "template")
    assert compared(sources, wanted) == []
    given = answers.environment()
    refused = [each for each in sources if answers.ours_of_template(each, given) == answers.REFUSED]
    assert len(refused) < len(sources) / 4
