"""Amazon ECR by EventBridge: as it is, and transformed."""

import json
from typing import Any

import pytest

from receivers.events import Event, Ignored, Push, Pushed
from receivers.providers.ecr import ECR
from tests.providers.deliveries import deliver
from tests.providers.tellings import NOW

HOST = "111122223333.dkr.ecr.eu-west-1.amazonaws.com"
DETAIL = {"repository-name": "team/app", "image-tag": "1.2.3", "image-digest": "sha256:5"}
PUSH = {"action-type": "PUSH", "result": "SUCCESS"}


def told(kind: str = "ECR Image Action", options: dict[str, str] | None = None, **members: Any) -> Event:  # noqa: ANN401
    document = {"id": "7", "detail-type": kind, "account": "111122223333", "region": "eu-west-1", **members}
    (event,) = deliver("ecr", json.dumps(document).encode(), options=options)
    return event


@pytest.mark.parametrize(
    ("kind", "became"),
    [
        ("ECR Image Action", PUSH),
        ("ECR Replication Action", {"action-type": "REPLICATE", "result": "SUCCESS"}),
        ("ECR Pull Through Cache Action", {"sync-status": "SUCCESS"}),
    ],
)
def test_a_push_a_copy_and_what_a_cache_fetched_are_pushes(kind: str, became: dict[str, str]) -> None:
    event = told(kind, detail=DETAIL | became)
    assert isinstance(event, Pushed)
    assert event.repository_urls == (f"{HOST}/team/app",)
    assert (event.qualifiers, event.digest, event.sender_event_id) == (("1.2.3",), "sha256:5", "7")


@pytest.mark.parametrize(
    ("kind", "became"),
    [
        ("ECR Image Action", {"action-type": "DELETE", "result": "SUCCESS"}),
        ("ECR Image Action", {"action-type": "UPDATE_STORAGE_CLASS", "result": "SUCCESS"}),
        ("ECR Image Action", {"action-type": "PUSH", "result": "FAILURE"}),
        ("ECR Replication Action", {"action-type": "REPLICATE", "result": "FAILED"}),
        ("ECR Pull Through Cache Action", {"sync-status": "FAILURE"}),
        ("ECR Image Scan", {}),
        ("", {}),
    ],
)
def test_what_brought_no_image_is_ignored(kind: str, became: dict[str, str]) -> None:
    assert isinstance(told(kind, detail=DETAIL | became), Ignored)


@pytest.mark.parametrize(
    ("members", "options", "host"),
    [
        ({"region": "cn-north-1"}, {}, "111122223333.dkr.ecr.cn-north-1.amazonaws.com.cn"),
        ({}, {"registry": "ecr.example.com"}, "ecr.example.com"),
        ({"account": ""}, {"registry": "ecr.example.com"}, "ecr.example.com"),
    ],
)
def test_the_registry_is_that_of_account_and_region_or_the_receiver_s(
    members: dict[str, str], options: dict[str, str], host: str
) -> None:
    event = told(detail=DETAIL | PUSH, options=options, **members)
    assert isinstance(event, Pushed)
    assert event.repository_urls == (f"{host}/team/app",)


@pytest.mark.parametrize("members", [{"account": None}, {"region": ""}])
def test_without_account_or_region_there_is_no_registry(members: dict[str, Any]) -> None:
    assert told(detail=DETAIL | PUSH, **members) == Ignored("the event names no repository")


def test_a_part_of_an_index_is_pushed_by_digest() -> None:
    event = told(detail=PUSH | {"repository-name": "team/app", "image-digest": "sha256:5"})
    assert isinstance(event, Ignored)
    assert "pushed by digest alone" in event.reason


@pytest.mark.parametrize("account", [{"registryId": "111122223333"}, {}])
def test_a_transformed_event_tells_the_same(account: dict[str, str]) -> None:
    data = {"repositoryName": "team/app", "imageTag": "1.2.3", "imageDigest": "sha256:5"} | account
    event = told("", type="com.amazon.ecr.image.push", data=data)
    assert isinstance(event, Pushed)
    assert event.repository_urls == (f"{HOST}/team/app",)


def test_an_example_without_a_tag_has_no_member_for_it() -> None:
    example = ECR.example(Push(repository="registry.example.com/team/app", digest="sha256:5"), NOW)
    assert "image-tag" not in json.loads(example.body)["detail"]
