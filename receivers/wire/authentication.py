"""How senders prove themselves. Every comparison takes the same time whatever it finds, and no empty secret proves."""

import hmac
from collections.abc import Callable, Mapping

from receivers.events import Authentication, Receiver, Unauthenticated, WebhookRequest

type _Expected = Callable[[bytes, bytes], bytes]  # what a header has to hold, of a body and a secret

_UNAUTHORIZED = "unauthorized"  # Kargo's word


def _anybody(_request: WebhookRequest, _receiver: Receiver, _secrets: tuple[bytes, ...]) -> None:
    pass


def _nothing(_body: bytes, _receiver: Receiver, _secret: bytes) -> Mapping[str, str]:
    return {}


# The URL is the credential, and the sender has nothing else.
by_url = Authentication(verify=_anybody, prove=_nothing, needs_secret=False)


def by_header(header: str, *, missing: str) -> Authentication:
    """A header holds the secret itself, whole. ``missing`` is what a request without it is told."""
    return _by(header, lambda _, secret: secret, missing=missing)


def by_hmac(header: str, *, algorithm: str, prefix: str = "", missing: str) -> Authentication:
    """A header holds the body's HMAC under the secret, in lower-case hex after a prefix."""

    def signature(body: bytes, secret: bytes) -> bytes:
        return f"{prefix}{hmac.new(secret, body, algorithm).hexdigest()}".encode()

    return _by(header, signature, missing=missing)


def chosen(option: str, *, among: Mapping[str, Authentication], usual: str) -> Authentication:
    """One of several ways, as the receiver's option says. Any other value of the option proves nobody."""

    def of(receiver: Receiver) -> Authentication:
        value = receiver.options.get(option, usual)
        if value not in among:
            raise Unauthenticated(f"the receiver's {option} is none of {', '.join(among)}")
        return among[value]

    def verify(request: WebhookRequest, receiver: Receiver, secrets: tuple[bytes, ...]) -> None:
        of(receiver).verify(request, receiver, secrets)

    def prove(body: bytes, receiver: Receiver, secret: bytes) -> Mapping[str, str]:
        return of(receiver).prove(body, receiver, secret)

    return Authentication(verify=verify, prove=prove, needs_secret=any(each.needs_secret for each in among.values()))


def _by(header: str, expected: _Expected, *, missing: str) -> Authentication:
    def verify(request: WebhookRequest, _receiver: Receiver, secrets: tuple[bytes, ...]) -> None:
        claimed = request.header(header).encode(errors="surrogatepass")
        if not claimed:
            raise Unauthenticated(missing)
        proven = False
        for secret in filter(None, secrets):  # all are tried, so that the time tells nothing
            proven |= hmac.compare_digest(claimed, expected(request.body, secret))
        if not proven:
            raise Unauthenticated(_UNAUTHORIZED)

    def prove(body: bytes, _receiver: Receiver, secret: bytes) -> Mapping[str, str]:
        return {header: expected(body, secret).decode(errors="replace")}

    return Authentication(verify=verify, prove=prove, needs_secret=True)
