"""Whatever the bytes, a provider gives events or refuses: never another exception, and nothing that cannot be kept."""

import json
from collections.abc import Iterator, Mapping

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from receivers.events import Event, WebhookError
from receivers.providers import PROVIDERS
from tests.providers.deliveries import deliver, sample_body, samples

patient = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
every_sender = pytest.mark.parametrize("name", PROVIDERS)

text = st.text(st.characters(), max_size=20)  # half surrogate pairs, too
scalars = st.none() | st.booleans() | st.integers() | st.floats() | text
any_json = st.recursive(scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(text, inner, max_size=4))

TYPES = ("ImagePushed", "ChartPushed", "ImageDeleted")
words = st.sampled_from(
    [
        *("push", "chart_push", "ping", "delete", "team/app", "1.2.3", "r.azurecr.io", "1.0", "git.push"),
        *(f"Microsoft.ContainerRegistry.{type_}" for type_ in TYPES),
        "Microsoft.EventGrid.SubscriptionValidationEvent",
        *("PUSH_ARTIFACT", "harbor.artifact.pushed", "r.example.com/team/app:1", "docker", "pushed", "oci"),
        *("https://r.example.com/artifactory", "team/app/1/manifest.json", "sha256:0"),
    ]
)
keys = st.sampled_from(
    [
        *("action", "Action", "target", "request", "host", "repository", "tag", "name", "version", "mediaType", "id"),
        *("eventType", "type", "specversion", "topic", "source", "data", "validationCode", "resource"),
        *("docker_url", "updated_tags", "push_data", "repo_name", "media_type"),
        *("event_data", "resources", "resource_url", "repo_full_name", "digest", "domain", "event_type", "jpd_origin"),
        *("repo_key", "path", "image_type", "sha256"),
    ]
)
near_json = st.recursive(
    words | scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=8)
)
header_names = st.sampled_from(["ce-type", "ce-id", "ce-source", "ce-specversion", "webhook-request-origin", "host"])
any_headers = st.dictionaries(header_names, words | text, max_size=4)
methods = st.sampled_from(["POST", "POST", "POST", "OPTIONS", "GET"])


def strings(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        yield from strings([*value.keys(), *value.values()])
    elif isinstance(value, list | tuple | frozenset):
        for item in value:
            yield from strings(item)


def check(name: str, body: bytes, headers: Mapping[str, str] | None = None, method: str = "POST") -> None:
    try:
        events: list[Event] = deliver(name, body, headers, method=method)
    except WebhookError:
        return
    assert events
    for event in events:
        for string in strings(list(msgspec.structs.asdict(event).values())):
            string.encode()


@every_sender
@patient
@given(body=st.binary(), headers=any_headers, method=methods)
def test_any_bytes(name: str, body: bytes, headers: dict[str, str], method: str) -> None:
    check(name, body, headers, method)


@every_sender
@patient
@given(document=any_json, headers=any_headers)
def test_any_json(name: str, document: object, headers: dict[str, str]) -> None:
    check(name, json.dumps(document).encode(), headers)


@every_sender
@patient
@given(document=near_json, headers=any_headers)
def test_any_json_of_the_words_that_senders_use(name: str, document: object, headers: dict[str, str]) -> None:
    check(name, json.dumps(document).encode(), headers)


@every_sender
@patient
@given(data=st.data())
def test_any_sample_with_some_bytes_exchanged(name: str, data: st.DataObject) -> None:
    body = bytearray(sample_body(data.draw(st.sampled_from(samples()))))
    for _ in range(data.draw(st.integers(1, 3))):
        start = data.draw(st.integers(0, len(body)))
        body[start : start + data.draw(st.integers(0, 20))] = data.draw(st.binary(max_size=20))
    check(name, bytes(body))
