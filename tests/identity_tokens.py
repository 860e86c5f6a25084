"""An issuer of identity tokens for tests: its keys, its tokens, and the place where it publishes the keys."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import cache
from typing import Any

import jwt
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

from receivers.wire.identity_tokens import IdentityTokens

ISSUER, AUDIENCE, EMAIL = "https://accounts.google.com", "https://hooks.example.com", "push@project.example.com"
OPTIONS = {"authentication": "identity-token", "audience": AUDIENCE, "email": EMAIL}


@cache
def private_key(kid: str) -> rsa.RSAPrivateKey:
    """The same key for the same id; that of "weak" is too short."""
    return rsa.generate_private_key(public_exponent=65537, key_size=1024 if kid == "weak" else 2048)


def published(kid: str) -> dict[str, Any]:
    """A key as its issuer publishes it."""
    public = RSAAlgorithm.to_jwk(private_key(kid).public_key(), as_dict=True)
    return {**public, "kid": kid, "use": "sig", "alg": "RS256"}


def key_set(*kids: str) -> bytes:
    """The document with these keys."""
    return json.dumps({"keys": [published(kid) for kid in kids]}).encode()


def claims(now: float, **changed: object) -> dict[str, Any]:
    """What a good token claims; None leaves one out."""
    good = {"iss": ISSUER, "aud": AUDIENCE, "email": EMAIL, "email_verified": True, "iat": now, "exp": now + 3600}
    return {name: value for name, value in {**good, "sub": "1", **changed}.items() if value is not None}


def token(
    claimed: Mapping[str, Any], *, kid: str = "one", signed_by: str = "", header: Mapping[str, object] | None = None
) -> str:
    """A token that says which key it is signed with, and may be wrong."""
    payload = json.dumps(claimed).encode()
    key = private_key(signed_by or kid)
    return jwt.PyJWS().encode(payload, key, algorithm="RS256", headers={"kid": kid, "typ": "JWT", **(header or {})})


class Place:
    """Where keys are published, and how that goes wrong. While it hangs it answers nothing."""

    def __init__(self) -> None:
        self.url = ""
        self.status, self.document = 200, key_set("one")
        self.headers: dict[str, str] = {}
        self.asked = 0
        self.answering = asyncio.Event()
        self.answering.set()

    @property
    def tokens(self) -> IdentityTokens:
        """Tokens whose keys are here."""
        return IdentityTokens(issuers=frozenset({ISSUER}), keys=self.url)

    async def _answer(self, _request: web.Request) -> web.Response:
        self.asked += 1
        await self.answering.wait()
        return web.Response(status=self.status, body=self.document, headers=self.headers)


@asynccontextmanager
async def publishing() -> AsyncIterator[Place]:
    """A place on loopback."""
    place, application = Place(), web.Application()
    application.router.add_get("/certs", place._answer)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    place.url = f"http://{host}:{port}/certs"
    yield place
    place.answering.set()
    await runner.cleanup()
