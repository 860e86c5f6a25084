"""Gitea and Forgejo: what proves a delivery, and what its events mean."""

import hmac
import json
from typing import Any
from urllib.parse import urlencode

import pytest

from receivers.events import Event, Ignored, Kind, Malformed, PullRequestClosed, Push, Pushed, Unauthenticated
from receivers.providers.gitea import GITEA
from tests.providers.deliveries import deliver
from tests.providers.proofs import receiver, request
from tests.providers.tellings import NOW

SECRET, BODY = b"the-secret", '{"ref": "refs/heads/ü & =+"}'.encode()
BEFORE, AFTER, ZEROS = "a1" * 20, "b2" * 20, "0" * 40
FORM = "application/x-www-form-urlencoded"
IMAGE = {"type": "container", "name": "app", "version": "1.2.3", "owner": {"login": "Team"}}
PAGE = "https://git.example.com/Team/-/packages/container/app/1.2.3"


def signature(algorithm: str, body: bytes = BODY, secret: bytes = SECRET) -> str:
    return f"{algorithm}={hmac.new(secret, body, algorithm).hexdigest()}"


def told(event: str, document: object) -> Event:
    (found,) = deliver("gitea", json.dumps(document).encode(), {"x-gitea-event": event, "x-gitea-delivery": "7"})
    return found


def pushed(**members: Any) -> Pushed:  # noqa: ANN401 - any JSON
    event = told("push", {"ref": "refs/heads/main", "before": BEFORE, "after": AFTER, **members})
    assert isinstance(event, Pushed)
    return event


def package(action: str = "created", **members: Any) -> Event:  # noqa: ANN401 - any JSON
    return told("package", {"action": action, "package": {**IMAGE, "html_url": PAGE, **members}})


def commits(count: int) -> list[dict[str, list[str]]]:
    return [{"added": [f"file-{number}"]} for number in range(count)]


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
def test_a_signature_of_the_body_proves_it(algorithm: str) -> None:
    proven = request(BODY, x_hub_signature_256=signature(algorithm))
    assert GITEA.authentication.authenticate(proven, receiver(), (b"before", SECRET)).request is proven


def test_of_a_form_the_json_is_signed_and_nothing_else() -> None:
    form = urlencode({"payload": BODY}).encode()
    posted = request(form, content_type=FORM, x_hub_signature_256=signature("sha256"))
    GITEA.authentication.authenticate(posted, receiver(), (SECRET,))
    for odd in (
        request(form, content_type=FORM, x_hub_signature_256=signature("sha256", form)),
        request(form, x_hub_signature_256=signature("sha256")),
        request(form + b"x", content_type=FORM, x_hub_signature_256=signature("sha256")),
    ):
        with pytest.raises(Unauthenticated):
            GITEA.authentication.authenticate(odd, receiver(), (SECRET,))


@pytest.mark.parametrize(
    "headers",
    [
        {"x_hub_signature_256": signature("sha256", b"{}")},
        {"x_hub_signature_256": signature("sha1")},
        {"x_hub_signature_256": "sha256="},  # what Gitea sends without a secret
        {"x_hub_signature": signature("sha1")},
        {"x_gitea_signature": signature("sha256").partition("=")[2]},
        {"authorization": SECRET.decode()},
        {},
    ],
)
def test_nothing_else_proves_it(headers: dict[str, str]) -> None:
    with pytest.raises(Unauthenticated):
        GITEA.authentication.authenticate(request(BODY, **headers), receiver(), (SECRET,))


def test_the_receiver_can_ask_for_the_header_of_the_hook_or_for_sha_1() -> None:
    header = request(BODY, authorization=SECRET.decode())
    GITEA.authentication.authenticate(header, receiver(authentication="header"), (SECRET,))
    old = request(BODY, x_hub_signature=signature("sha1"))
    GITEA.authentication.authenticate(old, receiver(signature="sha1"), (SECRET,))


def test_forgejo_s_own_headers_do_too() -> None:
    headers = {"x-forgejo-event": "push", "x-forgejo-delivery": "9"}
    (event,) = deliver("gitea", b'{"ref": "refs/heads/main"}', headers)
    assert isinstance(event, Pushed)
    assert event.sender_event_id == "9"


def test_the_files_of_all_commits_count() -> None:
    assert pushed(commits=commits(3), total_commits=3).changed_files == frozenset({"file-0", "file-1", "file-2"})


@pytest.mark.parametrize(
    "odd",
    [
        {"total_commits": 4},
        {"total_commits": None},
        {"before": ZEROS},
        {"after": ZEROS},
        {"commits": [None], "total_commits": 0},
        {"commits": None, "total_commits": 0},
    ],
)
def test_what_does_not_tell_which_files_changed_filters_nothing(odd: dict[str, Any]) -> None:
    assert pushed(**{"commits": commits(3), "total_commits": 3, **odd}).changed_files is None


def test_https_and_ssh_subscribers_are_found_and_the_default_branch_is_told() -> None:
    repository = {
        "full_name": "team/app",
        "clone_url": "https://git.example.com:3000/team/app.git",
        "ssh_url": "ssh://git@git.example.com:2222/team/app.git",
        "default_branch": "trunk",
    }
    event = pushed(repository=repository)
    assert event.repository_urls == (repository["clone_url"], repository["ssh_url"])
    assert (event.default_branch, event.registry, event.repository) == ("trunk", "git.example.com:3000", "team/app")
    assert (event.digest, event.sender_event_id) == (AFTER, "7")


@pytest.mark.parametrize("event", ["push", "pull_request", "package", "create", "delete", "release", ""])
def test_a_body_that_is_no_object_is_malformed(event: str) -> None:
    with pytest.raises(Malformed):
        deliver("gitea", b"[]", {"x-gitea-event": event})


@pytest.mark.parametrize("event", ["create", "delete", "release", "PUSH", ""])
def test_other_events_are_ignored_whatever_github_s_headers_say(event: str) -> None:
    (found,) = deliver("gitea", b"{}", {"x-gitea-event": event, "x-github-event": "push"})
    assert isinstance(found, Ignored)


@pytest.mark.parametrize("action", ["opened", "synchronized", "", "Closed"])
def test_a_pull_request_that_is_not_closed_is_ignored(action: str) -> None:
    assert isinstance(told("pull_request", {"action": action, "pull_request": {"html_url": "https://x/7"}}), Ignored)


def test_a_closed_pull_request_is_its_url_as_it_is_written() -> None:
    event = told("pull_request", {"action": "closed", "pull_request": {"html_url": "https://Git.example.com/pulls/7"}})
    assert event == PullRequestClosed(url="https://Git.example.com/pulls/7", sender_event_id="7")


def test_a_container_is_an_image_or_a_chart_at_the_host_of_its_page() -> None:
    assert package() == Pushed(
        repository_urls=("git.example.com/Team/app",),
        kinds=(Kind.IMAGE, Kind.CHART),
        qualifiers=("1.2.3",),
        registry="git.example.com",
        repository="Team/app",
        tag="1.2.3",
        sender_event_id="7",
    )


def test_a_container_without_a_page_is_nowhere() -> None:
    event = package(html_url="")
    assert isinstance(event, Pushed)
    assert event.repository_urls == ()


def test_a_part_of_an_index_refreshes_nobody() -> None:
    assert package(version="sha256:" + "5f" * 32) == Ignored(
        "Team/app was pushed by digest alone, and subscriptions discover tags", "Team/app"
    )


@pytest.mark.parametrize("below", ["", "/gitea"])
def test_a_classic_chart_is_in_its_owner_s_chart_repository(below: str) -> None:
    event = package(type="helm", html_url=f"https://git.example.com{below}/Team/-/packages/helm/app/1.2.3")
    assert isinstance(event, Pushed)
    assert event.repository_urls == (f"https://git.example.com{below}/api/packages/Team/helm",)
    assert (event.kinds, event.qualifiers) == ((Kind.CHART,), ("1.2.3",))


def test_a_classic_chart_elsewhere_is_nowhere() -> None:
    event = package(type="helm", html_url="https://git.example.com/another/-/packages/helm/app/1.2.3")
    assert isinstance(event, Pushed)
    assert event.repository_urls == ()


def test_other_packages_and_deletions_are_ignored() -> None:
    assert package(type="npm") == Ignored("packages of type npm are not supported")
    assert package("deleted") == Ignored("action deleted is not supported")


def test_the_example_of_commits_tells_their_files() -> None:
    push = Push(repository=GITEA.home.repository, ref="refs/heads/x", digest=AFTER, changed_files=("a", "b"))
    example = GITEA.example(push, NOW)
    (event,) = deliver("gitea", example.body, example.headers)
    assert isinstance(event, Pushed)
    assert (event.qualifiers, event.changed_files, event.digest) == (("refs/heads/x",), frozenset({"a", "b"}), AFTER)
    assert event.repository_urls == ("https://git.example.com/team/app.git", "git@git.example.com:team/app.git")


def test_an_example_without_a_ref_is_a_push_to_main() -> None:
    example = GITEA.example(Push(repository=GITEA.home.repository), NOW)
    (event,) = deliver("gitea", example.body, example.headers)
    assert isinstance(event, Pushed)
    assert event.qualifiers == ("refs/heads/main",)
