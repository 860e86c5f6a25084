"""HTTP's basic authentication: the password proves, and nothing else does. And what one receiver of several demands."""

import base64

import pytest

from receivers.events import Unauthenticated
from receivers.wire.authentication import by_basic, by_header, by_url, chosen
from tests.providers.proofs import receiver, request

SECRET, PREVIOUS, BODY = b"the-present-secret", b"the-previous-secret", b'{"a": 1}'
PLAIN = by_header("X-Proof", missing="missing proof")
BASIC = by_basic()


def refusal(claimed: str, secrets: tuple[bytes, ...] = (SECRET,)) -> str | None:
    with pytest.raises(Unauthenticated) as refused:
        BASIC.authenticate(request(BODY, authorization=claimed), receiver(), secrets)
    return refused.value.message


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
    assert refusal(claimed) == "unauthorized"


@pytest.mark.parametrize("secret", [SECRET, PREVIOUS])
def test_what_it_proves_it_verifies(secret: bytes) -> None:
    assert BASIC.needs_secret(receiver())
    headers = BASIC.prove(BODY, receiver(), secret)
    BASIC.authenticate(request(BODY, **headers), receiver(), (SECRET, PREVIOUS))


def test_without_credentials_and_without_a_secret_nobody_is_let_in() -> None:
    assert refusal("") == "missing authorization"
    for secrets in ((), (b"",)):
        assert refusal(credentials(b"kargo:"), secrets) == "unauthorized"


def test_what_is_demanded_depends_on_the_receiver_and_more_than_the_url_where_its_option_makes_no_sense() -> None:
    way = chosen("authentication", among={"url": by_url, "plain": PLAIN}, usual="url")
    demands = {option: way.needs_secret(receiver(authentication=option)) for option in ("url", "plain", "", "URL")}
    assert demands == {"url": False, "plain": True, "": True, "URL": True}
    assert not way.needs_secret(receiver())
