"""What proves a sender, and what does not."""

import hashlib
import hmac

import pytest

from receivers.events import Authentication, Unauthenticated
from receivers.wire.authentication import by_header, by_hmac, by_url, chosen
from tests.providers.proofs import receiver, request

SECRET, PREVIOUS, BODY = b"the-present-secret", b"the-previous-secret", b'{"a": 1}'
PLAIN = by_header("X-Proof", missing="missing proof")
SIGNED = by_hmac("X-Proof", algorithm="sha256", prefix="sha256=", missing="missing signature")
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


@pytest.mark.parametrize("way", [PLAIN, SIGNED, EITHER])
@pytest.mark.parametrize("secret", [SECRET, PREVIOUS])
def test_what_a_way_proves_it_verifies_with_the_present_and_the_previous_secret(
    way: Authentication, secret: bytes
) -> None:
    assert way.needs_secret(receiver())
    headers = {name.lower(): value for name, value in way.prove(BODY, receiver(), secret).items()}
    proof = way.authenticate(request(BODY, **headers), receiver(), (SECRET, PREVIOUS))
    assert proof.receiver == receiver()


@pytest.mark.parametrize("way", [PLAIN, SIGNED, EITHER])
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
