"""Identity tokens: an issuer says, signed with one of the keys that it publishes, who sends a request and to whom.

https://openid.net/specs/openid-connect-core-1_0.html#IDToken. Where the keys are is known beforehand. What a token
itself says of its key is believed in one thing: which one of those it is.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from receivers import limits
from receivers.events import (
    Authentication,
    Option,
    PublicKeys,
    Receiver,
    Unauthenticated,
    UnknownKey,
    Unprovable,
    WebhookRequest,
)

_ALGORITHM = "RS256"
_UNAUTHORIZED = "unauthorized"
_OPTIONS = {  # of a receiver that demands a token; without both nothing proves
    "audience": Option(about="The audience that an identity token has to have."),
    "email": Option(about="The service account that an identity token has to be of."),
}
_TOKEN = re.compile(r"[\w-]+\.[\w-]+\.[\w-]+", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentityTokens:
    """Whose tokens count."""

    issuers: frozenset[str]  # the names that one issuer goes by
    keys: str  # the URL of a JSON Web Key Set


class _Claims(msgspec.Struct):
    """Those that are looked at. A token without one of them, or with another type, claims nothing."""

    iss: str
    aud: str
    email: str
    email_verified: bool
    iat: float
    exp: float


class _Published(msgspec.Struct):
    keys: list[dict[str, Any]]


def by_identity_token(tokens: IdentityTokens) -> Authentication:
    """``Authorization: Bearer`` holds a token of the receiver's ``audience`` and of the service account ``email``.

    No secret is needed to verify one, so ``needs_secret`` says no. That weakens nothing: the URL has to be right as it
    is, and whatever proved the URL (a Secret, what Kargo published, or what was known before), the token is demanded of
    the receiver that was found, whose options come along. Only the sender can make a token, so nothing is proven here.
    """

    def verify(request: WebhookRequest, receiver: Receiver, _secrets: tuple[bytes, ...], keys: PublicKeys) -> None:
        if missing := lacking(receiver):
            raise Unauthenticated(f"the receiver has no {' and no '.join(missing)}")
        claimed = request.header("authorization")
        if not claimed:
            raise Unauthenticated("missing authorization")
        claims = _claims(_token(claimed), keys)
        if not _hold(claims, receiver, tokens.issuers) or not _is_valid_at(claims, request.received_at.timestamp()):
            raise Unauthenticated(_UNAUTHORIZED)

    def keys_of(receiver: Receiver) -> str:
        return "" if lacking(receiver) else tokens.keys

    return Authentication(verify=verify, prove=_unprovable, needs_secret=_never, keys=keys_of, options=_OPTIONS)


def lacking(receiver: Receiver) -> list[str]:
    """The options that a receiver needs to know its tokens by, and has not."""
    return [option for option in _OPTIONS if not receiver.options.get(option)]


def read_keys(document: bytes) -> PublicKeys:
    """The keys of a JSON Web Key Set that can sign a token. Others are passed over; raises ValueError without any.

    It imports the library that verifies signatures, which takes long enough for a thread.
    """
    try:
        published = msgspec.json.decode(document, type=_Published).keys
    except (ValueError, RecursionError):
        raise ValueError("it is no key set") from None
    found = {kid: key for each in published if (kid := each.get("kid")) and (key := _key(each)) is not None}
    if not found:
        raise ValueError("it has no key that can be used")
    return found


def _key(published: Mapping[str, Any]) -> object:
    """What verifies signatures by a published key; None where it is of another kind."""
    import jwt  # noqa: PLC0415 - few receivers take tokens

    if not isinstance(published["kid"], str) or published.get("use", "sig") != "sig":
        return None
    if published.get("alg", _ALGORITHM) != _ALGORITHM or published.get("kty") != "RSA":
        return None
    try:
        return jwt.PyJWK(dict(published), _ALGORITHM)
    except (jwt.PyJWTError, ValueError, TypeError, OverflowError):
        return None


def _token(claimed: str) -> str:
    scheme, _, token = claimed.partition(" ")
    if scheme.lower() != "bearer" or len(token) > limits.IDENTITY_TOKEN or not _TOKEN.fullmatch(token):
        raise Unauthenticated(_UNAUTHORIZED)
    return token


def _claims(token: str, keys: PublicKeys) -> _Claims:
    """What a token claims, once its signature is verified."""
    import jwt  # noqa: PLC0415 - imported with the keys

    try:
        header = jwt.get_unverified_header(token)
        if header.get("alg") != _ALGORITHM or "kid" not in header:
            raise Unauthenticated(_UNAUTHORIZED)
        if header["kid"] not in keys:
            raise UnknownKey(_UNAUTHORIZED)
        payload = jwt.PyJWS(options={"enforce_minimum_key_length": True}).decode(
            token, keys[header["kid"]], algorithms=[_ALGORITHM]
        )
        return msgspec.json.decode(payload, type=_Claims)
    except (jwt.PyJWTError, ValueError, RecursionError):
        raise Unauthenticated(_UNAUTHORIZED) from None


def _hold(claims: _Claims, receiver: Receiver, issuers: frozenset[str]) -> bool:
    """Whether it is a token of the issuer's, for this receiver, of its service account."""
    return (
        claims.iss in issuers
        and claims.aud == receiver.options["audience"]
        and claims.email == receiver.options["email"]
        and claims.email_verified
    )


def _is_valid_at(claims: _Claims, now: float) -> bool:
    """Whether it was made by now and is not out of date, by clocks that differ a little."""
    return claims.iat - limits.IDENTITY_TOKEN_LEEWAY <= now < claims.exp + limits.IDENTITY_TOKEN_LEEWAY


def _never(_receiver: Receiver) -> bool:
    return False


def _unprovable(_body: bytes, _receiver: Receiver, _secret: bytes) -> Mapping[str, str]:
    raise Unprovable("it demands an identity token, which the sender alone can make; let the sender post")
