"""The subscriptions of a Warehouse, from raw JSON."""

import json

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from receivers import limits
from receivers.events import Kind
from receivers.kargo.selectors import Broken
from receivers.kargo.subscriptions import Reading, decode, read

patient = settings(deadline=None)  # the machine may be busy

IMAGE = {"image": {"repoURL": "ghcr.io/Team/App"}}
CHART = {"chart": {"repoURL": "oci://ghcr.io/team/chart"}}
GIT = {"git": {"repoURL": "https://github.com/team/app.git"}}

scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters())
keys = st.sampled_from(
    [
        "image",
        "chart",
        "git",
        "name",
        "repoURL",
        "constraint",
        "allowTagsRegexes",
        "imageSelectionStrategy",
        "commitSelectionStrategy",
        "includePaths",
        "platform",
        "",
    ]
)
any_json = st.recursive(scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=4))


def test_subscriptions_are_read_with_their_place_and_normalised_url() -> None:
    reading = read([GIT, IMAGE, {"name": "c", **CHART}])
    assert [(each.position, each.kind, each.url) for each in reading.subscriptions] == [
        (0, Kind.GIT, "https://github.com/team/app"),
        (1, Kind.IMAGE, "ghcr.io/team/app"),
        (2, Kind.CHART, "ghcr.io/team/chart"),
    ]
    assert reading.faults == {}


@pytest.mark.parametrize("raw", [None, [], [{"s3": {"config": {}}}], [{"name": "x", "s3": None}]])
def test_what_no_sender_pushes_to_is_passed_over(raw: object) -> None:
    reading = read(raw)
    assert (reading.subscriptions, reading.faults) == ([], {})


@pytest.mark.parametrize(
    ("item", "reason"),
    [
        (None, "a subscription is not an object"),
        ("image", "a subscription is not an object"),
        ({}, "a subscription has 0 kinds, not one"),
        ({"name": "x"}, "a subscription has 0 kinds, not one"),
        ({**IMAGE, **CHART}, "a subscription has 2 kinds, not one"),
        ({"name": 1, **IMAGE}, "the name is not a text"),
        ({"image": None}, "image is not an object"),
        ({"chart": []}, "chart is not an object"),
        ({"git": 5}, "git is not an object"),
        ({"image": {}}, "repoURL is missing"),
        ({"chart": {"repoURL": 1}}, "repoURL is not a text"),
    ],
)
def test_a_fault_leaves_the_others_alone(item: object, reason: str) -> None:
    reading = read([item, IMAGE])
    assert reading.faults == {0: reason}
    assert [each.position for each in reading.subscriptions] == [1]


def test_one_whose_wishes_cannot_be_read_wants_nothing() -> None:
    reading = read([{"image": {"repoURL": "ghcr.io/team/app", "constraint": "?"}}])
    reason = "constraint ?: not a semver constraint"
    assert reading.faults == {0: reason}
    assert [each.selector for each in reading.subscriptions] == [Broken(reason)]


@pytest.mark.parametrize("raw", [{}, "x", 1, True, {"image": {}}])
def test_subscriptions_that_are_no_list(raw: object) -> None:
    assert read(raw).faults == {0: "spec.subscriptions is not a list"}


@patient
@given(any_json)
def test_any_json_can_be_read(raw: object) -> None:
    reading = read(raw)
    assert all(reason and reason.isprintable() for reason in reading.faults.values())


@patient
@given(
    st.lists(st.dictionaries(st.sampled_from(["git", "image", "chart"]), st.dictionaries(keys, any_json)), max_size=3)
)
def test_anything_like_a_subscription_can_be_read(raw: list[object]) -> None:
    reading = read(raw)
    assert len({*reading.faults, *(each.position for each in reading.subscriptions)}) == len(raw)


# From JSON


def decoded(encoded: bytes) -> Reading:
    return read(decode(msgspec.Raw(encoded)).subscriptions)


def test_json_is_read_as_what_it_says() -> None:
    raw = [GIT, IMAGE, {"name": "c", **CHART}, {"name": 1, **IMAGE}, {"image": []}, 7, {}, {"unknown": None}]
    assert decoded(json.dumps(raw).encode()) == read(raw)


@pytest.mark.parametrize("raw", [b"null", b"7", b"{}", b'"x"'])
def test_json_that_is_no_list(raw: bytes) -> None:
    assert decoded(raw) == read(json.loads(raw))


def test_of_very_many_subscriptions_the_first_count() -> None:
    reading = decoded(json.dumps([IMAGE] * (limits.SUBSCRIPTIONS + 7)).encode())
    assert len(reading.subscriptions) == limits.SUBSCRIPTIONS
    assert list(reading.faults) == [limits.SUBSCRIPTIONS]


def test_subscriptions_that_are_too_large_together_are_left_out_but_for_those_that_do_not_count_anyway() -> None:
    large = "x" * limits.SUBSCRIPTIONS_BYTES
    raw = [IMAGE, {"image": {"repoURL": large}}, {"chart": {"x": large}}, {"s3": large}, [large], large, IMAGE]
    found = decode(msgspec.Raw(json.dumps(raw).encode()))
    reading = read(found.subscriptions)
    assert found.size == 2 * len(json.dumps(IMAGE))
    assert [each.position for each in reading.subscriptions] == [0, 6]
    assert {position: reason[:8] for position, reason in reading.faults.items()} == {
        1: "together",
        2: "together",
        4: "a subscr",
        5: "a subscr",
    }


def test_a_url_that_is_longer_than_any_is_a_fault() -> None:
    reading = read([{"image": {"repoURL": "r.example.com/" + "a" * limits.REPOSITORY_URL}}])
    assert reading.faults == {0: f"repoURL is longer than {limits.REPOSITORY_URL} characters"}


def test_of_many_faults_the_first_are_told() -> None:
    reading = read([7] * 1000)
    assert list(reading.faults) == list(range(limits.SUBSCRIPTION_FAULTS + 1))
    assert reading.faults[limits.SUBSCRIPTION_FAULTS] == "neither this one nor some after it can be read"
