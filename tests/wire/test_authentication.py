"""What proves a sender, and what does not."""

import base64
import hashlib
import hmac
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from receivers.events import Authentication, Unauthenticated
from receivers.wire.authentication import (
    any_of,
    by_header,
    by_hmac,
    by_hub_signature,
    by_url,
    chosen,
    standard_webhooks,
)
from tests.providers.proofs import receiver, request

SECRET, PREVIOUS, BODY = b"the-present-secret", b"the-previous-secret", b'{"a": 1}'
PLAIN = by_header("X-Proof", missing="missing proof")
SIGNED = by_hmac("X-Proof", algorithm="sha256", prefix="sha256=", missing="missing signature")
HUB = by_hub_signature("X-Proof")
OLD_HUB = by_hub_signature("X-Proof", algorithms=("sha1",))
STANDARD = standard_webhooks()
ANY = any_of(PLAIN, SIGNED)
EITHER = chosen("authentication", among={"signed": SIGNED, "plain": PLAIN}, usual="signed")


def refusal(way: Authentication, secrets: tuple[bytes, ...] = (SECRET,), **headers: str) -> str | None:
    with pytest.raises(Unauthenticated) as refused:
        way.authenticate(request(BODY, **headers), receiver(), secrets)
    return refused.value.message


def signature(secret: bytes = SECRET, body: bytes = BODY) -> str:
    return "sha256=" + hmac.new(secret, body, hashlib.sha256).hexdigest()


def test_by_url_nobody_has_to_prove_more() -> None:
    assert by_url.authenticate(request(BODY), receiver(), ()).request == request(BODY)
    assert by_url.prove(BODY, receiver(), SECRET) == {}
    assert not by_url.needs_secret(receiver())


@pytest.mark.parametrize("way", [PLAIN, SIGNED, HUB, OLD_HUB, ANY, EITHER])
@pytest.mark.parametrize("secret", [SECRET, PREVIOUS])
def test_what_a_way_proves_it_verifies_with_the_present_and_the_previous_secret(
    way: Authentication, secret: bytes
) -> None:
    assert way.needs_secret(receiver())
    headers = {name.lower(): value for name, value in way.prove(BODY, receiver(), secret).items()}
    proof = way.authenticate(request(BODY, **headers), receiver(), (SECRET, PREVIOUS))
    assert proof.receiver == receiver()


@pytest.mark.parametrize("way", [PLAIN, SIGNED, HUB, OLD_HUB, ANY, EITHER])
@pytest.mark.parametrize("secrets", [(), (b"",), (b"", b"")])
@pytest.mark.parametrize("claimed", ["x", signature(b""), "sha256="])
def test_without_a_secret_nothing_proves(way: Authentication, secrets: tuple[bytes, ...], claimed: str) -> None:
    assert refusal(way, secrets, x_proof=claimed) == "unauthorized"


def test_a_header_that_is_missing_or_empty_is_told_so() -> None:
    assert refusal(PLAIN) == refusal(PLAIN, x_proof="") == "missing proof"
    assert refusal(SIGNED) == "missing signature"


@pytest.mark.parametrize(
    "claimed",
    [
        "the-present-secre",
        "the-present-secret ",
        "The-present-secret",
        "Bearer the-present-secret",
        "\ud800",
        "the-present-secr\u00e9t",
    ],
)
def test_a_header_holds_the_secret_whole(claimed: str) -> None:
    assert refusal(PLAIN, x_proof=claimed) == "unauthorized"


@pytest.mark.parametrize(
    "claimed",
    [
        signature(b"another"),
        signature(body=b"another"),
        signature().upper(),
        signature().removeprefix("sha256="),
        signature().replace("sha256=", "sha1="),
        signature() + "0",
        signature()[:-1],
        "sha256=\ud800",
    ],
)
def test_a_signature_is_of_this_body_by_this_secret_as_it_is_written(claimed: str) -> None:
    assert refusal(SIGNED, x_proof=claimed) == "unauthorized"


def test_a_secret_of_any_bytes_signs() -> None:
    secret = bytes(range(256))
    EITHER.authenticate(request(BODY, x_proof=signature(secret)), receiver(), (secret,))
    assert SIGNED.prove(BODY, receiver(), secret) == {"X-Proof": signature(secret)}


def test_the_receiver_s_option_chooses_and_the_other_way_does_not_count() -> None:
    plain, signed = request(BODY, x_proof=SECRET.decode()), request(BODY, x_proof=signature())
    EITHER.authenticate(plain, receiver(authentication="plain"), (SECRET,))
    EITHER.authenticate(signed, receiver(authentication="signed"), (SECRET,))
    for odd, option in ((signed, "plain"), (plain, "signed"), (plain, ""), (signed, "none of them")):
        with pytest.raises(Unauthenticated):
            EITHER.authenticate(odd, receiver(authentication=option), (SECRET,))


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
def test_a_hub_signature_names_its_algorithm_and_may_be_in_any_case(algorithm: str) -> None:
    digest = hmac.new(SECRET, BODY, algorithm).hexdigest()
    for written in (digest, digest.upper()):
        HUB.authenticate(request(BODY, x_proof=f"{algorithm}={written}"), receiver(), (PREVIOUS, SECRET))


@pytest.mark.parametrize(
    "claimed",
    [
        signature(b"another"),
        signature(body=b"another"),
        signature().removeprefix("sha256="),
        signature().replace("sha256=", "SHA256="),
        signature().replace("=", " "),
        signature().replace("sha256=", "sha256= "),
        signature().replace("sha256=", "md5="),
        signature() + "0",
        signature() + "00",
        signature() + "\n",
        signature()[:-2],
        "sha256",
        "sha256=",
        "sha256=zz",
        "sha256=\ud800\ud800",
        "sha256=\u0660\u0661",
        "sha1=" + hmac.new(SECRET, BODY, hashlib.sha1).hexdigest(),
    ],
)
def test_a_hub_signature_is_of_this_body_by_an_algorithm_that_counts(claimed: str) -> None:
    assert refusal(HUB, x_proof=claimed) == "unauthorized"


def test_a_missing_hub_signature_is_told_so() -> None:
    assert refusal(HUB) == refusal(HUB, x_proof="") == "missing signature"


def test_an_older_algorithm_counts_where_it_is_asked_for() -> None:
    OLD_HUB.authenticate(
        request(BODY, x_proof="sha1=" + hmac.new(SECRET, BODY, hashlib.sha1).hexdigest()), receiver(), (SECRET,)
    )
    assert refusal(OLD_HUB, x_proof=signature()) == "unauthorized"


def test_what_is_signed_may_be_another_part_of_the_request() -> None:
    inner = by_hub_signature("X-Proof", signed=lambda asked: asked.body.upper())
    inner.authenticate(request(BODY, x_proof=signature(body=BODY.upper())), receiver(), (SECRET,))
    assert refusal(inner, x_proof=signature()) == "unauthorized"


def test_any_of_several_ways_proves_and_who_fails_is_told_what_the_first_tells() -> None:
    for claimed in (SECRET.decode(), signature()):
        ANY.authenticate(request(BODY, x_proof=claimed), receiver(), (SECRET,))
    assert refusal(ANY) == "missing proof"
    assert refusal(ANY, x_proof="another") == "unauthorized"
    assert ANY.prove(BODY, receiver(), SECRET) == {"X-Proof": SECRET.decode()}


def test_a_refusal_may_say_nothing() -> None:
    silent = by_header("X-Proof", missing=None, wrong=None)
    assert refusal(silent) is None
    assert refusal(silent, x_proof="another") is None


KEY = b"a key of 24 bytes, or so"
TIME = "1767225600"  # 2026-01-01T00:00:00Z, when requests here arrive


def standard(key: bytes = SECRET, *, identity: str = "msg_1", time: str = TIME, body: bytes = BODY) -> dict[str, str]:
    """What the specification says, by hand."""
    digest = hmac.new(key, f"{identity}.{time}.".encode() + body, hashlib.sha256).digest()
    signed = f"v1,{base64.b64encode(digest).decode()}"
    return {"webhook_id": identity, "webhook_timestamp": time, "webhook_signature": signed}


@pytest.mark.parametrize(
    ("secret", "key"), [(SECRET, SECRET), (b"whsec_" + base64.b64encode(KEY), KEY)], ids=["plain", "whsec"]
)
def test_a_standard_webhook_signs_its_id_its_time_and_its_body(secret: bytes, key: bytes) -> None:
    STANDARD.authenticate(request(BODY, **standard(key)), receiver(), (PREVIOUS, secret))


def test_the_example_of_the_specification_s_own_tests_is_proven() -> None:
    """https://github.com/standard-webhooks/standard-webhooks: the vector that its libraries share."""
    example = request(
        b'{"test": 2432232314}',
        webhook_id="msg_p5jXN8AQM9LWM0D4loKWxJek",
        webhook_timestamp="1614265330",
        webhook_signature="v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    )
    example = replace(example, received_at=datetime.fromtimestamp(1614265330, UTC))
    STANDARD.authenticate(example, receiver(), (b"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",))


@pytest.mark.parametrize("seconds", [-300, 300])
def test_a_time_may_be_five_minutes_away(seconds: int) -> None:
    STANDARD.authenticate(request(BODY, **standard(time=str(int(TIME) + seconds))), receiver(), (SECRET,))


@pytest.mark.parametrize(
    "odd",
    [
        standard(b"another"),
        standard(body=b"another"),
        standard(time=str(int(TIME) - 301)),
        standard(time=str(int(TIME) + 301)),
        standard(time="9" * 500),
        standard(time=f"{TIME}.5"),
        standard(time=f"+{TIME}"),
        standard(time="\u0661" * 10),
        standard() | {"webhook_id": "msg_2"},
        standard(identity=""),
        standard(identity="msg.1"),
        standard() | {"webhook_timestamp": str(int(TIME) + 1)},
        standard() | {"webhook_timestamp": ""},
        standard() | {"webhook_signature": standard()["webhook_signature"].removeprefix("v1,")},
        standard() | {"webhook_signature": standard()["webhook_signature"].replace("v1,", "v1a,")},
        standard() | {"webhook_signature": "v1,\ud800 v1,=== v1, v1"},
        standard() | {"webhook_id": "\ud800"},
    ],
)
def test_any_other_standard_webhook_proves_nothing(odd: dict[str, str]) -> None:
    assert refusal(STANDARD, (SECRET,), **odd) == "unauthorized"


def test_one_of_several_signatures_is_enough_and_a_flood_of_them_is_not_looked_at() -> None:
    right, wrong = standard()["webhook_signature"], standard(b"another")["webhook_signature"]
    rotating = standard() | {"webhook_signature": f"{wrong} v2,x {right}"}
    STANDARD.authenticate(request(BODY, **rotating), receiver(), (SECRET,))
    flood = standard() | {"webhook_signature": f"{wrong} " * 100 + right}
    assert refusal(STANDARD, (SECRET,), **flood) == "unauthorized"


@pytest.mark.parametrize("secret", [b"", b"whsec_", b"whsec_no base64"])
def test_without_a_key_no_standard_webhook_is_proven(secret: bytes) -> None:
    assert refusal(STANDARD, (secret,), **standard(b"")) == "unauthorized"


def test_a_standard_webhook_without_a_signature_is_told_so() -> None:
    assert refusal(STANDARD, webhook_id="1", webhook_timestamp=TIME) == "missing signature"


def test_what_is_proven_as_a_standard_webhook_is_verified_now() -> None:
    headers = {name.replace("-", "_"): value for name, value in STANDARD.prove(BODY, receiver(), SECRET).items()}
    now = replace(request(BODY, **headers), received_at=datetime.now(UTC))
    STANDARD.authenticate(now, receiver(), (SECRET,))
