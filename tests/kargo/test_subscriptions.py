"""The subscriptions of a Warehouse, from raw JSON."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from receivers.events import Kind
from receivers.kargo.selectors import Broken
from receivers.kargo.subscriptions import read

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
        "platform",
        "",
    ]
)
any_json = st.recursive(scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=4))


def test_images_and_charts_are_read_with_their_place_and_normalised_url() -> None:
    reading = read([GIT, IMAGE, {"name": "c", **CHART}])
    assert [(each.position, each.kind, each.url) for each in reading.subscriptions] == [
        (1, Kind.IMAGE, "ghcr.io/team/app"),
        (2, Kind.CHART, "ghcr.io/team/chart"),
    ]
    assert reading.faults == {}


@pytest.mark.parametrize("raw", [None, [], [GIT], [{"git": 5}], [{"s3": {"config": {}}}], [{"name": "x", "s3": None}]])
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
@given(st.lists(st.dictionaries(st.sampled_from(["image", "chart"]), st.dictionaries(keys, any_json)), max_size=3))
def test_anything_like_a_subscription_can_be_read(raw: list[object]) -> None:
    reading = read(raw)
    assert len({*reading.faults, *(each.position for each in reading.subscriptions)}) == len(raw)
