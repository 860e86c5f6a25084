"""Every benchmark runs from beginning to end, with very little of everything. What it measures is not looked at."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bench import __main__ as bench
from bench import backlog, burst, deliveries, instances, journal, large, page, real, realistic, scale, start
from bench.figures import Chapter, Figure, markdown, table
from bench.size import Size
from testbed.servers import HOW_TO_GET_A_REAL_SERVER, real_programs

TINY = Size(
    starts=1,
    holds=1,
    rounds=1,
    seconds=0.1,
    concurrencies=(1, 2),
    warehouses=2,
    burst=20,
    cluster=40,
    matches=10,
    subscribers=3,
    large=40,
    events=10,
    stored=4,
    instances=(1, 2),
    idle=0.1,
    changes=2,
    messages=3,
    journal=300,
)
CHAPTERS = [Chapter("A thing", [Figure("its speed", "7/s", "at least 5/s", True), Figure("its size", "3 MB")])]


@pytest.mark.parametrize("measure", [start.measure, deliveries.measure, burst.measure, scale.measure, large.measure])
def test_a_benchmark_finds_a_figure_for_each_of_its_lines(measure: Callable[[Size], Chapter]) -> None:
    assert all(figure.value for figure in measure(TINY).figures)


@pytest.mark.skipif(real_programs() is None, reason=HOW_TO_GET_A_REAL_SERVER)
@pytest.mark.parametrize("measure", [real.measure, instances.measure])
def test_the_benchmark_of_a_real_api_server_does_too(measure: Callable[[Size], Chapter]) -> None:
    assert all(figure.value for figure in measure(TINY).figures)


@pytest.mark.usefixtures("running_azurite")  # which is installed then
def test_the_benchmark_of_the_queue_does_too() -> None:
    assert all(figure.value for figure in backlog.measure(TINY).figures)


@pytest.mark.usefixtures("running_azurite")  # which is installed then
def test_a_journal_of_many_rows_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = ("nothing", "state", "a rare repository")
    monkeypatch.setattr(journal, "FILTERS", {name: journal.FILTERS[name] for name in chosen})
    figures = {figure.what: figure.value for figure in journal.measure(TINY).figures}
    assert "51 rows" in figures["first page"]
    assert "1 rows" in figures["first page by a rare repository"]
    assert figures["clean-up"]


def test_a_warehouse_of_the_large_cluster_is_as_large_as_real_ones() -> None:
    sizes = [len(realistic.encoded(number)) for number in range(realistic.STYLES)]
    assert 10_000 < min(sizes) < max(sizes) < 40_000
    made = json.loads(realistic.encoded(41))
    assert (made["metadata"]["name"], made["metadata"]["namespace"]) == ("app-41", "project-2")
    assert made["spec"]["subscriptions"][0]["image"]["repoURL"] == realistic.image(41)
    assert realistic.warehouse(41)["spec"] == made["spec"]


def test_what_cannot_run_here_says_how_it_could(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.clusters.real_programs", lambda: None)
    assert HOW_TO_GET_A_REAL_SERVER in table([bench.measure("e", TINY)])


def test_a_table_tells_whether_an_aim_was_met() -> None:
    lines = table(CHAPTERS).splitlines()
    assert lines[-2].split() == ["its", "speed", "7/s", "at", "least", "5/s", "met"]
    assert lines[-1].split() == ["its", "size", "3", "MB"]


def test_the_page_keeps_the_text_around_its_figures(tmp_path: Path) -> None:
    file = tmp_path / "benchmarks.md"
    file.write_text(f"before\n{page.BEGIN}\nold figures\n{page.END}\nafter\n")
    page.write(CHAPTERS, ["2 cores"], now=datetime(2025, 1, 2, tzinfo=UTC), page=file)
    text = file.read_text()
    assert text.startswith("before\n")
    assert text.endswith("\nafter\n")
    assert "old figures" not in text
    assert "measured on 2025-01-02\n* 2 cores" in text
    assert markdown(CHAPTERS) in text


def test_an_answer_in_time_is_no_refresh_in_time() -> None:
    def verdicts(*found: real.FanOut) -> list[tuple[str, str]]:
        return [(each.value, each.verdict) for each in real._fan_out_figures(found, [2.0] * len(found), 1_000)[:2]]

    done = real.FanOut(answered=1.9, status=200, last_patch=1.89)
    cut = real.FanOut(answered=2.013, status=503, last_patch=2.2)
    late = real.FanOut(answered=2.2, status=200, last_patch=2.19)
    assert verdicts(done, done) == [("1,900 ms", "met"), ("2 of 2", "met")]
    assert verdicts(done, cut) == [("2,013 ms", "met"), ("1 of 2; 1 answered 503", "missed")]
    assert verdicts(late) == [("2,200 ms", "missed"), ("1 of 1", "met")]
