"""Azure DevOps: what its service hooks tell of pushes and pull requests, and by which URLs."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from receivers import limits
from receivers.events import Event, Ignored, Kind, Malformed, PullRequestClosed, Push, Pushed
from receivers.kargo.urls import normalise_git
from receivers.providers import PROVIDERS
from tests.providers.deliveries import deliver

AZURE = PROVIDERS["azure"]
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
URL = "https://dev.azure.com/example/team/_git/app"
PAGE, IN_API = f"{URL}/pullrequest/7", "https://dev.azure.com/example/1/_apis/git/repositories/2/pullRequests/7"
ZEROS, COMMIT = "0" * 40, "2" * 40
NO_DETAILS = Ignored('the event lacks details: set "Resource details to send" of its service hook to All')
OPEN = Ignored("the pull request is still open")


def told(event_type: str, resource: object, **members: object) -> list[Event]:
    document = {"id": "the id", "eventType": event_type, "publisherId": "tfs", "resource": resource, **members}
    return deliver("azure", json.dumps(document).encode())


def pushed(url: object = URL, *, updates: object = None, **repository: object) -> Event:
    moved = [{"name": "refs/heads/main", "newObjectId": COMMIT}] if updates is None else updates
    (event,) = told("git.push", {"refUpdates": moved, "repository": {"remoteUrl": url, **repository}})
    return event


def push_of(url: str = URL, **rest: Any) -> Pushed:  # noqa: ANN401 - any JSON
    event = pushed(url, **rest)
    assert isinstance(event, Pushed)
    return event


def found_as(url: str) -> set[str]:
    """What a subscription's URL may be normalised to, so that a push to this URL finds it."""
    return {normalise_git(each) for each in push_of(url).repository_urls}


def pull_request(kind: str, status: str, **members: object) -> list[Event]:
    resource = {"status": status, "url": IN_API, "_links": {"web": {"href": PAGE}}, **members}
    return told(f"git.pullrequest.{kind}", resource)


# Pushes


def test_a_push_names_repository_branch_and_commit() -> None:
    event = push_of(defaultBranch="refs/heads/trunk")
    assert (event.kinds, event.qualifiers, event.changed_files) == ((Kind.GIT,), ("refs/heads/main",), None)
    assert (event.registry, event.repository, event.tag) == ("dev.azure.com", "example/team/app", "main")
    assert (event.default_branch, event.digest, event.sender_event_id) == ("trunk", COMMIT, "the id")


def test_a_push_of_several_refs_tells_them_all_and_the_first_commit() -> None:
    updates = [
        {"name": "refs/heads/gone", "newObjectId": ZEROS},
        {"name": "refs/tags/v1", "newObjectId": COMMIT},
        None,
        {"name": "refs/heads/main", "newObjectId": "3" * 40},
        {"name": "refs/heads/untold"},
    ]
    event = push_of(updates=updates)
    assert event.qualifiers == ("refs/heads/gone", "refs/tags/v1", "refs/heads/main", "refs/heads/untold")
    assert event.digest == COMMIT


@pytest.mark.parametrize("zeros", [ZEROS, "0" * 64])
def test_what_was_deleted_concerns_those_who_subscribe_to_it(zeros: str) -> None:
    event = push_of(updates=[{"name": name, "newObjectId": zeros} for name in ("refs/heads/a", "refs/tags/b")])
    assert (event.qualifiers, event.digest) == (("refs/heads/a", "refs/tags/b"), "")


def test_a_push_that_names_no_ref_concerns_every_subscriber() -> None:
    assert push_of(updates=[]).qualifiers == ()
    assert push_of(updates=[{"newObjectId": COMMIT}]).qualifiers == ()


@pytest.mark.parametrize("resource", [None, {}, {"pushId": 14, "url": "https://x"}, {"repository": {"name": "app"}}])
def test_a_push_without_details_says_which_setting_to_change(resource: object) -> None:
    assert told("git.push", resource) == [NO_DETAILS]


@pytest.mark.parametrize("url", ["https://[", "https://x/%zz", "\x00", "no url"])
def test_a_push_to_what_is_no_url_is_a_push_to_it_all_the_same(url: str) -> None:
    assert push_of(url).repository_urls == (url,)


def test_a_longer_url_than_any_is_malformed() -> None:
    with pytest.raises(Malformed):
        pushed("https://dev.azure.com/" + "a" * limits.NAME)


@pytest.mark.parametrize(
    "resource",
    ["text", [1], 7, {"refUpdates": {}}, {"refUpdates": [7]}, {"repository": {"remoteUrl": 7}}, {"repository": []}],
)
def test_a_resource_of_another_shape_is_malformed(resource: object) -> None:
    with pytest.raises(Malformed, match="invalid request body"):
        told("git.push", resource)


# The URLs of a repository

EVERY_URL = {
    "https://dev.azure.com/example/team/_git/app",
    "https://example.visualstudio.com/team/_git/app",
    "https://example.visualstudio.com/defaultcollection/team/_git/app",
    "ssh://git@ssh.dev.azure.com/v3/example/team/app",
    "ssh://example@vs-ssh.visualstudio.com/v3/example/team/app",
}


@pytest.mark.parametrize(
    "url",
    [
        "https://dev.azure.com/example/team/_git/app",
        "https://example@dev.azure.com/example/team/_git/app",
        "https://user:password@dev.azure.com/example/team/_git/app/",
        "https://Dev.Azure.com/Example/Team/_git/App",
        "https://dev.azure.com/example/DefaultCollection/team/_git/app",
        "https://example.visualstudio.com/team/_git/app",
        "https://example.visualstudio.com/DefaultCollection/team/_git/app",
    ],
)
def test_a_repository_of_the_cloud_is_found_by_each_of_its_urls(url: str) -> None:
    assert found_as(url) - {normalise_git(url)} == EVERY_URL - {normalise_git(url)}


@pytest.mark.parametrize("host", ["dev.azure.com/example", "tfs.example.com/tfs", "example.visualstudio.com"])
def test_no_user_and_no_password_of_a_url_is_kept(host: str) -> None:
    event = push_of(f"https://somebody:pass@word@{host}/team/_git/app")
    assert event == push_of(f"https://{host}/team/_git/app")
    assert "somebody" not in repr(event)
    assert "word" not in repr(event)


@pytest.mark.parametrize(
    "url",
    [
        "https://dev.azure.com/example/_git/app",
        "https://example.visualstudio.com/_git/app",
        "https://example.visualstudio.com/DefaultCollection/_git/app",
        "https://dev.azure.com/example/App/_git/app",
    ],
)
def test_a_repository_with_its_project_s_name_is_found_with_the_project_and_without(url: str) -> None:
    assert found_as(url) == {
        *(each.replace("/team/", "/app/") for each in EVERY_URL),
        "https://dev.azure.com/example/_git/app",
        "https://example.visualstudio.com/_git/app",
        "https://example.visualstudio.com/defaultcollection/_git/app",
    }


def test_spaces_are_as_kargo_writes_them() -> None:
    found = found_as("https://dev.azure.com/example/My%20Project/_git/My%20App")
    for subscribed in (
        "https://example@dev.azure.com/example/My%20Project/_git/My%20App",
        "https://dev.azure.com/example/My Project/_git/My App",
        "git@ssh.dev.azure.com:v3/example/My%20Project/My%20App",
        "ssh://git@ssh.dev.azure.com/v3/example/My%20Project/My%20App",
    ):
        assert normalise_git(subscribed) in found


@pytest.mark.parametrize(
    "url",
    [
        "https://tfs.example.com/tfs/DefaultCollection/team/_git/app",
        "https://dev.azure.com.example.com/example/team/_git/app",
        "https://example.com/dev.azure.com/example/team/_git/app",
        "https://a.b.visualstudio.com/team/_git/app",
        "https://dev.azure.com/example/team/more/_git/app",
        "https://dev.azure.com/example/team/_git/app?path=x",
        "https://dev.azure.com/example/team/_git/",
        "http://dev.azure.com/example/team/_git/app",
    ],
)
def test_any_other_url_is_the_only_one_of_its_repository(url: str) -> None:
    assert push_of(url).repository_urls == (url,)


def test_a_url_for_ssh_that_an_event_tells_counts() -> None:
    ssh = "ssh://tfs.example.com:22/tfs/team/_git/app"
    event = push_of("https://tfs.example.com/tfs/team/_git/app", sshUrl=ssh)
    assert event.repository_urls == ("https://tfs.example.com/tfs/team/_git/app", ssh)
    assert (event.registry, event.repository) == ("tfs.example.com", "tfs/team/app")


# Pull requests


@pytest.mark.parametrize(
    ("kind", "status"), [("merged", "completed"), ("updated", "completed"), ("updated", "abandoned")]
)
def test_a_closed_pull_request_is_told_by_its_page_and_by_its_url_in_the_api(kind: str, status: str) -> None:
    assert pull_request(kind, status) == [
        PullRequestClosed(url=PAGE, sender_event_id="the id"),
        PullRequestClosed(url=IN_API, sender_event_id="the id"),
    ]


@pytest.mark.parametrize("status", ["", "notSet", "abandoned", "anything"])
def test_a_merge_counts_unless_the_pull_request_is_certainly_open(status: str) -> None:
    assert len(pull_request("merged", status)) == 2


@pytest.mark.parametrize("merge_status", ["conflicts", "succeeded", "queued"])
def test_an_attempt_to_merge_makes_promotions_look(merge_status: str) -> None:
    found = pull_request("merged", "active", mergeStatus=merge_status)
    assert PullRequestClosed(url=PAGE, sender_event_id="the id") in found


@pytest.mark.parametrize("status", ["active", "notSet", "Completed"])
def test_an_update_of_an_open_pull_request_is_ignored(status: str) -> None:
    assert pull_request("updated", status) == [OPEN]


def test_one_url_told_twice_counts_once() -> None:
    assert pull_request("merged", "completed", url=PAGE) == [PullRequestClosed(url=PAGE, sender_event_id="the id")]


@pytest.mark.parametrize("links", [None, {}, {"web": None}, {"web": {}}, {"self": {"href": "x"}}])
def test_without_its_page_a_pull_request_is_told_by_its_url_in_the_api_alone(links: object) -> None:
    closed = [PullRequestClosed(url=IN_API, sender_event_id="the id")]
    assert pull_request("merged", "completed", _links=links) == closed


@pytest.mark.parametrize("kind", ["merged", "updated"])
@pytest.mark.parametrize("resource", [None, {}, {"pullRequestId": 7}])
def test_a_pull_request_without_details_says_which_setting_to_change(kind: str, resource: object) -> None:
    assert told(f"git.pullrequest.{kind}", resource) == [NO_DETAILS]


@pytest.mark.parametrize("resource", ["text", [7], {"status": 7}, {"_links": []}, {"_links": {"web": {"href": {}}}}])
def test_a_pull_request_of_another_shape_is_malformed(resource: object) -> None:
    with pytest.raises(Malformed, match="invalid request body"):
        told("git.pullrequest.merged", resource)


# Other events


@pytest.mark.parametrize("resource", [None, "text", 7, [1], {"status": 7, "refUpdates": "x", "repository": 1}])
@pytest.mark.parametrize("event_type", ["git.pullrequest.created", "build.complete", "workitem.updated", "GIT.PUSH"])
def test_other_events_are_ignored_whatever_they_hold(event_type: str, resource: object) -> None:
    assert told(event_type, resource) == [Ignored(f"event {event_type} is not supported")]


def test_an_event_without_a_type_is_ignored() -> None:
    assert told("", {}) == [Ignored("the event has no type")]
    for body in (b'{"eventType": null, "resource": {}}', b'{"publisherId": "tfs", "resource": {}}'):
        assert deliver("azure", body) == [Ignored("the event has no type")]


# What is posted to try a receiver


@pytest.mark.parametrize("ref", ["refs/heads/main", "refs/tags/v1.2.3"])
@pytest.mark.parametrize("commit", ["", COMMIT])
def test_an_example_of_a_push_of_git_means_it(ref: str, commit: str) -> None:
    example = AZURE.example(Push(repository=URL, ref=ref, digest=commit, changed_files=("a.yaml",)), NOW)
    (event,) = deliver("azure", example.body, example.headers)
    assert isinstance(event, Pushed)
    assert event.repository_urls[0] == URL
    assert (event.qualifiers, event.default_branch, event.changed_files) == ((ref,), "main", None)
    assert event.digest == commit if commit else len(event.digest) == 40
    assert example.headers["user-agent"].startswith("VSServices")


@pytest.mark.parametrize(
    "subscribed",
    [
        "git@ssh.dev.azure.com:v3/example/My%20Project/app",
        "ssh://git@ssh.dev.azure.com/v3/example/My%20Project/app",
        "example@vs-ssh.visualstudio.com:v3/example/My%20Project/app",
        "https://github.com/team/app",
    ],
)
def test_an_example_finds_who_subscribes_to_that_url(subscribed: str) -> None:
    example = AZURE.example(Push(repository=subscribed, ref="refs/heads/main"), NOW)
    (event,) = deliver("azure", example.body, example.headers)
    assert isinstance(event, Pushed)
    assert normalise_git(subscribed) in map(normalise_git, event.repository_urls)


def test_two_examples_are_no_duplicates() -> None:
    push = Push(repository=URL, ref="refs/heads/main")
    first, second = (json.loads(AZURE.example(push, NOW).body)["id"] for _ in range(2))
    assert first != second


def test_an_example_of_a_pull_request_means_it() -> None:
    assert AZURE.pull_request is not None
    example = AZURE.pull_request(PAGE, NOW)
    (event,) = deliver("azure", example.body, example.headers)
    assert isinstance(event, PullRequestClosed)
    assert event.url == PAGE
    assert event.sender_event_id
