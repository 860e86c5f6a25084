"""Rows in words."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from receivers.events import TargetKind
from receivers.journal.journal import Finding, Row, State, WarehouseRow
from receivers.pages import timeline, wording

NOW = datetime(2026, 11, 21, 9, 31, 11, tzinfo=UTC)


def row(state: State = State.REFRESHED, *warehouses: WarehouseRow, **members: object) -> Row:
    given = {"event": "push", "provider": "azure", "status": 200, **members}
    return Row(id="0" * 24, received_at=NOW, state=state, warehouses=list(warehouses), **given)  # type: ignore[arg-type] # any member


def warehouse(name: str, state: State | None = State.REFRESHED) -> WarehouseRow:
    return WarehouseRow(project="p", name=name, refresh=state is not None, reason=f"reason of {name}", state=state)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 ms"),
        (0.0014, "1 ms"),
        (0.512, "512 ms"),
        (1, "1.0 s"),
        (9.94, "9.9 s"),
        (10, "10 s"),
        (119.9, "119 s"),
        (120, "2 min"),
        (7199, "119 min"),
        (7200, "2 h"),
        (172_800, "2 days"),
    ],
)
def test_a_duration_is_as_precise_as_people_need_it(seconds: float, text: str) -> None:
    assert wording.duration(seconds) == text


@pytest.mark.parametrize(
    ("age", "text"),
    [
        (timedelta(0), "just now"),
        (timedelta(seconds=-5), "just now"),
        (timedelta(seconds=5.7), "5 s ago"),
        (timedelta(minutes=3), "3 min ago"),
        (timedelta(hours=23, minutes=59), "23 h ago"),
        (timedelta(days=1), "20 Nov 2026, 09:31"),
    ],
)
def test_a_time_is_told_by_its_age_until_it_is_a_day_old(age: timedelta, text: str) -> None:
    assert wording.ago(NOW - age, now=NOW) == text


@pytest.mark.parametrize(("text", "seconds"), [("90s", 90), ("30m", 1800), ("12 H", 43200), (" 7d ", 604_800)])
def test_a_duration_is_read(text: str, seconds: float) -> None:
    assert wording.parse_duration(text).total_seconds() == seconds


@pytest.mark.parametrize("text", ["", "7", "d", "-1d", "1.5h", "1w", "1h30m", "9999999d"])
def test_what_is_no_duration_says_what_would_be(text: str) -> None:
    with pytest.raises(ValueError, match="90s, 30m, 12h, 7d"):
        wording.parse_duration(text)


@pytest.mark.parametrize(
    ("members", "text"),
    [
        ({"registry": "quay.io", "repository": "team/app", "tag": "1.2.3"}, "quay.io/team/app:1.2.3"),
        ({"repository": "team/app", "digest": "sha256:0123456789abcdef"}, "team/app@sha256:0123456789ab…"),
        ({"registry": "quay.io", "repository": "team/app"}, "quay.io/team/app"),
        ({"event": "ping"}, "Ping"),
        ({"event": "selection"}, "What its receiver selects"),
        ({"event": "faulty"}, "A fault of its receiver"),
        ({"event": "ignored"}, "Another event"),
        ({"event": "ignored", "repository": "team/app"}, "team/app"),
        ({"event": "", "provider": "github"}, "/github/…"),
        ({"event": "", "provider": "acr"}, "/acr/…"),
    ],
)
def test_what_was_pushed_is_named_as_people_would_pull_it(members: dict[str, str], text: str) -> None:
    assert wording.artifact(row(State.REFRESHED, **members)) == text


def test_the_warehouses_that_were_refreshed_are_named() -> None:
    assert wording.summary(row(State.REFRESHED, warehouse("a"), warehouse("not", None))) == "Warehouse a"
    assert wording.summary(row(State.REFRESHED, *map(warehouse, "abc"))) == "Warehouses a, b and 1 more"


def test_why_nothing_was_refreshed_is_told() -> None:
    assert wording.summary(row(State.NOTHING)) == "no Warehouse subscribes to it"
    refused = row(State.NOTHING, warehouse("a", None), warehouse("b", None))
    assert wording.summary(refused) == "a: reason of a, and 1 more"


def test_what_is_waited_for_is_told() -> None:
    assert wording.summary(row(State.QUEUED)) == "waits until the cluster can be reached"
    assert wording.summary(row(State.QUEUED, warehouse("a", State.QUEUED))) == "waits to refresh Warehouse a"


def test_how_long_kargo_took_is_told_in_seconds() -> None:
    assert wording.handled(row(), None) == ""
    assert wording.handled(row(), NOW + timedelta(seconds=0.512)) == "0.5 s"
    assert wording.handled(row(), NOW + timedelta(minutes=3)) == "3 min"


@pytest.mark.parametrize(
    ("finding", "text"),
    [
        (Finding.FOUND, "found after 2.4 s"),
        (Finding.SOUGHT, "not found yet, and Kargo is asked again"),
        (Finding.MISSING, "not found"),
        (None, ""),
    ],
)
def test_whether_kargo_has_found_it_is_told(finding: Finding | None, text: str) -> None:
    found_at = NOW + timedelta(seconds=2.4) if finding is Finding.FOUND else None
    assert wording.finding(msgspec.structs.replace(row(), finding=finding, found_at=found_at)) == text


def test_every_state_has_a_label() -> None:
    assert set(wording.LABELS) == set(State)
    assert set(wording.FINDINGS) == set(Finding)


def test_promotions_are_named_as_such() -> None:
    one, two = warehouse("one"), warehouse("two")
    one.kind = two.kind = TargetKind.PROMOTION
    closed = row(State.REFRESHED, one, two, event="pull request")
    assert "Promotions one, two" in wording.summary(closed)
    assert "Promotion one" in wording.summary(row(State.REFRESHED, one, event="pull request"))
    nobody = row(State.NOTHING, event="pull request")
    assert wording.summary(nobody) == "no Promotion waits for it"
    assert (wording.kind(nobody), wording.kind(row(State.NOTHING))) == ("Promotion", "Warehouse")
    assert "waits for this pull request" in wording.nobody(nobody)
    assert "subscribes to this repository" in wording.nobody(row(State.NOTHING))


def test_a_selection_of_nothing_is_told_as_such() -> None:
    nobody = row(State.NOTHING, event="selection")
    assert wording.summary(nobody) == "its receiver selects no Warehouse that there is"
    assert wording.nobody(nobody) == "Its receiver selects no Warehouse that there is."


@pytest.mark.parametrize("seconds", [1e300, -1e300, 1e12, float("inf"), float("nan")])
def test_what_leads_to_no_time_changes_none(seconds: float) -> None:
    assert wording.after(NOW, 0.5) == NOW + timedelta(seconds=0.5)
    assert wording.after(NOW, seconds) == NOW
    assert [moment.at for moment in timeline.of(row(duration=seconds))] == [NOW, NOW]
