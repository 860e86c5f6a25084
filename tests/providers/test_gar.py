"""Google Artifact Registry by Pub/Sub, wrapped and unwrapped."""

import base64
import json

import pytest

from receivers.events import Event, Ignored, Malformed, Push, Pushed
from receivers.providers.gar import GAR
from tests.identity_tokens import OPTIONS
from tests.providers.deliveries import deliver
from tests.providers.proofs import receiver
from tests.providers.tellings import NOW

REPOSITORY = "europe-docker.pkg.dev/project/team/app"
DIGEST = f"sha256:{'5' * 64}"
PUSH = {"action": "INSERT", "digest": f"{REPOSITORY}@{DIGEST}", "tag": f"{REPOSITORY}:1.2.3"}


def wrapped(told: object) -> bytes:
    data = base64.b64encode(json.dumps(told).encode()).decode()
    return json.dumps({"message": {"data": data, "messageId": "7"}, "subscription": "s"}).encode()


def read(body: bytes, **headers: str) -> Event:
    (event,) = deliver("gar", body, {name.replace("_", "-"): value for name, value in headers.items()})
    return event


def test_wrapped_and_unwrapped_tell_the_same() -> None:
    event = read(wrapped(PUSH))
    assert isinstance(event, Pushed)
    assert event.repository_urls == (REPOSITORY,)
    assert (event.qualifiers, event.digest, event.sender_event_id) == (("1.2.3",), DIGEST, "7")
    assert read(json.dumps(PUSH).encode(), x_goog_pubsub_message_id="7") == event


def test_a_registry_may_be_one_of_the_older_hosts() -> None:
    event = read(wrapped({"action": "INSERT", "tag": "gcr.io/project/app:1.2.3"}))
    assert isinstance(event, Pushed)
    assert event.repository_urls == ("gcr.io/project/app",)


def test_what_has_no_tag_was_pushed_by_digest() -> None:
    event = read(wrapped({"action": "INSERT", "digest": PUSH["digest"]}))
    assert isinstance(event, Ignored)
    assert event.reason.startswith(f"{REPOSITORY} was pushed by digest alone")


@pytest.mark.parametrize("told", [PUSH | {"action": "DELETE"}, {}, PUSH | {"tag": "odd"}])
def test_all_else_is_ignored(told: object) -> None:
    assert isinstance(read(wrapped(told)), Ignored)


@pytest.mark.parametrize(
    "data", ["no base64", "", base64.b64encode(b"x").decode(), base64.b64encode(b"[]").decode(), "é"]
)
def test_data_that_is_none_is_malformed(data: str) -> None:
    with pytest.raises(Malformed):
        read(json.dumps({"message": {"data": data}}).encode())


def test_an_example_by_digest_names_no_tag() -> None:
    assert "tag" not in json.loads(GAR.example(Push(repository=REPOSITORY, digest=DIGEST), NOW).body)


def test_its_tokens_are_google_s_and_demanded_where_the_receiver_says_so() -> None:
    assert GAR.authentication.keys(receiver("gar", **OPTIONS)) == "https://www.googleapis.com/oauth2/v3/certs"
    assert GAR.authentication.keys(receiver("gar")) == ""
    assert not GAR.needs_secret(receiver("gar", **OPTIONS))


@pytest.mark.parametrize(
    ("options", "faults"),
    [
        ({}, 0),
        (OPTIONS, 0),
        (OPTIONS | {"email": ""}, 1),
        ({"authentication": "identity-token"}, 2),
    ],
)
def test_a_receiver_that_demands_a_token_has_to_say_which(options: dict[str, str], faults: int) -> None:
    assert GAR.faults is not None
    assert len(list(GAR.faults(receiver("gar", **options)))) == faults
