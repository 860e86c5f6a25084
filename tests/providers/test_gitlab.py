"""GitLab: what proves a delivery, and what its events mean."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from receivers.events import Event, Ignored, Malformed, PullRequestClosed, Push, Pushed, Unauthenticated
from receivers.providers.gitlab import GITLAB
from receivers.wire.authentication import standard_webhooks
from tests.providers.deliveries import deliver
from tests.providers.proofs import receiver, request
from tests.providers.tellings import NOW

SECRET, BODY = b"the-secret", b'{"object_kind": "push"}'
BEFORE, AFTER, ZEROS = "a1" * 20, "b2" * 20, "0" * 40
HTTPS, SSH = "https://gitlab.example.com/team/app.git", "git@gitlab.example.com:team/app.git"


def told(event: str, document: object, **headers: str) -> Event:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    (found,) = deliver("gitlab", json.dumps(document).encode(), {"x-gitlab-event": event, **named})
    return found


def pushed(event: str = "Push Hook", **members: Any) -> Pushed:  # noqa: ANN401 - any JSON
    found = told(event, {"ref": "refs/heads/main", "before": BEFORE, "after": AFTER, **members})
    assert isinstance(found, Pushed)
    return found


def signed(secret: bytes = SECRET, body: bytes = BODY) -> dict[str, str]:
    proof = standard_webhooks().prove(body, receiver(), secret)
    return {name.replace("-", "_"): value for name, value in proof.items()}


def proves(option: str = "", secrets: tuple[bytes, ...] = (SECRET,), **headers: str) -> bool:
    """Whether a request that arrives now proves its sender."""
    arrived = replace(request(BODY, **headers), received_at=datetime.now(UTC))
    try:
        GITLAB.authentication.authenticate(arrived, receiver(**({"authentication": option} if option else {})), secrets)
    except Unauthenticated:
        return False
    return True


def test_the_token_proves_it_and_so_does_a_signature() -> None:
    assert proves(x_gitlab_token=SECRET.decode())
    assert proves(secrets=(b"now", SECRET), x_gitlab_token=SECRET.decode())
    assert proves("", (SECRET,), **signed())
    assert proves("token", x_gitlab_token=SECRET.decode())


def test_where_a_signature_is_asked_for_the_token_is_none() -> None:
    assert proves("signature", (SECRET,), **signed())
    assert not proves("signature", x_gitlab_token=SECRET.decode())


@pytest.mark.parametrize("secrets", [(SECRET,), (b"",), ()])
def test_nothing_else_proves_it(secrets: tuple[bytes, ...]) -> None:
    assert not proves(secrets=secrets)
    assert not proves(secrets=secrets, x_gitlab_token="")
    assert not proves(secrets=secrets, x_gitlab_token="another")
    assert not proves("", secrets, **signed(b"another"))
    assert not proves("", secrets, **signed(body=b"{}"))


def test_a_refusal_says_no_word_as_kargo_s_does() -> None:
    with pytest.raises(Unauthenticated) as refusal:
        GITLAB.authentication.authenticate(request(BODY, x_gitlab_token="another"), receiver(), (SECRET,))
    assert refusal.value.message is None


def test_what_we_send_is_proven_by_the_token() -> None:
    assert GITLAB.authentication.prove(BODY, receiver(), SECRET) == {"x-gitlab-token": SECRET.decode()}


def commits(count: int) -> list[dict[str, list[str]]]:
    return [{"added": [f"file-{number}"]} for number in range(count)]


def test_the_files_of_all_commits_count() -> None:
    assert pushed(commits=commits(2), total_commits_count=2).changed_files == frozenset({"file-0", "file-1"})


@pytest.mark.parametrize(
    "odd",
    [
        {"total_commits_count": 3},
        {"total_commits_count": 0},
        {"before": ZEROS},
        {"after": ZEROS},
        {"commits": [None], "total_commits_count": 0},
        {"commits": None, "total_commits_count": 0},
    ],
)
def test_what_does_not_tell_which_files_changed_filters_nothing(odd: dict[str, Any]) -> None:
    assert pushed(**{"commits": commits(2), "total_commits_count": 2, **odd}).changed_files is None


def test_a_tag_is_filtered_by_no_files() -> None:
    assert pushed("Tag Push Hook", commits=commits(1), total_commits_count=1).changed_files is None


@pytest.mark.parametrize("described", ["repository", "project"])
def test_either_description_of_the_project_will_do(described: str) -> None:
    event = pushed("Push Hook", **{described: {"git_http_url": HTTPS, "git_ssh_url": SSH}})
    assert event.repository_urls == (HTTPS, SSH)
    assert event.registry == "gitlab.example.com"


def test_people_see_where_it_was() -> None:
    both = {"git_http_url": HTTPS, "git_ssh_url": SSH}
    event = pushed(repository=both, project={**both, "path_with_namespace": "Team/App", "default_branch": "trunk"})
    assert (event.registry, event.repository, event.tag) == ("gitlab.example.com", "Team/App", "main")
    assert (event.default_branch, event.digest) == ("trunk", AFTER)
    assert pushed(repository=both).repository == "team/app"


def test_a_delivery_is_known_by_what_stays_when_it_is_posted_again() -> None:
    document = {"ref": "refs/heads/main"}
    for headers in ({"idempotency_key": "7"}, {"webhook_id": "7"}, {"idempotency_key": "7", "webhook_id": "8"}):
        event = told("Push Hook", document, x_gitlab_event_uuid="9", **headers)
        assert isinstance(event, Pushed)
        assert event.sender_event_id == "7"
    event = told("Push Hook", document, x_gitlab_event_uuid="9")
    assert isinstance(event, Pushed)
    assert event.sender_event_id == ""


@pytest.mark.parametrize("action", ["merge", "close"])
def test_a_closed_merge_request_is_its_url_as_it_is_written(action: str) -> None:
    url = "https://GitLab.example.com/Team/app/-/merge_requests/7"
    event = told("Merge Request Hook", {"object_attributes": {"action": action, "url": url}}, idempotency_key="7")
    assert event == PullRequestClosed(url=url, sender_event_id="7")


@pytest.mark.parametrize("action", ["open", "approved", "update", "", "Merge"])
def test_a_merge_request_that_is_not_closed_is_ignored(action: str) -> None:
    assert isinstance(told("Merge Request Hook", {"object_attributes": {"action": action}}), Ignored)


def test_a_system_hook_says_in_its_body_what_happened() -> None:
    assert isinstance(told("System Hook", {"object_kind": "push", "ref": "refs/heads/main"}), Pushed)


@pytest.mark.parametrize("event", ["push hook", "Pipeline Hook", "push", ""])
def test_other_events_are_ignored(event: str) -> None:
    assert isinstance(told(event, {"object_kind": "push"}), Ignored)


@pytest.mark.parametrize("event", ["Push Hook", "Pipeline Hook", ""])
def test_a_body_that_is_no_object_is_malformed(event: str) -> None:
    with pytest.raises(Malformed):
        deliver("gitlab", b"[]", {"x-gitlab-event": event})


@pytest.mark.parametrize("ref", ["refs/heads/x", "refs/tags/v1"])
def test_the_example_is_of_a_branch_or_of_a_tag(ref: str) -> None:
    push = Push(repository="https://gitlab.com/team/app", ref=ref, digest=AFTER, changed_files=("a", "b"))
    example = GITLAB.example(push, NOW)
    (event,) = deliver("gitlab", example.body, example.headers)
    assert isinstance(event, Pushed)
    assert (event.qualifiers, event.digest) == ((ref,), AFTER)
    assert event.changed_files == (frozenset({"a", "b"}) if ref == "refs/heads/x" else None)
    assert event.repository_urls == ("https://gitlab.com/team/app.git", "git@gitlab.com:team/app.git")


def test_an_example_without_a_ref_is_a_push_to_main() -> None:
    example = GITLAB.example(Push(repository=GITLAB.home.repository), NOW)
    (event,) = deliver("gitlab", example.body, example.headers)
    assert isinstance(event, Pushed)
    assert event.qualifiers == ("refs/heads/main",)


def test_a_system_hook_may_name_its_event_only_in_the_older_way() -> None:
    assert pushed("System Hook", event_name="push", project={"git_http_url": HTTPS}).qualifiers == ("refs/heads/main",)
    assert told("System Hook", {"event_name": "project_create"}) == Ignored("event project_create is not supported")
    assert told("System Hook", {}) == Ignored("event System Hook is not supported")


def test_the_example_of_a_merged_request_is_one() -> None:
    assert GITLAB.pull_request is not None
    example = GITLAB.pull_request(f"{HTTPS}/-/merge_requests/7", NOW)
    (event,) = deliver("gitlab", example.body, dict(example.headers))
    assert isinstance(event, PullRequestClosed)
    assert event.url == f"{HTTPS}/-/merge_requests/7"
