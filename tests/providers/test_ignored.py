"""What is ignored and yet is about a repository, which people are told."""

import json

import pytest

from receivers import limits
from receivers.events import Ignored
from receivers.wire.claims import ignored
from tests.providers.deliveries import deliver

REPOSITORY = {"full_name": "team/app"}
DIGEST = "sha256:" + "5f" * 32


@pytest.mark.parametrize(
    ("provider", "event", "document"),
    [
        ("github", {"x-github-event": "star"}, {"action": "created", "repository": REPOSITORY}),
        ("github", {"x-github-event": "pull_request"}, {"action": "opened", "repository": REPOSITORY}),
        ("gitea", {"x-gitea-event": "fork"}, {"repository": REPOSITORY}),
        ("gitea", {"x-gitea-event": "create"}, {"repository": REPOSITORY}),
        ("gitea", {"x-gitea-event": "delete"}, {"repository": REPOSITORY}),
        ("gitlab", {"x-gitlab-event": "Note Hook"}, {"project": {"path_with_namespace": "team/app"}}),
        ("gitlab", {"x-gitlab-event": "Merge Request Hook"}, {"project": {"path_with_namespace": "team/app"}}),
        ("bitbucket", {"x-event-key": "repo:fork"}, {"repository": REPOSITORY}),
        ("acr", {}, {"action": "delete", "target": {"repository": "team/app"}}),
        ("acr", {}, {"action": "push", "target": {"repository": "team/app", "digest": DIGEST}}),
        ("ecr", {}, {"detail-type": "ECR Scan", "detail": {"repository-name": "team/app"}}),
        ("ecr", {}, {"detail-type": "ECR Image Action", "detail": {"repository-name": "team/app"}}),
        ("harbor", {}, {"type": "PULL_ARTIFACT", "event_data": {"repository": {"repo_full_name": "team/app"}}}),
        ("harbor", {}, {"type": "harbor.artifact.pulled", "data": {"repository": {"repo_full_name": "team/app"}}}),
        ("quay", {}, {"docker_url": "team/app"}),
        ("nexus", {}, {"action": "DELETED", "component": {"format": "docker", "name": "team/app"}}),
        ("nexus", {}, {"action": "CREATED", "component": {"format": "npm", "name": "team/app"}}),
        ("gar", {}, {"action": "DELETE", "digest": f"team/app@{DIGEST}"}),
        ("artifactory", {}, {"domain": "docker", "event_type": "deleted", "data": {"repo_key": "team/app"}}),
        (
            "artifactory",
            {},
            {"domain": "docker", "event_type": "pushed", "data": {"repo_key": "team/app", "image_type": "npm"}},
        ),
        (
            "azure",
            {},
            [
                {
                    "eventType": "Microsoft.ContainerRegistry.ImageDeleted",
                    "data": {"target": {"repository": "team/app"}},
                }
            ],
        ),
        ("azure", {}, {"eventType": "build.complete", "resource": {"repository": {"name": "team/app"}}}),
        (
            "azure",
            {},
            {
                "eventType": "git.pullrequest.updated",
                "resource": {"status": "active", "repository": {"name": "team/app"}},
            },
        ),
        (
            "zot",
            {"ce-specversion": "1.0", "ce-id": "1", "ce-type": "zotregistry.image.deleted", "ce-source": "zot"},
            {"name": "team/app"},
        ),
        ("distribution", {}, {"events": [{"action": "pull", "target": {"repository": "team/app"}}]}),
    ],
    ids=str,
)
def test_its_repository_is_told(provider: str, event: dict[str, str], document: object) -> None:
    [told] = deliver(provider, json.dumps(document).encode(), event)
    assert isinstance(told, Ignored)
    assert told.repository == "team/app"


@pytest.mark.parametrize("repository", [None, 7, "team/app", ["full_name"], {}, {"full_name": 7}], ids=str)
@pytest.mark.parametrize(
    ("provider", "event"),
    [
        ("github", {"x-github-event": "star"}),
        ("github", {"x-github-event": "pull_request"}),
        ("bitbucket", {"x-event-key": "repo:fork"}),
    ],
    ids=str,
)
def test_whatever_stands_in_its_place_refuses_nothing(provider: str, event: dict[str, str], repository: object) -> None:
    [told] = deliver(provider, json.dumps({"repository": repository}).encode(), event)
    assert isinstance(told, Ignored)
    assert told.repository == ""


@pytest.mark.parametrize("data", [None, 7, "x", [], {"target": []}, {"target": {"repository": [7]}}, {"target": "x"}])
def test_what_stands_in_an_envelope_may_be_anything(data: object) -> None:
    event = {"eventType": "Microsoft.ContainerRegistry.ImageDeleted", "data": data}
    [told] = deliver("azure", json.dumps([event]).encode())
    assert isinstance(told, Ignored)
    assert told.repository == ""


def test_it_is_short_and_printable() -> None:
    told = ignored("starred", "\x1b[2J" + "x" * 10_000)
    assert len(told.repository) == limits.NAME_SHOWN
    assert told.repository.isprintable()
