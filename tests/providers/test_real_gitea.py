"""What a real Gitea posts is proven, and means what was done: signed JSON, and signed forms."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from receivers.events import Event, Ignored, Kind, PullRequestClosed, Pushed, Receiver, WebhookRequest
from receivers.providers.gitea import GITEA
from tests.gitea import server
from tests.gitea.server import TEAM, Gitea, Listener

SECRET = b"a secret of tests"
EVENTS = ["push", "create", "delete", "pull_request", "pull_request_sync", "release", "package"]
FORMATS = ("json", "form")
RECEIVER = Receiver(provider="gitea", name="r", project=None, source="")


@dataclass(frozen=True)
class Host:
    """Gitea with a repository, whose organisation has a webhook for each format."""

    gitea: Gitea
    heard: Listener
    clone: Path

    def commit(self, name: str, *arguments: str) -> str:
        """Commit one file and push it; the commit's hash."""
        (self.clone / name).parent.mkdir(exist_ok=True)
        (self.clone / name).write_text(name)
        self.gitea.git("add", ".", folder=self.clone)
        self.gitea.git("commit", "-m", name, folder=self.clone)
        self.gitea.git("push", "origin", *arguments, folder=self.clone)
        return self.gitea.git("rev-parse", "HEAD", folder=self.clone)

    def told(self, wanted: Callable[[Event], bool]) -> list[Event]:
        """The event that was posted in each format, proven."""
        return [self._told(each, wanted) for each in FORMATS]

    def _told(self, posted_as: str, wanted: Callable[[Event], bool]) -> Event:
        def is_wanted(request: WebhookRequest) -> bool:
            return request.path == f"/{posted_as}" and wanted(_meaning(request))

        return _meaning(self.heard.wait_for(is_wanted))


def _meaning(request: WebhookRequest) -> Event:
    (event,) = GITEA.parse(GITEA.authentication.authenticate(request, RECEIVER, (b"before", SECRET)))
    return event


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    where = server.program()
    if where is None:
        pytest.skip(server.HOW_TO_GET_GITEA)
    folder = tmp_path_factory.mktemp("gitea")
    with server.running(folder, where) as gitea, server.listening() as heard:
        gitea.api("POST", "/orgs", {"username": TEAM})
        gitea.api("POST", f"/orgs/{TEAM}/repos", {"name": "app", "auto_init": True, "default_branch": "trunk"})
        for each in FORMATS:
            configuration = {"url": f"{heard.url}/{each}", "content_type": each, "secret": SECRET.decode()}
            hook = {"type": "gitea", "active": True, "events": EVENTS, "config": configuration, "branch_filter": "*"}
            gitea.api("POST", f"/orgs/{TEAM}/hooks", hook)
        yield Host(gitea, heard, gitea.clone(f"{TEAM}/app", folder / "clone"))


def is_push_of(ref: str, commit: str = "") -> Callable[[Event], bool]:
    return lambda event: isinstance(event, Pushed) and event.qualifiers == (ref,) and event.digest == commit


def test_a_push_tells_its_branch_its_files_and_the_default_branch(host: Host) -> None:
    commit = host.commit("charts/values.yaml", "trunk")
    for event in host.told(is_push_of("refs/heads/trunk", commit)):
        assert isinstance(event, Pushed)
        assert event.kinds == (Kind.GIT,)
        assert event.changed_files == frozenset({"charts/values.yaml"})
        assert event.default_branch == "trunk"
        assert f"{host.gitea.url}/{TEAM}/app.git" in event.repository_urls
        assert (event.registry, event.repository) == (f"127.0.0.1:{host.gitea.port}", f"{TEAM}/app")
        assert event.sender_event_id


def test_more_commits_than_are_listed_tell_no_files(host: Host) -> None:
    for number in range(6):
        (host.clone / f"file-{number}").write_text("")
        host.gitea.git("add", ".", folder=host.clone)
        host.gitea.git("commit", "-m", f"{number}", folder=host.clone)
    commit = host.commit("last", "trunk")
    for event in host.told(is_push_of("refs/heads/trunk", commit)):
        assert isinstance(event, Pushed)
        assert event.changed_files is None


def test_a_tag_is_pushed_and_deleted(host: Host) -> None:
    host.gitea.git("tag", "v1.2.3", folder=host.clone)
    host.gitea.git("push", "origin", "v1.2.3", folder=host.clone)
    commit = host.gitea.git("rev-parse", "v1.2.3", folder=host.clone)
    for event in host.told(is_push_of("refs/tags/v1.2.3", commit)):
        assert isinstance(event, Pushed)
        assert event.changed_files is None
    host.gitea.git("push", "origin", ":v1.2.3", folder=host.clone)
    host.told(is_push_of("refs/tags/v1.2.3"))


def test_a_pull_request_is_merged(host: Host) -> None:
    host.gitea.git("checkout", "-b", "promotion", folder=host.clone)
    commit = host.commit("promoted", "promotion")
    for event in host.told(is_push_of("refs/heads/promotion", commit)):
        assert isinstance(event, Pushed)
        assert event.changed_files is None  # of a new branch
    document = {"title": "Promote", "head": "promotion", "base": "trunk"}
    opened = host.gitea.api("POST", f"/repos/{TEAM}/app/pulls", document)
    host.told(lambda event: event == Ignored("the pull request was not closed: opened", f"{TEAM}/app"))
    deadline = time.monotonic() + server.PATIENCE
    while not host.gitea.api("GET", f"/repos/{TEAM}/app/pulls/1")["mergeable"]:
        assert time.monotonic() < deadline, "it cannot be merged"
        time.sleep(0.05)
    host.gitea.api("POST", f"/repos/{TEAM}/app/pulls/1/merge", {"Do": "merge"})
    for event in host.told(lambda event: isinstance(event, PullRequestClosed)):
        assert isinstance(event, PullRequestClosed)
        assert event.url == opened["html_url"]


def test_an_image_is_pushed_to_its_registry(host: Host) -> None:
    host.gitea.push_image(f"{TEAM}/parts/app", "1.2.3")
    for event in host.told(lambda event: isinstance(event, Pushed) and event.qualifiers == ("1.2.3",)):
        assert isinstance(event, Pushed)
        assert event.repository_urls == (f"127.0.0.1:{host.gitea.port}/{TEAM}/parts/app",)
        assert event.kinds == (Kind.IMAGE, Kind.CHART)
