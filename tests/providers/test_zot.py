"""zot: CloudEvents in both modes."""

import json
from typing import Any

import pytest

from receivers.events import Event, Ignored, Push, Pushed
from receivers.providers.zot import ZOT
from tests.providers.deliveries import deliver
from tests.providers.tellings import NOW

UPDATED = "zotregistry.image.updated"
DATA = {"name": "team/app", "reference": "1.2.3", "digest": f"sha256:{'5' * 64}"}
OPTIONS = {"registry": "zot.example.com"}
HELM = "application/vnd.cncf.helm.config.v1+json"


def told(data: object, kind: str = UPDATED, options: dict[str, str] = OPTIONS) -> Event:
    headers = {"ce-type": kind, "ce-id": "7"} if kind else {}
    (event,) = deliver("zot", json.dumps(data).encode(), headers, options=options)
    return event


def pushed(**members: Any) -> Pushed:  # noqa: ANN401 - any JSON
    event = told(DATA | members)
    assert isinstance(event, Pushed)
    return event


def test_the_registry_is_the_receiver_s() -> None:
    event = pushed()
    assert event.repository_urls == ("zot.example.com/team/app",)
    assert event.sender_event_id == "7"


@pytest.mark.parametrize(
    ("manifest", "media_type"),
    [
        (json.dumps({"config": {"mediaType": HELM}}), HELM),
        ('{"manifests": []}', "a/b"),
        ('{"config": 7}', "a/b"),
        ("no manifest", "a/b"),
        ("", "a/b"),
    ],
)
def test_the_configuration_tells_a_chart_from_an_image(manifest: str, media_type: str) -> None:
    assert pushed(manifest=manifest, mediaType="a/b").media_type == media_type


def test_both_modes_tell_the_same() -> None:
    envelope = {"specversion": "1.0", "id": "7", "type": UPDATED, "source": "zotregistry.dev", "data": DATA}
    assert told(envelope, kind="") == told(DATA)


@pytest.mark.parametrize("kind", ["zotregistry.image.deleted", "zotregistry.repository.created", "x"])
def test_other_events_are_ignored(kind: str) -> None:
    assert told(DATA, kind) == Ignored(f"event {kind} is not supported", "team/app")


@pytest.mark.parametrize("document", [{}, {"data": DATA}, {"type": ""}])
def test_an_event_without_a_type_is_ignored(document: object) -> None:
    event = told(document, kind="")
    assert isinstance(event, Ignored)
    assert event.reason == "the event has no type"


def test_an_event_without_data_names_no_repository() -> None:
    assert told({"type": UPDATED}, kind="") == Ignored("the event names no repository")


def test_a_push_by_digest_is_posted_as_such() -> None:
    example = ZOT.example(Push(repository="zot.example.com/team/app", digest="sha256:5"), NOW)
    assert json.loads(example.body)["reference"] == "sha256:5"
