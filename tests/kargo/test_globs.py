"""Globs and base directories, as doublestar and Go's path/filepath answer."""

import pytest

from receivers.kargo import globs, path_filters, patterns
from receivers.kargo.effort import Effort, TooMuch
from tests.kargo.tables import rows

ENOUGH = 1_000_000


def answers(glob: str, paths: list[str]) -> str | None:
    try:
        expression = globs.expression(glob)
    except globs.InvalidGlob:
        return None
    compiled = patterns.compile([expression], effort=Effort(ENOUGH))
    return "".join("01"[compiled.first(path) is not None] for path in paths)


def test_a_glob_matches_what_doublestar_matches() -> None:
    paths, *table = rows("globs")
    unjudged = []
    for glob, wanted in table:
        try:
            assert (glob, answers(glob, paths)) == (glob, wanted)
        except TooMuch:
            unjudged.append(glob)
    assert len(unjudged) < len(table) / 10


@pytest.mark.parametrize(
    "glob", ["docs/**", "**/*.md", "src/**/*_test.go", "{docs,src}/**", "*.y{,a}ml", "[!.]*", "a/**/b/*", "**/{a,b}/*"]
)
def test_a_usual_glob_is_judged(glob: str) -> None:
    assert globs.expression(glob)


def test_everything_below_a_directory_is_told_without_an_expression() -> None:
    paths, *table = rows("globs")
    trees = [(glob, wanted) for glob, wanted in table if globs.directory(glob) is not None]
    assert len(trees) > 5
    for glob, wanted in trees:
        found = path_filters.read({"includePaths": [f"glob:{glob}"]}, Effort(ENOUGH)).include
        assert found.expressions.texts == ()
        assert (glob, "".join("01"[found.match(path)] for path in paths)) == (glob, wanted)


def test_a_base_directory_has_below_it_what_go_says() -> None:
    paths, *table = rows("directories")
    for directory, wanted in table:
        found = path_filters.read({"includePaths": [directory]}, Effort(ENOUGH)).include
        assert (directory, "".join("01"[found.match(path)] for path in paths)) == (directory, wanted)
