"""Which identity tokens prove a sender, and which do not."""

import base64
import hashlib
import hmac
import json
import random
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from receivers.events import Receiver, Unauthenticated, UnknownKey, Unprovable
from receivers.wire.authentication import by_url, chosen
from receivers.wire.identity_tokens import IdentityTokens, by_identity_token, read_keys
from tests.identity_tokens import AUDIENCE, EMAIL, ISSUER, OPTIONS, claims, key_set, private_key, published, token
from tests.providers.proofs import receiver, request

NOW = request(b"").received_at.timestamp()
URL = "https://issuer.example.com/certs"
WAY = by_identity_token(IdentityTokens(issuers=frozenset({ISSUER, "accounts.google.com"}), keys=URL))
CHOSEN = chosen("authentication", among={"url": by_url, "identity-token": WAY}, usual="url")
DEMANDING = receiver(**OPTIONS)


def refusal(authorization: str, to: Receiver = DEMANDING) -> Unauthenticated:
    with pytest.raises(Unauthenticated) as refused:
        CHOSEN.authenticate(request(b"", authorization=authorization), to, (b"secret",), keys=read_keys(key_set("one")))
    text = str(refused.value)
    assert not any(told in text for told in (AUDIENCE, EMAIL, ISSUER, "eyJ"))
    return refused.value


def bearer(**changed: object) -> str:
    return f"Bearer {token(claims(NOW, **changed))}"


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"iss": "accounts.google.com"},
        {"iat": NOW + 60},
        {"exp": NOW - 59},
        {"exp": NOW + 0.5},
        {"sub": ["any", "thing"]},
    ],
)
@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_a_token_of_the_issuer_for_this_receiver_and_account_is_proof(changed: dict[str, object], scheme: str) -> None:
    posted = request(b"x", authorization=bearer(**changed).replace("Bearer", scheme))
    proof = CHOSEN.authenticate(posted, DEMANDING, (), keys=read_keys(key_set("two", "one")))
    assert proof.request is posted


ODD: dict[str, tuple[object, ...]] = {
    "iss": (None, "", "https://accounts.google.com/", "https://evil.example.com", 1, [ISSUER]),
    "aud": (None, "", AUDIENCE + "/", AUDIENCE.upper(), [AUDIENCE], {}, True),
    "email": (None, "", EMAIL.upper(), f"x{EMAIL}", [EMAIL]),
    "email_verified": (None, False, "true", 1),
    "exp": (None, NOW - 60, 0, -1, "9999999999", True, [], float("nan")),
    "iat": (None, NOW + 61, 10**30, "0", False, {}, float("inf")),
}


@pytest.mark.parametrize("changed", [{name: value} for name, values in ODD.items() for value in values], ids=str)
def test_each_claim_is_demanded_as_it_is(changed: dict[str, object]) -> None:
    assert str(refusal(bearer(**changed))) == "unauthorized"


def encoded(part: object) -> str:
    content = part if isinstance(part, bytes) else json.dumps(part).encode()
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


def signed_with_the_public_key(form: PublicFormat, encoding: Encoding, algorithm: str = "HS256") -> str:
    """Whoever takes the algorithm from the token verifies this with what everybody knows."""
    secret = private_key("one").public_key().public_bytes(encoding, form)
    text = f"{encoded({'alg': algorithm, 'kid': 'one'})}.{encoded(claims(NOW))}"
    return f"{text}.{encoded(hmac.new(secret, text.encode(), hashlib.sha256).digest())}"


GOOD = token(claims(NOW))
HEADER, PAYLOAD, SIGNATURE = GOOD.split(".")


@pytest.mark.parametrize(
    "odd",
    [
        f"{encoded({'alg': 'none', 'kid': 'one'})}.{PAYLOAD}.",
        f"{encoded({'alg': 'none', 'kid': 'one'})}.{PAYLOAD}.{SIGNATURE}",
        f"{encoded({'alg': 'None', 'kid': 'one'})}.{PAYLOAD}.x",
        f"{encoded({'kid': 'one'})}.{PAYLOAD}.{SIGNATURE}",
        f"{encoded({'alg': ['RS256'], 'kid': 'one'})}.{PAYLOAD}.{SIGNATURE}",
        f"{encoded({'alg': 'RS512', 'kid': 'one'})}.{PAYLOAD}.{SIGNATURE}",
        f"{encoded({'alg': 'RS256'})}.{PAYLOAD}.{SIGNATURE}",
        f"{encoded({'alg': 'RS256', 'kid': 1})}.{PAYLOAD}.{SIGNATURE}",
        f"{encoded({'alg': 'RS256', 'kid': None})}.{PAYLOAD}.{SIGNATURE}",
        f"{encoded({'alg': 'RS256', 'kid': ['one']})}.{PAYLOAD}.{SIGNATURE}",
        f"{encoded([])}.{PAYLOAD}.{SIGNATURE}",
        f"{encoded(b'{')}.{PAYLOAD}.{SIGNATURE}",
        f"{encoded(b'[' * 4000)}.{PAYLOAD}.{SIGNATURE}",
        f"{encoded(b'9' * 5000)}.{PAYLOAD}.{SIGNATURE}",
        f"{HEADER}.{encoded(claims(NOW, email='x'))}.{SIGNATURE}",
        f"{HEADER}.{PAYLOAD}.{SIGNATURE[:-4]}",
        f"{HEADER}.{PAYLOAD}.{encoded(bytes(256))}",
        f"{HEADER}.{PAYLOAD}.A",
        f"{HEADER}.{PAYLOAD}.",
        f"{HEADER}.{PAYLOAD}",
        f"{GOOD}.{SIGNATURE}",
        f"{GOOD}\n",
        f" {GOOD}",
        f"{GOOD}\u00e9",
        f"\ud800.{PAYLOAD}.{SIGNATURE}",
        token(claims(NOW), signed_by="another"),
        token(claims(NOW), header={"crit": ["x"], "x": 1}),
        token({**claims(NOW), "long": "x" * 10_000}),
        token(claims(NOW), header={"b64": False, "crit": ["b64"]}),
        signed_with_the_public_key(PublicFormat.SubjectPublicKeyInfo, Encoding.PEM),
        signed_with_the_public_key(PublicFormat.PKCS1, Encoding.PEM),
        signed_with_the_public_key(PublicFormat.SubjectPublicKeyInfo, Encoding.DER),
        signed_with_the_public_key(PublicFormat.SubjectPublicKeyInfo, Encoding.PEM, "RS256"),
    ],
)
def test_any_other_token_proves_nothing(odd: str) -> None:
    refused = refusal(f"Bearer {odd}")
    assert (type(refused), str(refused)) == (Unauthenticated, "unauthorized")


@pytest.mark.parametrize("payload", [b"[]", b"\xff", b"", b"{", b"[" * 3000, b'{"iss":' + b"9" * 4500 + b"}"])
def test_a_payload_that_is_no_claims_proves_nothing(payload: bytes) -> None:
    import jwt  # noqa: PLC0415 - for this alone

    made = jwt.PyJWS().encode(payload, private_key("one"), algorithm="RS256", headers={"kid": "one"})
    assert str(refusal(f"Bearer {made}")) == "unauthorized"


@pytest.mark.parametrize("header", [{"jku": "http://127.0.0.1:1/certs"}, {"x5u": "http://127.0.0.1:1/"}, {"jwk": {}}])
def test_what_a_token_says_of_its_key_is_not_looked_at(header: dict[str, object]) -> None:
    own = {**header, "jwk": published("another")}
    assert str(refusal(f"Bearer {token(claims(NOW), signed_by='another', header=own)}")) == "unauthorized"
    right = request(b"", authorization=f"Bearer {token(claims(NOW), header=own)}")
    CHOSEN.authenticate(right, DEMANDING, (), keys=read_keys(key_set("one")))


def test_a_key_that_is_not_known_may_be_a_new_one_and_who_asks_is_told_the_same() -> None:
    refused = refusal(f"Bearer {token(claims(NOW), kid='two')}")
    assert (type(refused), str(refused)) == (UnknownKey, "unauthorized")
    with pytest.raises(UnknownKey):
        CHOSEN.authenticate(request(b"", authorization=f"Bearer {GOOD}"), DEMANDING, (b"secret",))


@pytest.mark.parametrize("authorization", ["Basic eDp4", GOOD, f"Token {GOOD}", "Bearer", "Bearer ", "secret"])
def test_any_other_authorization_proves_nothing(authorization: str) -> None:
    assert str(refusal(authorization)) == "unauthorized"


def test_without_a_token_nothing_is_proven() -> None:
    assert str(refusal("")) == "missing authorization"


@pytest.mark.parametrize("seed", range(20))
def test_garbage_is_unauthenticated_and_nothing_else(seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - it is reproducible
    for _ in range(50):
        garbage = [encoded(chance.randbytes(chance.randrange(40))) for _ in range(chance.randrange(5))]
        text = bytearray(chance.choice((".".join(garbage), GOOD)).encode())
        for _ in range(chance.randrange(1, 4)):
            text[chance.randrange(len(text) or 1) : chance.randrange(len(text) + 1)] = chance.randbytes(3)
        refusal(f"Bearer {text.decode('latin-1')}")
        refusal(chance.randbytes(chance.randrange(1, 60)).decode(chance.choice(("latin-1", "utf-16-le")), "replace"))


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"audience": AUDIENCE}, "the receiver has no email"),
        ({"email": EMAIL, "audience": ""}, "the receiver has no audience"),
        ({}, "the receiver has no audience and no email"),
    ],
)
def test_a_receiver_that_does_not_say_whose_tokens_count_takes_none(options: dict[str, str], told: str) -> None:
    lacking = receiver(authentication="identity-token", **options)
    assert str(refusal(f"Bearer {token(claims(NOW, aud='', email=''))}", lacking)) == told
    assert CHOSEN.keys(lacking) == ""


def test_where_the_keys_are_depends_on_the_receiver_alone() -> None:
    assert CHOSEN.keys(DEMANDING) == URL
    assert CHOSEN.keys(receiver()) == CHOSEN.keys(receiver(**OPTIONS | {"authentication": "odd"})) == ""


def test_no_secret_is_needed_and_none_proves() -> None:
    assert not CHOSEN.needs_secret(DEMANDING)
    assert str(refusal("Bearer secret")) == "unauthorized"


def test_only_the_sender_can_prove_itself() -> None:
    with pytest.raises(Unprovable, match="the sender alone can make"):
        CHOSEN.prove(b"", DEMANDING, b"secret")


def test_a_weak_key_proves_nothing() -> None:
    head = f"{encoded({'alg': 'RS256', 'kid': 'weak'})}.{encoded(claims(NOW))}"
    made = f"{head}.{encoded(private_key('weak').sign(head.encode(), PKCS1v15(), SHA256()))}"
    with pytest.raises(Unauthenticated, match="unauthorized"):
        WAY.authenticate(request(b"", authorization=f"Bearer {made}"), DEMANDING, (), keys=read_keys(key_set("weak")))


def test_the_time_of_arrival_counts() -> None:
    later = replace(request(b"", authorization=bearer()), received_at=request(b"").received_at.replace(hour=2))
    with pytest.raises(Unauthenticated):
        WAY.authenticate(later, DEMANDING, (), keys=read_keys(key_set("one")))


@pytest.mark.parametrize(
    "changed",
    [
        {"kty": "oct", "k": "eDp4"},
        {"kty": "EC"},
        {"kty": None},
        {"use": "enc"},
        {"alg": "HS256"},
        {"alg": "RS512"},
        {"kid": ""},
        {"kid": None},
        {"kid": 1},
        {"kid": ["one"]},
        {"n": None},
        {"n": 1},
        {"n": "\u00e9"},
        {"n": "!"},
        {"n": ""},
        {"e": ""},
        {"e": "AA"},
    ],
    ids=str,
)
def test_keys_of_another_kind_are_passed_over(changed: dict[str, object]) -> None:
    odd = {**published("two"), **changed}
    assert list(read_keys(json.dumps({"keys": [odd, published("one")]}).encode())) == ["one"]


@pytest.mark.parametrize(
    "document", [b"", b"\xff", b"[]", b"{}", b'{"keys": {}}', b'{"keys": []}', b'{"keys": [1]}', b"[" * 60_000]
)
def test_a_document_without_keys_is_none(document: bytes) -> None:
    with pytest.raises(ValueError, match=r"it is no key set|it has no key"):
        read_keys(document)
