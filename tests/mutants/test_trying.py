"""Trying a mutant: with which tests, and what becomes of it."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from mutants import core, trying
from mutants.__main__ import equivalent
from mutants.operators import Mutant, mutants
from mutants.trying import Measured, Verdict

FILE = "receivers/storage/toy.py"
SOURCE = b"""
LIMIT = 1

def small(number):
    while not number:
        pass
    return number <= LIMIT
"""
TESTS = """
from receivers.storage.toy import small

def test_small():
    assert small(-3)

def test_large():
    assert not small(2)
"""


def test_the_core_and_its_tests_are_there() -> None:
    files = core.modules()
    assert {"receivers/retries/retries.py", "receivers/kargo/selectors/git.py"} <= set(files)
    assert not {"receivers/cluster/kubeconfig.py", "receivers/kargo/semver.py"} & set(files)
    assert tuple(core.rooms(files)) == core.ROOMS
    assert all((core.ROOT / "tests" / room).is_dir() for room in core.ROOMS)


def test_what_is_called_equivalent_is_a_mutant_of_the_core() -> None:
    """Else it was changed since, and what was said of it may be wrong."""
    files = core.modules()
    there = {
        (file, each.code, each.change) for file in files for each in mutants(file, (core.ROOT / file).read_bytes())
    }
    assert equivalent().keys() <= there
    assert all(equivalent().values())


def mutant(line: int, *, file: str = "receivers/retries/queue.py") -> Mutant:
    return Mutant(file=file, lines=range(line, line + 1), line=line, code="", start=0, end=0, before="", after="")


def test_the_nearest_and_fastest_tests_come_first_and_no_more_than_there_is_time_for() -> None:
    near, room, far = (
        "tests/retries/test_queue.py::a",
        "tests/retries/test_retries.py::b",
        "tests/cluster/test_api.py::c",
    )
    slow, failing = "tests/retries/test_queue.py::slow", "tests/retries/test_queue.py::failing"
    long = "tests/cluster/test_listing.py::long"
    seconds = {far: 0.1, room: 2.0, near: 3.0, slow: 4.0, long: trying.TESTS}
    runs = {"receivers/retries/queue.py": {7: frozenset({far, room, near, slow, failing, long}), 1: frozenset[str]()}}
    measured = Measured(seconds, [failing], runs)
    assert measured.tests(mutant(7)) == [near, slow, room, far]
    assert measured.tests(mutant(1)) == [near, slow, room, far], "it runs when the module is imported"
    assert measured.tests(mutant(8)) == []
    assert Measured({long: 2 * trying.TESTS}, [], runs).tests(mutant(7)) == [long]


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Measured:
    """A project with one module and two tests."""
    monkeypatch.setattr(core, "ROOT", tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    file, tests = tmp_path / FILE, tmp_path / "tests" / "storage" / "test_toy.py"
    for folder in (file.parent, tests.parent):
        folder.mkdir(parents=True)
    for package in ("receivers", "receivers/storage"):
        (tmp_path / package / "__init__.py").touch()
    file.write_bytes(SOURCE)
    tests.write_text(TESTS)
    both = frozenset({"tests/storage/test_toy.py::test_small", "tests/storage/test_toy.py::test_large"})
    lines = range(1, SOURCE.count(b"\n") + 1)
    return Measured(dict.fromkeys(both, 0.01), [], {FILE: {line: both if line > 2 else frozenset() for line in lines}})


# What `make test` does with tests of which it measures no coverage.
UNMEASURED = """
def pytest_collection_modifyitems(items):
    for item in items:
        item.add_marker("no_cover")
"""


@pytest.mark.usefixtures("toy")
def test_it_is_known_which_test_runs_which_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trying, "KEPT", tmp_path / "build")
    (tmp_path / "testbed").mkdir()
    (tmp_path / "tests" / "conftest.py").write_text(UNMEASURED)
    (tmp_path / "pyproject.toml").write_text('[tool.pytest.ini_options]\nmarkers = ["fuzz"]\n')
    with ThreadPoolExecutor(1) as pool:
        measured = trying.measure(pool, ["storage"])
    assert {test.partition("::")[2] for test in measured.seconds} == {"test_small", "test_large"}
    line = SOURCE.decode().splitlines().index("    while not number:") + 1
    assert measured.runs[FILE][line] == measured.seconds.keys()


def verdicts(toy: Measured, changes: list[str]) -> list[Verdict]:
    chosen = {each.change: each for each in mutants(FILE, SOURCE)}
    return [trying.verdict(chosen[change], toy) for change in changes]


def test_a_mutant_is_caught_or_survives_and_no_file_is_changed(toy: Measured) -> None:
    assert verdicts(
        toy, ["1  ->  2", "return number <= LIMIT  ->  return None", "number <= LIMIT  ->  (number < LIMIT)"]
    ) == [Verdict.CAUGHT, Verdict.CAUGHT, Verdict.SURVIVED]
    assert (core.ROOT / FILE).read_bytes() == SOURCE
    assert trying.verdict(mutant(99, file=FILE), toy) is Verdict.UNREACHED


def test_before_anything_is_tried_the_tests_have_to_pass(toy: Measured) -> None:
    chosen = [mutant(99, file=FILE), *mutants(FILE, SOURCE)]
    assert trying.is_quiet(chosen, toy)
    assert not trying.is_quiet([mutant(99, file=FILE)], toy)
    (core.ROOT / "tests/storage/test_toy.py").write_text(TESTS.replace("small(2)", "small(1)"))
    assert not trying.is_quiet(chosen, toy)


def test_tests_that_cannot_be_run_catch_nothing(toy: Measured) -> None:
    (core.ROOT / "conftest.py").write_text("def pytest_sessionstart():\n  1 / 0")
    with pytest.raises(RuntimeError, match="pytest ended with 3"):
        verdicts(toy, ["1  ->  2"])


def test_a_test_that_hangs_catches_a_mutant(toy: Measured, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trying, "START", 1.0)
    assert verdicts(toy, ["not number  ->  (number)"]) == [Verdict.HUNG]
