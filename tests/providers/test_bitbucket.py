"""Bitbucket Cloud and Data Center: what proves a delivery, and what its events mean."""

import hmac
import json

import pytest

from receivers import limits
from receivers.events import Event, Ignored, Malformed, Ping, PullRequestClosed, Push, Pushed, Unauthenticated
from receivers.providers.bitbucket import BITBUCKET
from tests.providers.deliveries import deliver
from tests.providers.proofs import receiver, request
from tests.providers.tellings import NOW

SECRET, BODY = b"the-secret", b'{"test": true}'
ZEROS, COMMIT = "0" * 40, "b2" * 20
PAGE = "https://bitbucket.org/Team/App"


def signature(algorithm: str, body: bytes = BODY, secret: bytes = SECRET) -> str:
    return f"{algorithm}={hmac.new(secret, body, algorithm).hexdigest()}"


def told(event: str, document: object, **headers: str) -> Event:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    (found,) = deliver("bitbucket", json.dumps(document).encode(), {"x-event-key": event, **named})
    return found


def reference(name: str, kind: str = "branch") -> dict[str, object]:
    return {"type": kind, "name": name, "target": {"hash": COMMIT}}


def to_cloud(*changes: object, page: str = PAGE) -> Pushed:
    repository = {"full_name": "team/app", "links": {"html": {"href": page}}}
    event = told("repo:push", {"push": {"changes": changes}, "repository": repository}, x_request_uuid="7")
    assert isinstance(event, Pushed)
    return event


def to_center(*changes: object, clone: object) -> Pushed:
    repository = {"slug": "app", "project": {"key": "TEAM"}, "links": {"clone": clone}}
    event = told("repo:refs_changed", {"changes": changes, "repository": repository}, x_request_id="7")
    assert isinstance(event, Pushed)
    return event


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
def test_a_signature_of_the_body_proves_it(algorithm: str) -> None:
    proven = request(BODY, x_hub_signature=signature(algorithm))
    assert BITBUCKET.authentication.authenticate(proven, receiver(), (b"before", SECRET)).request is proven


@pytest.mark.parametrize(
    "headers",
    [
        {"x_hub_signature": signature("sha256", b"{}")},
        {"x_hub_signature": signature("sha256", secret=b"another")},
        {"x_hub_signature": signature("sha1")},
        {"x_hub_signature_256": signature("sha256")},
        {},
    ],
)
def test_nothing_else_proves_it(headers: dict[str, str]) -> None:
    with pytest.raises(Unauthenticated):
        BITBUCKET.authentication.authenticate(request(BODY, **headers), receiver(), (SECRET,))


def test_sha_1_counts_where_the_receiver_asks_for_it() -> None:
    old = request(BODY, x_hub_signature=signature("sha1"))
    BITBUCKET.authentication.authenticate(old, receiver(signature="sha1"), (SECRET,))


def test_cloud_tells_of_every_branch_and_tag() -> None:
    event = to_cloud(
        {"new": reference("main"), "old": reference("main")},
        {"new": reference("v1", "tag"), "old": None},
        {"new": reference("feature/x", "named_branch")},
        None,
    )
    assert event.qualifiers == ("refs/heads/main", "refs/tags/v1", "refs/heads/feature/x")
    assert (event.changed_files, event.digest, event.sender_event_id) == (None, COMMIT, "7")
    assert (event.registry, event.repository) == ("bitbucket.org", "team/app")


def test_cloud_s_deletions_concern_those_who_subscribe_to_what_was_deleted() -> None:
    event = to_cloud({"new": None, "old": reference("gone")}, {"new": None, "old": reference("v1", "tag")})
    assert event.qualifiers == ("refs/heads/gone", "refs/tags/v1")
    assert event.digest == ""


def test_a_change_of_nothing_names_no_ref() -> None:
    assert to_cloud({"new": None, "old": None}, {"new": {"type": "branch"}}).qualifiers == ()


def test_cloud_s_page_and_the_usual_url_of_ssh_are_the_repository_s() -> None:
    assert to_cloud().repository_urls == (PAGE, "git@bitbucket.org:Team/App.git")
    assert to_cloud(page="").repository_urls == ()


CLONE = [
    {"name": "ssh", "href": "ssh://git@git.example.com:7999/team/app.git"},
    {"name": "http", "href": "https://git.example.com/scm/team/app.git"},
]


def test_data_center_tells_every_clone_url_and_every_ref() -> None:
    event = to_center(
        {"ref": {"id": "refs/heads/gone"}, "toHash": ZEROS},
        {"ref": {"id": "refs/tags/v1"}, "toHash": COMMIT},
        clone=CLONE,
    )
    assert event.repository_urls == tuple(each["href"] for each in CLONE)
    assert event.qualifiers == ("refs/heads/gone", "refs/tags/v1")
    assert (event.digest, event.sender_event_id) == (COMMIT, "7")
    assert (event.registry, event.repository) == ("git.example.com:7999", "TEAM/app")


@pytest.mark.parametrize("clone", [None, [], [None], [{}]])
def test_without_clone_urls_a_push_is_to_nowhere(clone: object) -> None:
    event = to_center({"ref": {"id": "refs/heads/main"}}, clone=clone)
    assert (event.repository_urls, event.registry) == ((), "")


@pytest.mark.parametrize("event", ["pullrequest:fulfilled", "pullrequest:rejected"])
def test_a_closed_pull_request_of_cloud_is_its_page(event: str) -> None:
    url = "https://bitbucket.org/Team/app/pull-requests/7"
    found = told(event, {"pullrequest": {"links": {"html": {"href": url}}}}, x_request_uuid="7")
    assert found == PullRequestClosed(url=url, sender_event_id="7")


@pytest.mark.parametrize("event", ["pr:merged", "pr:declined", "pr:deleted"])
def test_a_closed_pull_request_of_data_center_is_the_first_of_its_pages(event: str) -> None:
    links = {"self": [{"href": "https://git.example.com/7"}, {"href": "https://git.example.com/8"}]}
    assert told(event, {"pullRequest": {"links": links}}) == PullRequestClosed(url="https://git.example.com/7")
    assert isinstance(told(event, {"pullRequest": {"links": {"self": []}}}), Ignored)


def test_data_center_s_test_is_a_ping() -> None:
    assert told("diagnostics:ping", {"test": True}) == Ping()


@pytest.mark.parametrize("event", ["pullrequest:created", "pr:opened", "repo:fork", "REPO:PUSH", ""])
def test_other_events_are_ignored(event: str) -> None:
    assert isinstance(told(event, {}), Ignored)


@pytest.mark.parametrize(
    "event", ["repo:push", "repo:refs_changed", "pullrequest:fulfilled", "pr:merged", "diagnostics:ping", "repo:fork"]
)
def test_a_body_that_is_no_object_is_malformed(event: str) -> None:
    with pytest.raises(Malformed):
        deliver("bitbucket", b"[]", {"x-event-key": event})


@pytest.mark.parametrize("ref", ["refs/heads/feature/x", "refs/tags/v1"])
def test_the_example_is_cloud_s(ref: str) -> None:
    example = BITBUCKET.example(Push(repository="https://bitbucket.org/team/app.git", ref=ref, digest=COMMIT), NOW)
    (event,) = deliver("bitbucket", example.body, example.headers)
    assert isinstance(event, Pushed)
    assert (event.qualifiers, event.digest) == ((ref,), COMMIT)
    assert event.repository_urls == ("https://bitbucket.org/team/app", "git@bitbucket.org:team/app.git")


def test_an_example_without_a_ref_is_a_push_to_main() -> None:
    example = BITBUCKET.example(Push(repository=BITBUCKET.home.repository), NOW)
    (event,) = deliver("bitbucket", example.body, example.headers)
    assert isinstance(event, Pushed)
    assert event.qualifiers == ("refs/heads/main",)


@pytest.mark.parametrize("url", ["https://bitbucket.org/team/app/pull-requests/7", "https://git.example.com/7"])
def test_the_example_of_a_pull_request_is_of_the_bitbucket_that_it_is_at(url: str) -> None:
    write = BITBUCKET.pull_request
    assert write is not None
    example = write(url, NOW)
    (event,) = deliver("bitbucket", example.body, example.headers)
    assert isinstance(event, PullRequestClosed)
    assert event.url == url
    assert ("x-request-uuid" in example.headers) is ("bitbucket.org" in url)


def test_a_repository_with_more_urls_than_any_is_malformed() -> None:
    clone = [
        {"name": "http", "href": f"https://git.example.com/{number}"} for number in range(limits.REPOSITORY_URLS + 1)
    ]
    with pytest.raises(Malformed, match="more than 20 repositories"):
        to_center({"type": "UPDATE", "toHash": COMMIT, "ref": {"id": "refs/heads/main"}}, clone=clone)
