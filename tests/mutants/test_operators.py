"""The faults that are planted, and what is left as it is."""

import ast

import pytest

from mutants.operators import mutants


def changed(source: str) -> list[str]:
    """The source with each fault, top to bottom."""
    return [each.planted(source.encode()).decode() for each in mutants("module.py", source.encode())]


@pytest.mark.parametrize(
    ("source", "faults"),
    [
        ("x = a < b", ["x = (a <= b)"]),
        ("x = a is not b in c", ["x = (a is b in c)", "x = (a is not b not in c)"]),
        ("x = a or b and c", ["x = (a and (b and c))", "x = a or (b or c)"]),
        ("x = not a", ["x = (a)"]),
        ("x = a + b", ["x = (a - b)"]),
        ("x -= a", ["x += a"]),
        ("x = min(a)", ["x = max(a)"]),
        ("x = all(a)", ["x = any(a)"]),
        ("x = True", ["x = False"]),
        ("x = 3, 0.5", ["x = 4, 0.5", "x = 3, 1.5"]),
        ("x = 'key', b''", ["x = '', b''", "x = 'key', b'mutant'"]),
        ("if a: x = b", ["if (not (a)): x = b"]),
        ("x = a if b else c", ["x = a if (not (b)) else c"]),
        ("x = [a for a in b if a]", ["x = [a for a in b if (not (a))]"]),
        ("def f(): return a", ["def f(): return None"]),
        ("def f(a=0): g(a)", ["def f(a=1): g(a)", "def f(a=0): pass"]),
        ("async def f(): await g()", ["async def f(): pass"]),
        ("raise Error", ["pass"]),
        ("match x:\n  case 1: y = a", ["match x:\n  case 2: y = a"]),
        ("x = 'ü' if a else b  # ü\nx = 1", None),
    ],
)
def test_a_fault_is_in_its_place(source: str, faults: list[str] | None) -> None:
    found = changed(source)
    for each in found:
        ast.parse(each)
    assert faults is None or found == faults


@pytest.mark.parametrize(
    "source",
    [
        '"""A docstring."""',
        "def f():\n  'docstring'",
        "x: int | None = None",
        "x: Literal['a']",
        "type X = Literal['a', 1]",
        "class X(Struct, frozen=True): pass",
        "@dataclass(frozen=True)\nclass X: pass",
        "def f(a: 'X') -> 'Y': ...",
        "if TYPE_CHECKING:\n  x = 1",
        "x = f'{a + 1}'",
        "x = 'for people to read'",
        "logger.warning('%d', 1 + 2)",
        "def f(): return None",
        "def f(): return",
    ],
)
def test_what_decides_nothing_stays_as_it_is(source: str) -> None:
    assert changed(source) == []


def test_a_fault_tells_where_it_is() -> None:
    (fault,) = mutants("module.py", b"x = (\n  first\n  or\n  second\n)")
    assert (fault.file, fault.line, list(fault.lines)) == ("module.py", 2, [1, 2, 3, 4])
    assert fault.change == "first or second  ->  (first and second)"
