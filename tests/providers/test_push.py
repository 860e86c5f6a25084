"""Our own format."""

import json
from typing import Any

import pytest

from receivers.events import Event, Ignored, Kind, Push, Pushed
from receivers.providers.push import PUSH
from tests.providers.deliveries import deliver
from tests.providers.tellings import NOW


def told(kind: object = "push", **data: Any) -> list[Event]:  # noqa: ANN401 - any JSON
    return deliver("push", json.dumps({"type": kind, "data": data}).encode(), {"webhook-id": "msg_7"})


def pushed(**data: Any) -> Pushed:  # noqa: ANN401 - any JSON
    (event,) = told(**data)
    assert isinstance(event, Pushed)
    return event


@pytest.mark.parametrize(
    ("data", "qualifiers"),
    [
        ({"tag": "1.2.3"}, ("1.2.3",)),
        ({"tags": ["1.2.3", "latest"]}, ("1.2.3", "latest")),
        ({"tags": ["1.2.3", "latest"], "tag": "1.2.3"}, ("1.2.3", "latest")),
        ({"version": "1.2.3"}, ()),
        ({}, ()),
    ],
)
def test_an_image_has_tags_and_without_any_every_subscriber_is_meant(
    data: dict[str, Any], qualifiers: tuple[str, ...]
) -> None:
    event = pushed(image="registry.example.com/team/app", **data)
    assert event.repository_urls == ("registry.example.com/team/app",)
    assert (event.kinds, event.qualifiers, event.sender_event_id) == ((Kind.IMAGE,), qualifiers, "msg_7")


@pytest.mark.parametrize("name", ["version", "tag"])
def test_a_chart_has_a_version(name: str) -> None:
    event = pushed(chart="oci://registry.example.com/charts/app", **{name: "1.2.3"})
    assert (event.kinds, event.qualifiers, event.registry) == ((Kind.CHART,), ("1.2.3",), "registry.example.com")


@pytest.mark.parametrize(("paths", "files"), [(None, None), ([], None), (["a/b"], frozenset({"a/b"}))])
def test_git_has_a_ref_and_maybe_its_files(paths: list[str] | None, files: frozenset[str] | None) -> None:
    repo = "https://git.example.com/team/app"
    event = pushed(repo=repo, ref="refs/heads/main", paths=paths, defaultBranch="main", commit="5" * 40)
    assert event.repository_urls == (repo,)
    assert (event.kinds, event.qualifiers, event.changed_files) == ((Kind.GIT,), ("refs/heads/main",), files)
    assert (event.default_branch, event.digest) == ("main", "5" * 40)


def test_one_delivery_may_tell_of_all_three() -> None:
    events = told(image="r.example.com/a", chart="r.example.com/c", repo="https://g.example.com/r", ref="refs/heads/m")
    assert [event.kinds for event in events if isinstance(event, Pushed)] == [
        (Kind.IMAGE,),
        (Kind.CHART,),
        (Kind.GIT,),
    ]


def test_the_type_may_be_left_out_and_be_no_other() -> None:
    assert isinstance(told(None, image="a/b")[0], Pushed)
    assert told("release", image="a/b") == [Ignored("type release is no push")]
    assert told() == [Ignored("the push names no image, no chart and no repo")]


def test_the_example_of_a_chart_is_one_and_of_commits_without_files_tells_none() -> None:
    chart = Push(repository="registry.example.com/c", tag="1", media_type="application/vnd.cncf.helm.config.v1+json")
    assert "chart" in json.loads(PUSH.example(chart, NOW).body)["data"]
    commits = Push(repository="https://git.example.com/r", ref="refs/heads/main")
    assert "paths" not in json.loads(PUSH.example(commits, NOW).body)["data"]
