"""What proves a sender, and what does not."""

import base64
import hashlib
import hmac

import pytest

from receivers.events import Authentication, Unauthenticated
from receivers.wire.authentication import by_basic, by_header, by_hmac, by_url, chosen
from tests.providers.proofs import receiver, request

SECRET, PREVIOUS, BODY = b"the-present-secret", b"the-previous-secret", b'{"a": 1}'
PLAIN = by_header("X-Proof", missing="missing proof")
SIGNED = by_hmac("X-Proof", algorithm="sha256", prefix="sha256=", missing="missing signature")
BASIC = by_basic()
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


@pytest.mark.parametrize("way", [PLAIN, SIGNED, EITHER, BASIC])
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


def test_what_is_demanded_depends_on_the_receiver_and_more_than_the_url_where_its_option_makes_no_sense() -> None:
    way = chosen("authentication", among={"url": by_url, "plain": PLAIN}, usual="url")
    demands = {option: way.needs_secret(receiver(authentication=option)) for option in ("url", "plain", "", "URL")}
    assert demands == {"url": False, "plain": True, "": True, "URL": True}
    assert not way.needs_secret(receiver())


def credentials(userpass: bytes, scheme: str = "Basic") -> str:
    return f"{scheme} {base64.b64encode(userpass).decode()}"


@pytest.mark.parametrize("user", [b"", b"kargo", b"\xff", "\N{SNOWMAN}".encode()])
@pytest.mark.parametrize("scheme", ["Basic", "basic", "BASIC", "Basic "])
@pytest.mark.parametrize("secret", [SECRET, PREVIOUS])
def test_a_password_is_the_secret_whatever_the_user_s_name(user: bytes, scheme: str, secret: bytes) -> None:
    claimed = credentials(user + b":" + secret, scheme)
    BASIC.authenticate(request(BODY, authorization=claimed), receiver(), (SECRET, PREVIOUS))


def test_a_password_may_hold_colons_and_any_byte() -> None:
    secret = b":a:" + bytes(range(256))
    headers = BASIC.prove(BODY, receiver(), secret)
    BASIC.authenticate(request(BODY, **headers), receiver(), (secret,))


@pytest.mark.parametrize(
    "claimed",
    [
        credentials(b"kargo:another"),
        credentials(b"kargo:" + SECRET + b" "),
        credentials(b"kargo:" + SECRET.upper()),
        credentials(b"kargo:"),
        credentials(SECRET),
        credentials(SECRET + b":kargo"),
        credentials(b"kargo:" + SECRET, "Bearer"),
        credentials(b"kargo:" + SECRET).removeprefix("Basic "),
        credentials(b"a:" + SECRET).rstrip("="),
        credentials(b"kargo:" + SECRET) + "=!",
        "Basic",
        "Basic ",
        "Basic \ud800",
        "Basic \u00e9\u00e9\u00e9\u00e9",
        SECRET.decode(),
    ],
)
def test_other_credentials_are_refused(claimed: str) -> None:
    assert refusal(BASIC, authorization=claimed) == "unauthorized"


def test_without_credentials_and_without_a_secret_nobody_is_let_in() -> None:
    assert refusal(BASIC) == "missing authorization"
    for secrets in ((), (b"",)):
        assert refusal(BASIC, secrets, authorization=credentials(b"kargo:")) == "unauthorized"
