"""How senders prove themselves. Every comparison takes the same time whatever it finds, and no empty secret proves."""

import contextlib
import hmac
import re
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from uuid import uuid4

from receivers import limits
from receivers.events import Authentication, Option, PublicKeys, Receiver, Unauthenticated, WebhookRequest

type _Expected = Callable[[bytes, bytes], bytes]  # what a header has to hold, of a body and a secret
type Signed = Callable[[WebhookRequest], bytes]  # the bytes of a request that its sender signs

_UNAUTHORIZED = "unauthorized"  # Kargo's word
_HEX = re.compile("(?:[0-9A-Fa-f]{2})+")
_SECONDS = re.compile("[0-9]{1,12}")
_BASE64_KEY = b"whsec_"


def _anybody(_request: WebhookRequest, _receiver: Receiver, _secrets: tuple[bytes, ...], _keys: PublicKeys) -> None:
    pass


def _nothing(_body: bytes, _receiver: Receiver, _secret: bytes) -> Mapping[str, str]:
    return {}


def _always(_receiver: Receiver) -> bool:
    return True


def _never(_receiver: Receiver) -> bool:
    return False


# The URL is the credential, and the sender has nothing else.
by_url = Authentication(verify=_anybody, prove=_nothing, needs_secret=_never)


def by_header(header: str, *, missing: str | None, wrong: str | None = _UNAUTHORIZED) -> Authentication:
    """A header holds the secret itself, whole. ``missing`` and ``wrong`` are what other requests are told."""
    return _by(header, lambda _, secret: secret, missing=missing, wrong=wrong)


def by_hmac(header: str, *, algorithm: str, prefix: str = "", missing: str) -> Authentication:
    """A header holds the body's HMAC under the secret, in lower-case hex after a prefix."""

    def signature(body: bytes, secret: bytes) -> bytes:
        return f"{prefix}{hmac.new(secret, body, algorithm).hexdigest()}".encode()

    return _by(header, signature, missing=missing)


def by_basic() -> Authentication:
    """HTTP's basic authentication, with the secret as the password; the user name is not looked at.

    https://www.rfc-editor.org/rfc/rfc7617#section-2
    """

    def verify(request: WebhookRequest, _receiver: Receiver, secrets: tuple[bytes, ...], _keys: PublicKeys) -> None:
        claimed = request.header("authorization")
        if not claimed:
            raise Unauthenticated("missing authorization")
        password, proven = _password(claimed), False
        for secret in filter(None, secrets):  # all are tried, so that the time tells nothing
            proven |= hmac.compare_digest(password, secret)
        if not proven:
            raise Unauthenticated(_UNAUTHORIZED)

    def prove(_body: bytes, _receiver: Receiver, secret: bytes) -> Mapping[str, str]:
        return {"authorization": f"Basic {b64encode(b'kargo:' + secret).decode()}"}

    return Authentication(verify=verify, prove=prove, needs_secret=_always)


def _password(claimed: str) -> bytes:
    scheme, _, credentials = claimed.partition(" ")
    try:
        _user, colon, password = b64decode(credentials.strip(" "), validate=True).partition(b":")
    except ValueError:
        raise Unauthenticated(_UNAUTHORIZED) from None
    if scheme.lower() != "basic" or not colon:
        raise Unauthenticated(_UNAUTHORIZED)
    return password


def _body(request: WebhookRequest) -> bytes:
    return request.body


def by_hub_signature(
    header: str, *, algorithms: Sequence[str] = ("sha256", "sha512"), signed: Signed = _body
) -> Authentication:
    """A header names an algorithm and holds the HMAC under the secret in hex of any case: ``sha256=0a1B…``.

    The header decides which of ``algorithms`` it is, as at Kargo's server; the sender we play takes the first.
    WebSub: https://www.w3.org/TR/websub/#signing-content
    """

    def verify(request: WebhookRequest, _receiver: Receiver, secrets: tuple[bytes, ...], _keys: PublicKeys) -> None:
        claimed = request.header(header)
        if not claimed:
            raise Unauthenticated("missing signature")
        algorithm, _, digest = claimed.partition("=")
        if algorithm not in algorithms or not _HEX.fullmatch(digest):
            raise Unauthenticated(_UNAUTHORIZED)
        content, proven = signed(request), False
        for secret in filter(None, secrets):  # all are tried, so that the time tells nothing
            proven |= hmac.compare_digest(bytes.fromhex(digest), hmac.digest(secret, content, algorithm))
        if not proven:
            raise Unauthenticated(_UNAUTHORIZED)

    def prove(body: bytes, _receiver: Receiver, secret: bytes) -> Mapping[str, str]:
        return {header: f"{algorithms[0]}={hmac.digest(secret, body, algorithms[0]).hex()}"}

    return Authentication(verify=verify, prove=prove, needs_secret=_always)


def standard_webhooks() -> Authentication:
    """Three headers hold an id, a time and signatures of both with the body, as the Standard Webhooks say.

    A secret that begins with ``whsec_`` holds the key in base64, any other is the key. A time more than five minutes
    from the arrival proves nothing, nor does an id with a dot, which could end sooner in what is signed:
    https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
    """

    def verify(request: WebhookRequest, _receiver: Receiver, secrets: tuple[bytes, ...], _keys: PublicKeys) -> None:
        identity, time = request.header("webhook-id"), request.header("webhook-timestamp")
        if not request.header("webhook-signature"):
            raise Unauthenticated("missing signature")
        claims = _claims(request.header("webhook-signature"))
        if not claims or not identity or "." in identity or not _is_near(time, request.received_at):
            raise Unauthenticated(_UNAUTHORIZED)
        content, proven = _signed(identity, time, request.body), False
        for key in filter(None, map(_key, secrets)):  # all are tried, so that the time tells nothing
            digest = hmac.digest(key, content, "sha256")
            for claim in claims:
                proven |= hmac.compare_digest(claim, digest)
        if not proven:
            raise Unauthenticated(_UNAUTHORIZED)

    def prove(body: bytes, _receiver: Receiver, secret: bytes) -> Mapping[str, str]:
        identity, time = f"msg_{uuid4().hex}", str(int(datetime.now(UTC).timestamp()))
        digest = hmac.digest(_key(secret), _signed(identity, time, body), "sha256")
        signature = f"v1,{b64encode(digest).decode()}"
        return {"webhook-id": identity, "webhook-timestamp": time, "webhook-signature": signature}

    return Authentication(verify=verify, prove=prove, needs_secret=_always)


def any_of(first: Authentication, *others: Authentication) -> Authentication:
    """Each of several ways proves a sender; what else comes is told what the first way tells. We take the first.

    It is not for ways that take published keys: none are fetched for them, and so they prove nothing.
    """

    def verify(request: WebhookRequest, receiver: Receiver, secrets: tuple[bytes, ...], keys: PublicKeys) -> None:
        refusals = []
        for way in (first, *others):
            try:
                return way.verify(request, receiver, secrets, keys)
            except Unauthenticated as refusal:
                refusals.append(refusal)
        raise Unauthenticated(refusals[0].message)

    return Authentication(verify=verify, prove=first.prove, needs_secret=first.needs_secret)


def chosen(option: str, *, among: Mapping[str, Authentication], usual: str) -> Authentication:
    """One of several ways, as the receiver's option says. Any other value of the option proves nobody."""

    def of(receiver: Receiver) -> Authentication:
        value = receiver.options.get(option, usual)
        if value not in among:
            raise Unauthenticated(f"the receiver's {option} is none of {', '.join(among)}")
        return among[value]

    def verify(request: WebhookRequest, receiver: Receiver, secrets: tuple[bytes, ...], keys: PublicKeys) -> None:
        of(receiver).verify(request, receiver, secrets, keys)

    def prove(body: bytes, receiver: Receiver, secret: bytes) -> Mapping[str, str]:
        return of(receiver).prove(body, receiver, secret)

    def needs_secret(receiver: Receiver) -> bool:
        way = among.get(receiver.options.get(option, usual))
        return way is None or way.needs_secret(receiver)

    def keys_of(receiver: Receiver) -> str:
        way = among.get(receiver.options.get(option, usual))
        return "" if way is None else way.keys(receiver)

    about = f"How a delivery is proven: {', '.join(among)}; {usual} unless it is given."
    options = {option: Option(about=about, choices=tuple(among))}
    for way in among.values():
        options |= way.options
    return Authentication(verify=verify, prove=prove, needs_secret=needs_secret, keys=keys_of, options=options)


def _by(header: str, expected: _Expected, *, missing: str | None, wrong: str | None = _UNAUTHORIZED) -> Authentication:
    def verify(request: WebhookRequest, _receiver: Receiver, secrets: tuple[bytes, ...], _keys: PublicKeys) -> None:
        claimed = request.header(header).encode(errors="surrogatepass")
        if not claimed:
            raise Unauthenticated(missing)
        proven = False
        for secret in filter(None, secrets):  # all are tried, so that the time tells nothing
            proven |= hmac.compare_digest(claimed, expected(request.body, secret))
        if not proven:
            raise Unauthenticated(wrong)

    def prove(body: bytes, _receiver: Receiver, secret: bytes) -> Mapping[str, str]:
        return {header: expected(body, secret).decode(errors="replace")}

    return Authentication(verify=verify, prove=prove, needs_secret=_always)


def _claims(header: str) -> list[bytes]:
    """The signatures of version 1 in a header, a few at most."""
    found = []
    for claim in header.split(" ")[: limits.SIGNATURES]:
        version, _, signature = claim.partition(",")
        if version == "v1" and signature.isascii():
            with contextlib.suppress(ValueError):
                found.append(b64decode(signature, validate=True))
    return found


def _key(secret: bytes) -> bytes:
    """The key that a secret holds; empty where it holds none."""
    if not secret.startswith(_BASE64_KEY):
        return secret
    try:
        return b64decode(secret.removeprefix(_BASE64_KEY), validate=True)
    except ValueError:
        return b""


def _signed(identity: str, time: str, body: bytes) -> bytes:
    return f"{identity}.{time}.".encode(errors="surrogatepass") + body


def _is_near(time: str, now: datetime) -> bool:
    """Whether a time in whole seconds is one at which what arrives now may have been sent."""
    if not _SECONDS.fullmatch(time):
        return False
    return abs(int(time) - now.timestamp()) <= limits.SIGNATURE_TOLERANCE


# For senders that sign nothing, and can be told an authorization to send.
unsigned = chosen(
    "authentication",
    among={
        "url": by_url,
        "basic": by_basic(),
        "header": by_header("authorization", missing="missing authorization"),
    },
    usual="url",
)
