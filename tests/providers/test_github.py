"""GitHub: what proves a delivery, and what its events mean."""

import hashlib
import hmac
import json
from typing import Any

import pytest

from receivers.events import Event, Ignored, Malformed, Ping, PullRequestClosed, Push, Pushed, Unauthenticated
from receivers.providers.github import GITHUB, MOST_COMMITS, MOST_COMMITS_OF_ENTERPRISE
from tests.providers.deliveries import deliver
from tests.providers.proofs import receiver, request
from tests.providers.tellings import NOW

SECRET, BODY = b"the-secret", b'{"zen": "x"}'
BEFORE, AFTER, ZEROS = "a1" * 20, "b2" * 20, "0" * 40
ENTERPRISE = {"x-github-enterprise-version": "3.17.2"}


def signature(algorithm: str, body: bytes = BODY, secret: bytes = SECRET) -> str:
    return f"{algorithm}={hmac.new(secret, body, algorithm).hexdigest()}"


def told(event: str, document: object, **headers: str) -> Event:
    body = json.dumps(document).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    (found,) = deliver("github", body, {"x-github-event": event, "x-github-delivery": "7", **named})
    return found


def pushed(**members: Any) -> Pushed:  # noqa: ANN401 - any JSON
    headers = members.pop("headers", {})
    document = {"ref": "refs/heads/main", "before": BEFORE, "after": AFTER, **members}
    event = told("push", document, **headers)
    assert isinstance(event, Pushed)
    return event


def commits(count: int) -> list[dict[str, list[str]]]:
    return [{"added": [f"file-{number}"]} for number in range(count)]


def package(**members: Any) -> Event:  # noqa: ANN401 - any JSON
    version = {
        "package_url": "ghcr.io/Team/app:1.2.3",
        "container_metadata": {"tag": {"name": "1.2.3", "digest": "sha256:1f"}},
    }
    inner = {"package_type": "CONTAINER", "package_version": version, **members}
    return told("package", {"action": "published", "package": inner})


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
def test_a_signature_of_the_body_proves_it(algorithm: str) -> None:
    proven = request(BODY, x_hub_signature_256=signature(algorithm).upper().replace(algorithm.upper(), algorithm))
    assert GITHUB.authentication.authenticate(proven, receiver(), (b"before", SECRET)).request is proven


def test_a_form_is_signed_as_it_was_posted() -> None:
    form = b"payload=%7B%22zen%22%3A+%22x%22%7D"
    posted = request(
        form, content_type="application/x-www-form-urlencoded", x_hub_signature_256=signature("sha256", form)
    )
    GITHUB.authentication.authenticate(posted, receiver(), (SECRET,))


@pytest.mark.parametrize(
    "headers",
    [
        {"x_hub_signature_256": signature("sha256", b"{}")},
        {"x_hub_signature_256": signature("sha256", secret=b"another")},
        {"x_hub_signature_256": signature("sha1")},
        {"x_hub_signature": signature("sha256")},
        {"x_hub_signature": signature("sha1")},
        {},
    ],
)
def test_nothing_else_proves_it(headers: dict[str, str]) -> None:
    with pytest.raises(Unauthenticated):
        GITHUB.authentication.authenticate(request(BODY, **headers), receiver(), (SECRET,))


def test_sha_1_counts_where_the_receiver_asks_for_it() -> None:
    old = request(BODY, x_hub_signature=signature("sha1"))
    GITHUB.authentication.authenticate(old, receiver(signature="sha1"), (SECRET,))


def test_the_files_of_the_head_commit_count_too() -> None:
    event = pushed(commits=commits(1), head_commit={"modified": ["head"]})
    assert event.changed_files == frozenset({"file-0", "head"})


@pytest.mark.parametrize(
    ("most", "headers"),
    [(MOST_COMMITS, {}), (MOST_COMMITS_OF_ENTERPRISE, ENTERPRISE)],
    ids=["github.com", "enterprise"],
)
def test_a_list_of_commits_that_may_have_been_cut_filters_nothing(most: int, headers: dict[str, str]) -> None:
    whole = pushed(commits=commits(most - 1), headers=headers).changed_files
    assert whole is not None
    assert len(whole) == most - 1
    assert pushed(commits=commits(most), headers=headers).changed_files is None


@pytest.mark.parametrize(
    "odd",
    [
        {"created": True},
        {"before": ZEROS},
        {"forced": True},
        {"deleted": True},
        {"after": ZEROS},
        {"commits": [], "head_commit": None},
        {"commits": [], "head_commit": {"modified": ["head"]}},
        {"commits": [None]},
        {"commits": None},
    ],
)
def test_what_does_not_tell_which_files_changed_filters_nothing(odd: dict[str, Any]) -> None:
    event = pushed(**{"commits": commits(2), **odd})
    assert event.changed_files is None
    assert event.qualifiers == ("refs/heads/main",)


def test_a_deleted_branch_has_no_commit() -> None:
    assert pushed(after=ZEROS, deleted=True).digest == ""


def test_https_and_ssh_subscribers_are_found_and_the_default_branch_is_told() -> None:
    repository = {
        "full_name": "team/app",
        "clone_url": "https://github.example.com/team/app.git",
        "ssh_url": "git@github.example.com:team/app.git",
        "default_branch": "trunk",
    }
    event = pushed(repository=repository)
    assert event.repository_urls == (repository["clone_url"], repository["ssh_url"])
    assert (event.default_branch, event.registry, event.repository) == ("trunk", "github.example.com", "team/app")
    assert event.sender_event_id == "7"


@pytest.mark.parametrize("event", ["push", "pull_request", "package", "registry_package", "ping", "star", ""])
def test_a_body_that_is_no_object_is_malformed(event: str) -> None:
    with pytest.raises(Malformed):
        deliver("github", b"[]", {"x-github-event": event})


def test_null_is_a_push_of_nothing() -> None:
    (event,) = deliver("github", b"null", {"x-github-event": "push"})
    assert event == Pushed(repository_urls=(), kinds=pushed().kinds)


def test_the_event_s_name_is_taken_as_it_is_written() -> None:
    assert told("PUSH", {}) == Ignored("event PUSH is not supported")
    assert told("", {}) == Ignored("the event has no type")


@pytest.mark.parametrize("action", ["opened", "synchronize", "", "Closed"])
def test_a_pull_request_that_is_not_closed_is_ignored(action: str) -> None:
    assert isinstance(told("pull_request", {"action": action, "pull_request": {"html_url": "https://x/7"}}), Ignored)


def test_a_closed_pull_request_is_its_url_as_it_is_written() -> None:
    url = "https://GitHub.com/Team/app/pull/7"
    event = told("pull_request", {"action": "closed", "pull_request": {"html_url": url}})
    assert event == PullRequestClosed(url=url, sender_event_id="7")


@pytest.mark.parametrize(
    "types",
    [
        {"package_type": "CONTAINER"},
        {"package_type": "container"},
        {"package_type": "docker"},
        {"package_type": "", "ecosystem": "Docker"},
    ],
)
def test_containers_are_told_by_either_type(types: dict[str, str]) -> None:
    event = package(**types)
    assert isinstance(event, Pushed)
    assert (event.repository_urls, event.qualifiers) == (("ghcr.io/Team/app",), ("1.2.3",))
    assert (event.registry, event.repository, event.digest) == ("ghcr.io", "Team/app", "sha256:1f")


def test_a_package_without_a_version_says_nothing_that_can_be_refreshed() -> None:
    with pytest.raises(Malformed):
        package(package_version=None)
    assert package(package_version=None, package_type="npm") == Ignored("packages of type npm are not supported")


def manifest(**members: Any) -> Event:  # noqa: ANN401 - any JSON
    metadata = {"tag": {"name": "1"}, "manifest": members}
    return package(package_version={"package_url": "ghcr.io/team/app:1", "container_metadata": metadata})


def test_the_media_type_is_the_configuration_s_or_else_the_manifest_s() -> None:
    chart = manifest(media_type="a-manifest", config={"media_type": "application/vnd.cncf.helm.config.v1+json"})
    assert isinstance(chart, Pushed)
    assert chart.media_type.startswith("application/vnd.cncf.helm")
    index = manifest(media_type="application/vnd.oci.image.index.v1+json", config=None)
    assert isinstance(index, Pushed)
    assert index.media_type.endswith("index.v1+json")


def test_a_moved_tag_is_filtered_by_no_files() -> None:
    assert pushed(ref="refs/tags/v1", commits=commits(2)).changed_files is None


def test_a_container_of_which_neither_tag_nor_digest_is_told_concerns_every_subscriber() -> None:
    event = package(package_version={"package_url": "docker.pkg.github.com/team/app/image:v1"})
    assert isinstance(event, Pushed)
    assert (event.repository_urls, event.qualifiers) == (("docker.pkg.github.com/team/app/image:v1",), ())


def test_the_example_of_commits_tells_their_files() -> None:
    push = Push(repository="https://github.com/team/app", ref="refs/heads/x", digest=AFTER, changed_files=("a", "b"))
    example = GITHUB.example(push, NOW)
    (event,) = deliver("github", example.body, example.headers)
    assert isinstance(event, Pushed)
    assert (event.qualifiers, event.changed_files, event.digest) == (("refs/heads/x",), frozenset({"a", "b"}), AFTER)
    assert event.repository_urls == ("https://github.com/team/app.git", "git@github.com:team/app.git")


def test_an_example_without_a_ref_is_a_push_to_main() -> None:
    example = GITHUB.example(Push(repository=GITHUB.home.repository), NOW)
    (event,) = deliver("github", example.body, example.headers)
    assert isinstance(event, Pushed)
    assert event.qualifiers == ("refs/heads/main",)


def test_a_ping_is_valid_json() -> None:
    assert deliver("github", b"{}", {"x-github-event": "ping"}) == [Ping()]
    with pytest.raises(Malformed):
        deliver("github", b"zen", {"x-github-event": "ping"})


def test_signatures_are_those_of_the_standard_library() -> None:
    body = b'{"a": 1}'
    expected = hmac.new(SECRET, body, hashlib.sha256).hexdigest()
    assert GITHUB.authentication.prove(body, receiver(), SECRET) == {"x-hub-signature-256": f"sha256={expected}"}


def test_files_of_a_commit_that_github_cut_filter_nothing() -> None:
    files = [f"file-{number}" for number in range(3_000)]
    whole, cut = {"added": files[1:]}, {"added": files[:2_000], "modified": files[2_000:]}
    assert pushed(commits=[whole]).changed_files == frozenset(files[1:])
    assert pushed(commits=[whole, cut]).changed_files is None


def test_a_package_whose_url_alone_names_a_tag_is_no_push_by_digest() -> None:
    version = {"version": f"sha256:{'5' * 64}", "package_url": "ghcr.io/team/app:1.2.3", "container_metadata": None}
    package = {"package_type": "CONTAINER", "ecosystem": "CONTAINER", "package_version": version}
    event = told("package", {"action": "published", "package": package})
    assert isinstance(event, Pushed)
    assert event.qualifiers == ()
