"""JFrog Artifactory: where something was pushed to, and its two proofs."""

import hashlib
import hmac
import json

import pytest

from receivers.events import Event, Malformed, Pushed, Unauthenticated
from receivers.providers.artifactory import ARTIFACTORY
from tests.providers.deliveries import deliver
from tests.providers.proofs import receiver, request

BODY, SECRET = b'{"domain": "docker"}', b"a-secret-token"


def received(origin: object = "https://art.example.com/artifactory", **data: object) -> list[Event]:
    document = {"domain": "docker", "event_type": "pushed", "jpd_origin": origin, "data": {"repo_key": "key"} | data}
    return deliver("artifactory", json.dumps(document).encode())


@pytest.mark.parametrize(
    ("path", "repository"),
    [("app/1/manifest.json", "key/app"), ("a/b/c/1/list.manifest.json", "key/a/b/c"), ("1/manifest.json", "key")],
)
def test_the_last_two_parts_of_a_path_are_the_tag_and_a_file(path: str, repository: str) -> None:
    (event,) = received(path=path, tag="1")
    assert isinstance(event, Pushed)
    assert event.repository_urls == (f"art.example.com/{repository}",)


@pytest.mark.parametrize("path", ["", "manifest.json"])
def test_a_path_without_a_tag_is_malformed_as_in_kargo(path: str) -> None:
    with pytest.raises(Malformed) as refusal:
        received(path=path)
    assert refusal.value.message == f'invalid value "{path}" in payload\'s data.path field'


@pytest.mark.parametrize("origin", ["https://a b/", "https://h:port/", "%zz", ":", "https://h\n/"])
def test_an_origin_that_is_no_url_is_malformed_as_in_kargo(origin: str) -> None:
    with pytest.raises(Malformed, match="jpd_origin"):
        received(origin, path="a/1/m")


def test_without_a_tag_a_push_concerns_every_subscriber_unless_it_is_by_digest() -> None:
    (event,) = received(path="app/1/manifest.json")
    assert isinstance(event, Pushed)
    assert event.qualifiers == ()
    (by_digest,) = received(path="app/sha256:0f/manifest.json")
    assert not isinstance(by_digest, Pushed)


def signature(secret: bytes = SECRET, body: bytes = BODY) -> str:
    return hmac.new(secret, body, hashlib.sha256).hexdigest()


def test_a_delivery_is_signed_unless_the_receiver_says_otherwise() -> None:
    ARTIFACTORY.authentication.authenticate(request(BODY, x_jfrog_event_auth=signature()), receiver(), (SECRET,))
    plain = request(BODY, x_jfrog_event_auth=SECRET.decode())
    ARTIFACTORY.authentication.authenticate(plain, receiver(authentication="secret"), (SECRET,))
    with pytest.raises(Unauthenticated, match="unauthorized"):
        ARTIFACTORY.authentication.authenticate(plain, receiver(), (SECRET,))


@pytest.mark.parametrize(
    "claimed", [signature().upper(), f"sha256={signature()}", signature(b"x"), signature(body=b"")]
)
def test_a_signature_is_bare_lower_case_hex(claimed: str) -> None:
    with pytest.raises(Unauthenticated, match="unauthorized"):
        ARTIFACTORY.authentication.authenticate(request(BODY, x_jfrog_event_auth=claimed), receiver(), (SECRET,))


def test_no_signature_is_told_so() -> None:
    with pytest.raises(Unauthenticated, match="missing signature"):
        ARTIFACTORY.authentication.authenticate(request(BODY), receiver(), (SECRET,))
