"""Random expressions, most of which mean something: what is drawn fits its place as a rule, and now and then does not.

In a rule of grammar.txt, ``<B>`` stands for something that gives a bool, ``<N>`` a number, ``<T>`` a text, ``<L>`` a
list, ``<M>`` a map, ``<D>`` a date, ``<E>`` a duration and ``<A>`` anything; ``<n>`` and so on are short ones, and
``<j>`` and ``<k>`` texts of dates and durations. Within ``<P>``, a predicate, and ``<I>``,
anything made of an item, the item can be named.
"""

import random
import re
from pathlib import Path

ENVIRONMENT: dict[str, object] = {
    "request": {
        "body": {
            "action": "push",
            "n": 5.0,
            "half": 2.5,
            "zero": 0.0,
            "big": 1e21,
            "tag": "v1.2.3",
            "five": "5",
            "empty": "",
            "accents": "Größe, 大きい",
            "flag": True,
            "nothing": None,
            "none": [],
            "object": {},
            "numbers": [3.0, 1.0, 2.0, 1.0, -4.5],
            "names": ["web", "api", "web", "db"],
            "mixed": [1.0, "a", None, True, [2.0, "b"], {"k": 1.0}],
            "nested": {"list": [{"id": 1.0, "tags": ["a", "b"]}, {"id": 2.0, "tags": []}], "map": {"x": 1.0, "y": "z"}},
            "events": [
                {"type": "push", "size": 10.0, "ref": "refs/heads/main", "ok": True},
                {"type": "delete", "size": 0.0, "ref": "refs/tags/v1", "ok": False},
                {"type": "push", "size": 7.5, "ref": "refs/heads/dev", "ok": True, "by": {"name": "kim"}},
            ],
            "repository": {"url": "https://Git.Example.com/Team/App.git", "private": False, "stars": 3.0},
        }
    },
    "params": {"env": "prod", "limit": "10", "empty": ""},
}
HEADERS = {"x-event": ["push"], "accept": ["text/html", "application/json"]}
QUERY = {"tag": "latest"}

_SYMBOL = re.compile(r"<([A-Za-z])>")
_SECTION = re.compile(r"\[(short [A-Z]|[A-Z])\]")
_TOKEN = re.compile(r"\w+|\s+|[^\w\s]")
_PIECES = [*"()[]{},;:?.|#!-1=*\"'`\\", "?.", "??", "..", "||", "not ", " in ", "::", ".5", "1e", "0x", "nil"]
_PIECES += ["let a = ", "if ", "else", "//", "/*", "==", "**"]
_UNTOLD = re.compile(r"\b(keys|values|toPairs|now)\b")
_UNFITTING = 0.02
_SHORT = 0.15  # of what could be long
_ITEM = 0.4  # of what is short and within a predicate


def _rules() -> dict[str, list[str]]:
    """By the name of their section."""
    found: dict[str, list[str]] = {}
    for line in (Path(__file__).parent / "grammar.txt").read_text(encoding="utf-8").split("\n")[:-1]:
        if section := _SECTION.fullmatch(line):
            found[section[1]] = []
        else:
            found[[*found][-1]].append(line)
    return found


_RULES = _rules()


class Grammar:
    """Draws expressions; the same seed gives the same ones."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)  # noqa: S311 - nothing secret

    def expression(self) -> str:
        return self._named(self._drawn("A", self._random.choice([1, 2, 2, 3, 3, 4]), inside=False))

    def damaged(self) -> str:
        """An expression that is not written with care. None asks for what Go gives in any order, or for the time."""
        source = self.expression()
        while _UNTOLD.search(source):
            source = self.expression()
        tokens = _TOKEN.findall(source)
        for _ in range(self._random.choice([1, 1, 1, 2])):
            at = self._random.randrange(len(tokens))
            damages = ["", tokens[at] * 2, self._random.choice(tokens), self._random.choice(_PIECES)]
            tokens[at] = self._random.choice(damages)
        return "".join(tokens)

    def _named(self, source: str) -> str:
        return re.sub(r"(?<![\w.$#])body\b", "request.body", source)

    def _drawn(self, symbol: str, depth: int, *, inside: bool) -> str:
        inside = inside or symbol in "PI"
        if symbol not in "PIA" and self._random.random() < _UNFITTING:
            symbol = "A"
        if symbol != "P" and (depth <= 0 or self._random.random() < 0.15):
            return self._leaf(symbol, inside=inside)
        if symbol == "P" and depth < 0:
            return self._random.choice(["true", "# == 1", ".ok", "# != nil"])
        rule = self._random.choice(_RULES[symbol])
        return _SYMBOL.sub(lambda match: self._part(match[1], depth, inside=inside), rule)

    def _part(self, symbol: str, depth: int, *, inside: bool) -> str:
        return self._drawn(symbol.upper(), depth - 1 if symbol.isupper() else 0, inside=inside)

    def _leaf(self, symbol: str, *, inside: bool) -> str:
        if inside and self._random.random() < 0.4:
            symbol = "I"
        elif symbol == "A":
            symbol = self._random.choice("ANTBLMDE")
        return self._random.choice(_RULES[f"short {symbol}"])
