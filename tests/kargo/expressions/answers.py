"""Expressions evaluated here, and by the Go program in vectors/expressions, in the same form."""

import json
import math
import shutil
import subprocess
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from receivers.kargo.effort import Effort, TooMuch
from receivers.kargo.expressions import ExpressionError, Refused, compile, templates, values  # noqa: A004
from tests.kargo.expressions import grammar

PLENTY = 10_000
NOW = datetime(2026, 3, 1, 12, 30, 15, 250_000, UTC)
_PROGRAM = Path(__file__).parent.parent / "vectors/expressions"
_LISTS = {
    list: "[]interface {}",
    values.NoList: "[]interface {}",
    values.Integers: "[]int",
    values.Strings: "[]string",
    values.NoStrings: "[]string",
    values.Pairs: "[][2]interface {}",
    values.Pair: "[2]interface {}",
}
ERROR = "error"
REFUSED = "refused"


def environment(seed: dict[str, object] | None = None) -> dict[str, object]:
    """What the Go program gives an expression, from the same rows."""
    found: dict[str, Any] = dict(seed or grammar.ENVIRONMENT)
    found["request"] = dict(found["request"])
    found["request"]["header"] = lambda name: (grammar.HEADERS.get(name.lower()) or [""])[0]
    found["request"]["headers"] = lambda name: _strings(grammar.HEADERS.get(name.lower()))
    found["request"]["params"] = lambda name: grammar.QUERY.get(name, "")
    for name in ("normalizeGit", "normalizeImage", "normalizeChart"):
        found[name] = lambda text: f"<{text}>"
    return found


def _strings(found: list[str] | None) -> list[object]:
    return values.NoStrings() if found is None else values.Strings(found)


def tagged(value: object) -> object:  # noqa: PLR0911 - one case a type
    """A value with the types that JSON does not tell, as the Go program writes it."""
    match value:
        case None | bool() | str():
            return value
        case int():
            return {"int": str(value)}
        case float():
            return {"float": repr(value)}
        case list():
            nil = values.is_nil(value)
            return {
                _LISTS[type(value)]: [tagged(each) for each in value],
                "nil": nil,
            }
        case dict():
            return {"map[string]interface {}": [[key, tagged(value[key])] for key in sorted(value)]}
        case values.AnyMap():
            name = "map[interface {}][]interface {}" if value.grouped else "map[interface {}]interface {}"
            return {name: [[tagged(key), tagged(item)] for (_, key), item in value.members.items()]}
        case values.Moment(nanoseconds, offset):
            return {"time": "{} {} {}".format(*divmod(nanoseconds, 1_000_000_000), offset)}
        case values.Duration(nanoseconds):
            return {"duration": str(nanoseconds)}
    return {"func": ""}


def value(source: str, effort: int = PLENTY) -> object:
    """What an expression gives, in the usual environment."""
    return compile(source).evaluate(environment(), Effort(effort), NOW)


def ours(source: str, given: dict[str, object]) -> object:
    return _ours(lambda: compile(source).evaluate(given, Effort(PLENTY), NOW))


def ours_of_template(source: str, given: dict[str, object]) -> object:
    return _ours(lambda: templates.evaluate(source, given, Effort(PLENTY), NOW))


def _ours(evaluate: Callable[[], object]) -> object:
    try:
        return _comparable({"value": tagged(evaluate())})
    except (Refused, TooMuch, RecursionError):  # the last one from what compares, of lists within a thousand lists
        return REFUSED
    except ExpressionError:
        return ERROR


def same(one: object, other: object) -> bool:
    return one == (other if other == ERROR else _comparable(other))


def _comparable(value: object) -> object:
    """With floats as numbers, and members of maps in one order."""
    match value:
        case {"float": text}:
            number = float(text)
            return ("float", "NaN" if math.isnan(number) else repr(number))
        case dict():
            return {
                key: sorted(([_comparable(each) for each in pair] for pair in item), key=repr)
                if key.startswith("map")
                else _comparable(item)
                for key, item in value.items()
            }
        case list():
            return [_comparable(each) for each in value]
    return value


def go_is_there() -> bool:
    return shutil.which("go") is not None


def build(folder: Path) -> Path:
    """The Go program."""
    program = folder / "expressions"
    subprocess.run(["go", "build", "-o", program, "."], cwd=_PROGRAM, check=True, capture_output=True)
    return program


def go(program: Path, sources: Iterable[str], kind: str = "expression") -> list[Any]:
    """What expr answers to each of them, or Kargo's rule to each template: {value}, or "error"."""
    context = {"env": grammar.ENVIRONMENT, "headers": grammar.HEADERS, "params": grammar.QUERY}
    rows = "".join(json.dumps({kind: source, **context}) + "\n" for source in sources)
    run = subprocess.run([program], input=rows, capture_output=True, text=True, check=True)
    return [ERROR if "error" in row else row for row in map(json.loads, run.stdout.split("\n")[:-1])]
