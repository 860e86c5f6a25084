"""Whatever a tenant writes is answered or refused at once, and ends in no other error."""

import contextlib
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from receivers import limits
from receivers.kargo.effort import Effort, TooMuch
from receivers.kargo.expressions import ExpressionError, compile, templates  # noqa: A004
from tests.kargo.expressions import answers
from tests.kargo.expressions.grammar import Grammar

PROMISED = 0.010  # seconds of one core, with nothing beside
PATIENCE = 30  # times as much: this machine may be slow and busy, and every line may be traced


def _deep() -> list[object]:
    found: list[object] = []
    for _ in range(900):
        found = [found]
    return found


BODY = {
    "s": "a" * 1_900_000,
    "u": "é" * 600_000,
    "l": [float(number) for number in range(100_000)],
    "m": {str(number): float(number) for number in range(60_000)},
    "t": [f"tag{number}" for number in range(60_000)],
    "dup": ["x"] * 60_000,
    "o": [{"a": 1.0}] * 50_000,
    "deep": _deep(),
}
GIVEN = answers.environment({"request": {"body": BODY}})
BOMBS: dict[str, str] = {
    "parens": "(" * 1_000_000,
    "parens2": "(" * 900 + "1" + ")" * 900,
    "brackets": "[" * 1999,
    "braces": "{a:" * 600,
    "calls": "f(" * 900,
    "not": "!" * 1999,
    "not2": "not " * 499 + "a",
    "minus": "-" * 1999 + "1",
    "plus": "1" + "+1" * 999,
    "plusx": "a" + "+a" * 499,
    "or": "a==1" + "||a==1" * 249,
    "longor": " || ".join(f"request.body.a == 'x{i}'" for i in range(60)),
    "pipes": "a" + "|len()" * 300,
    "ternary": "a?b:" * 499 + "c",
    "member": "a" + ".b" * 999,
    "index": "a" + "[0]" * 600,
    "opt": "a" + "?.b" * 600,
    "list": "[" + "1," * 998 + "]",
    "listx": "[" + "a," * 998 + "]",
    "map": "{" + "a:1," * 499 + "}",
    "lets": "let a=1;" * 200 + "a",
    "lets2": "".join(f"let a{i}=1;" for i in range(140)) + "a1",
    "seq": "1;" * 999 + "1",
    "cmp": "1" + "<1" * 999,
    "cmpnest": "1<(" * 100 + "1" + ")<1" * 100,
    "inrange": "(" * 40 + "len(a)" + " in 1..2 ? 1 : 2)" * 40,
    "digits": "1" * 1_000_000,
    "digits2": "1" * 1999,
    "float": "1e" + "9" * 1990,
    "string": "'" + "\\u0041" * 330 + "'",
    "unicode": "".join(map(chr, range(0x100, 0x100 + 1500))),
    "nul": "\0" * 1999,
    "regex": "a matches '" + "(a*)*" * 390 + "'",
    "regex2": "a matches '" + "(?:a{1,1000}){1,1000}" + "'",
    "regex3": "a matches '" + "\\\\pL" * 5 + "x{1000}" + "'",
    "regexes": "||".join(f"a matches 'x{{{900 + i}}}y'" for i in range(90)),
    "regex4": "||".join(f"a matches '(x{i}|y){{300}}'" for i in range(70)),
    "predicate": "map(a," * 300 + "#" + ")" * 300,
    "comments": "/*" * 999,
    "comments2": "/* " * 660,
    "backticks": "`" * 1999,
    "filters": "filter(" * 100 + "a" + ",#)" * 100,
    "sums": "sum([" * 150 + "a" + ",b])" * 150,
    "range": "1..1000000000",
    "ranges": "map(1..1000,map(1..1000,map(1..1000,#)))",
    "rangesum": "sum(1..100000, #*1.0)",
    "count": "count(1..150000, true)",
    "any": "any(1..150000, # == 0)",
    "double": "reduce(1..60,#acc+#acc,'ab')",
    "doublelist": "reduce(1..60,[#acc,#acc],'ab')",
    "doublejson": "toJSON(reduce(1..60,[#acc,#acc],'ab'))",
    "doubleeq": "reduce(1..60,[#acc,#acc],'ab') == reduce(1..60,[#acc,#acc],'ab')",
    "doublemap": "reduce(1..60,{a:#acc,b:#acc},'ab') == reduce(1..60,{a:#acc,b:#acc},'ab')",
    "nest": "toJSON(reduce(1..2000,[#acc],1))",
    "nest2": "string(reduce(1..2000,[#acc],1))",
    "nest3": "reduce(1..2000,[#acc],1) == reduce(1..2000,[#acc],1)",
    "nest4": "flatten(reduce(1..2000,[#acc],1))",
    "nest5": "max(reduce(1..2000,[#acc],1))",
    "concat": "reduce(1..60,concat(#acc,#acc),[1,2])",
    "repeat": "repeat('a',1000000)",
    "repeat2": "repeat(repeat('a',1000),1000)",
    "replace": "replace(repeat('a',10000),'a',repeat('b',10000))",
    "replace2": "replace(repeat('a',100000),'','b')",
    "splits": "split(repeat('a',100000),'')",
    "joins": "join(map(1..10000,repeat('a',1000)))",
    "search": "repeat('a',200000) contains repeat('a',49)+'b'+repeat('a',49)",
    "search2": "repeat('a',200000) contains repeat('a',2000)+'b'+repeat('a',2000)",
    "search3": "request.body.s contains repeat('a',40)+'b'+repeat('a',40)",
    "search4": "any(1..3000, request.body.s contains 'b')",
    "search5": "map(1..300, repeat('a',10000) contains repeat('a',49)+'b'+repeat('a',49))",
    "trim": "trim(repeat('a',100000), repeat('b',9000)+'a')",
    "trims": "map(1..1000,trim(request.body.s,'a'))",
    "upper": "upper(request.body.u)",
    "upper2": "map(1..100,upper(repeat('é',1000)))",
    "lower": "lower(request.body.s)",
    "uniq": "uniq(request.body.t)",
    "uniq2": "uniq(request.body.dup)",
    "uniq3": "uniq(request.body.l)",
    "eq": "request.body.t == request.body.t",
    "eqm": "request.body == {a: request.body}",
    "ins": "'x' in request.body.t",
    "ins2": "any(request.body.t, # in request.body.t)",
    "sortt": "sort(request.body.t)",
    "sortt2": "sort(take(request.body.t, 9000))",
    "sortby": "sortBy(request.body.o, .a)",
    "keys": "keys(request.body.m)",
    "keys2": "len(toPairs(request.body.m))",
    "pairs": "fromPairs(toPairs(request.body.m))",
    "group": "groupBy(request.body.t, #)",
    "group2": "groupBy(request.body.dup, #)",
    "json": "toJSON(request.body)",
    "json2": "fromJSON(toJSON(request.body.l))",
    "json3": "fromJSON(repeat('[',9999))",
    "json4": "fromJSON('['+repeat('1,',5000)+'1]')",
    "json5": "fromJSON('['+repeat('[],',5000)+'1]')",
    "json6": "fromJSON(repeat('9',70000))",
    "json7": "fromJSON('['+repeat('\"\\\\u0041\",',3000)+'1]')",
    "json8": "fromJSON(repeat('{\"a\":',5000))",
    "shown": "string(request.body)",
    "deep": "toJSON(request.body.deep)",
    "deep2": "request.body.deep == request.body.deep",
    "deep3": "flatten(request.body.deep)",
    "match": "request.body.s matches '(a|b)*c'",
    "match2": "any(request.body.t, # matches '(a+)+$')",
    "match3": "any(request.body.t, # matches #)",
    "match4": "any(1..2000, 'x' matches string(#))",
    "match5": "any(1..2000, 'x' matches 'a{'+string(#)+'}')",
    "match6": "repeat('ab',5000) matches '(a|b){1,300}c'",
    "b64": "fromBase64(toBase64(request.body.s))",
    "b642": "map(1..100,fromBase64(toBase64(repeat('a',3000))))",
    "float2": "float(repeat('1',900)+'e'+repeat('1',90))",
    "int2": "map(1..3000,int(repeat('1',18)))",
    "pow": "map(1..3000, # ** 1000)",
    "mean": "mean(request.body.l)",
    "median": "median(request.body.l)",
    "flat": "flatten(map(1..100,map(1..100,#)))",
    "rev": "reduce(1..1000,reverse(#acc),request.body.l)",
    "slice": "reduce(1..1000,#acc[1:],request.body.l)",
    "slice2": "reduce(1..1000,#acc[1:],request.body.s)",
    "slice3": "reduce(1..1000,#acc[2:],request.body.u)",
    "len": "map(1..3000,len(request.body.u))",
    "idx": "map(1..3000,indexOf(request.body.u,'x'))",
    "norm": "map(1..400,normalizeGit(repeat('a',200)))",
    "hdr": "any(request.body.t, request.header(#) == 'x')",
    "cmps": "any(1..3000, request.body.s < request.body.s+'')",
    "cmps2": "request.body.s == request.body.s",
    "split1": "split(request.body.s,'a')",
    "split2": "map(1..1000,split(repeat('a,',500),','))",
    "strings": "map(1..1000,string(1..100))",
    "let": "map(1..1000,let x = #; x)",
    "acc": "reduce(1..3000, {a: #acc?.a, b: #})",
    "last": "findLast(1..150000, false)",
    "none": "none(1..150000, false)",
    "yaml": "asYAML(request.body)",
    "yaml2": "asYAML(request.body.s)",
    "yaml3": "asYAML(repeat('\\n ', 50000))",
    "yaml4": "asYAML(request.body.m)",
    "yaml5": "asYAML(repeat('\\t', 90000))",
    "yaml6": "asYAML(repeat(': #', 30000))",
    "yaml7": "asYAML(request.body.deep)",
    "yaml8": "asYAML('0'+repeat('_', 90000))",
    "yaml9": "asYAML(repeat('1:', 40000))",
    "yaml10": "map(1..3000, asYAML({'a': #, 'b': #}))",
    "yaml11": "asYAML(request.body.o)",
    "yaml12": "asYAML(repeat('\\n', 90000))",
    "dates": "map(1..3000, date('2024-05-01T12:30:15.123456789+02:00').Year())",
    "durations": "map(1..3000, duration(repeat('1s', 32)))",
    "later": "reduce(1..3000, #acc + duration('2562047h'), now()).Year()",
    "quoted": "repeat('\\n', 100000)",
}


def evaluated(source: str) -> float:
    """The seconds that it takes."""
    start = time.thread_time()
    with contextlib.suppress(ExpressionError, TooMuch):
        compile(source).evaluate(GIVEN, Effort(limits.EVALUATION_EFFORT), answers.NOW)
    return time.thread_time() - start


def filled(template: str) -> float:
    """The seconds that it takes."""
    start = time.thread_time()
    with contextlib.suppress(ExpressionError, TooMuch):
        templates.text(template, GIVEN, Effort(limits.EVALUATION_EFFORT), answers.NOW)
    return time.thread_time() - start


@pytest.mark.parametrize("source", BOMBS.values(), ids=BOMBS)
def test_a_bomb_goes_off_at_once(source: str) -> None:
    assert min(evaluated(source) for _ in range(2)) < PROMISED * PATIENCE


@pytest.mark.parametrize("source", BOMBS.values(), ids=BOMBS)
def test_a_bomb_in_a_template_goes_off_at_once(source: str) -> None:
    assert min(filled(f"${{% {source} %}}") for _ in range(2)) < PROMISED * PATIENCE


_ALPHABET = st.sampled_from(
    [*"()[]{}.,;:?!|&=<>+-*/%^#@$`'\"\\ \n\r\t01aé大", "let ", " in ", "not ", "nil", "map(a,", "//", "/*"]
)


@given(st.text() | st.lists(_ALPHABET, max_size=40).map("".join))
@settings(max_examples=300, deadline=None)
def test_any_text_is_answered_or_refused(source: str) -> None:
    evaluated(source)


@given(st.integers(0, 2**32), st.data())
@settings(max_examples=200, deadline=None)
def test_a_damaged_expression_is_answered_or_refused(seed: int, data: st.DataObject) -> None:
    source = Grammar(seed).expression()
    at = data.draw(st.integers(0, len(source)))
    evaluated(source[:at] + data.draw(_ALPHABET) + source[at + data.draw(st.integers(0, 3)) :])
