"""How to reach the API server, and as whom.

Four ways: a kubeconfig, a given server with a token, a managed identity of Azure against AKS, and the ServiceAccount of
a pod. The libraries that only one of them needs are imported there and off the event loop: they cost up to half a
second.
"""

import asyncio
import base64
import binascii
import importlib
import logging
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from receivers import limits
from receivers.cluster.tasks import Shared
from receivers.importing import imported
from receivers.settings import Settings

logger = logging.getLogger(__name__)

SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")


class CredentialsError(Exception):
    """No way to the cluster. The text says what is missing and names the setting; it quotes no secret."""


class Authorization(Protocol):
    """Yields the ``Authorization`` header of a request."""

    async def header(self, *, rejected: str | None = None) -> str | None:
        """The header's value; None for a connection that needs none (client certificate, loopback).

        ``rejected`` is a value that the API server has just answered with 401: do not return it again if a newer one
        can be had.
        """

    async def close(self) -> None:
        """Give back what the credential holds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """Where the API server is, how to trust it, and as whom to speak."""

    server: str
    tls: ssl.SSLContext | None  # None: plain HTTP
    authorization: Authorization
    proxy: str | None = None
    tls_server_name: str | None = None


class FixedHeader:
    """The same header always; or none."""

    def __init__(self, value: str | None) -> None:
        self._value = value

    async def header(self, *, rejected: str | None = None) -> str | None:  # noqa: ARG002 - there is no other
        return self._value

    async def close(self) -> None:
        """Nothing is held."""


class RenewedHeader:
    """A header that is fetched again when it grows old or was rejected; one fetch at a time.

    While a header is still good a renewal runs behind the scenes, so that no request waits for it. ``fetch`` returns
    the header and the time (``time.time()``) until which it is good.
    """

    def __init__(self) -> None:
        self._value: str | None = None
        self._renew_at = 0.0
        self._expires_at = 0.0
        self._renewal: Shared[None] | None = None

    async def fetch(self, *, rejected: bool) -> tuple[str | None, float]:
        """Get a header from its source; ``rejected``: past every cache, the present one is refused."""
        raise NotImplementedError

    async def header(self, *, rejected: str | None = None) -> str | None:
        now = time.time()
        is_rejected = rejected is not None and rejected == self._value
        if is_rejected or now >= self._expires_at:
            await self._start_renewal(rejected=is_rejected).result()
        elif now >= self._renew_at:
            self._start_renewal(rejected=False)
        return self._value

    async def close(self) -> None:
        if self._renewal is not None:
            self._renewal.cancel()
            await self._renewal.ended()

    def _start_renewal(self, *, rejected: bool) -> Shared[None]:
        if self._renewal is None or self._renewal.done:
            self._renewal = Shared(self._renew(rejected=rejected))
        return self._renewal

    async def _renew(self, *, rejected: bool) -> None:
        self._renew_at = time.time() + limits.CREDENTIAL_RETRY
        try:
            value, expires_at = await self._fetched(rejected=rejected)
        except CredentialsError as error:
            logger.warning("cannot renew the cluster credential: %s", error)
            raise
        now = time.time()
        self._value = value
        self._expires_at = expires_at
        self._renew_at = now + (expires_at - now) / 2

    async def _fetched(self, *, rejected: bool) -> tuple[str | None, float]:
        try:
            async with asyncio.timeout(limits.CREDENTIAL_TIMEOUT):
                return await self.fetch(rejected=rejected)
        except CredentialsError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever library it came from, and whatever its text quotes
            raise CredentialsError(f"no credential for the cluster: {type(error).__name__}") from None


class TokenFile(RenewedHeader):
    """The token of a ServiceAccount, which the kubelet writes anew before it expires."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path

    async def fetch(self, *, rejected: bool) -> tuple[str | None, float]:  # noqa: ARG002 - the file is no cache
        try:
            token = await asyncio.to_thread(self._path.read_text, encoding="utf-8")
        except OSError:
            raise CredentialsError("the ServiceAccount token of this pod cannot be read") from None
        return f"Bearer {token.strip()}", time.time() + limits.TOKEN_FILE_FRESH


class AzureIdentity(RenewedHeader):
    """A managed identity's token for the API server of AKS."""

    def __init__(self, *, client_id: str, scope: str) -> None:
        super().__init__()
        self._client_id = client_id
        self._scope = scope
        self._credential: Any = None

    async def fetch(self, *, rejected: bool) -> tuple[str | None, float]:
        if rejected:
            await self._close_credential()
        if self._credential is None:
            identity = await imported("azure.identity.aio")
            self._credential = identity.ManagedIdentityCredential(client_id=self._client_id or None)
        token = await self._credential.get_token(self._scope)
        return f"Bearer {token.token}", float(token.expires_on)

    async def close(self) -> None:
        await super().close()
        await self._close_credential()

    async def _close_credential(self) -> None:
        """Let go of the library's credential, and with it of the tokens that it keeps."""
        credential, self._credential = self._credential, None
        if credential is not None:
            await credential.close()


async def connect(settings: Settings, environment: Mapping[str, str]) -> Connection:
    """Find the cluster that the settings mean.

    Without ``CLUSTER_AUTHENTICATION`` the first of these decides: a kubeconfig, a server with a token, a server without
    one (AKS), the pod this runs in, the kubeconfig in the home folder. Raises :class:`CredentialsError`.
    """
    match settings.cluster_authentication or _found(settings, environment):
        case "kubeconfig":
            return await _from_kubeconfig(settings, environment)
        case "token":
            return _to_server(settings, FixedHeader(f"Bearer {settings.cluster_token}"))
        case "azure":
            identity = AzureIdentity(client_id=settings.azure_client_id, scope=settings.cluster_azure_scope)
            return _to_server(settings, identity)
        case "in-cluster":
            return await _in_cluster(environment)
        case _:
            raise CredentialsError(
                "no cluster is configured: set KUBECONFIG, or CLUSTER_SERVER with CLUSTER_TOKEN, "
                "or CLUSTER_SERVER alone for AKS with a managed identity"
            )


def _found(settings: Settings, environment: Mapping[str, str]) -> str:
    if settings.kubeconfig:
        return "kubeconfig"
    if settings.cluster_server:
        return "token" if settings.cluster_token else "azure"
    if environment.get("KUBERNETES_SERVICE_HOST"):
        return "in-cluster"
    return "kubeconfig" if _usual_kubeconfig(environment).is_file() else ""


def _usual_kubeconfig(environment: Mapping[str, str]) -> Path:
    """Where kubectl looks when it is told nothing."""
    return Path(environment.get("HOME", "/")) / ".kube" / "config"


def _to_server(settings: Settings, authorization: Authorization) -> Connection:
    return Connection(
        server=settings.cluster_server,
        tls=_tls(settings.cluster_server, settings.cluster_ca),
        authorization=authorization,
    )


def trusting(*, cafile: str | None = None, cadata: str | None = None) -> ssl.SSLContext:
    """Trust in these authorities, or else in the system's, as kubectl has it: chain and name must be right.

    Since Python 3.13 the default also refuses authorities and certificates without key identifiers, which RFC 5280 asks
    for and Go does not: kubernetes-client/python#2394. Raises SSLError, OSError and ValueError for what is no PEM.
    """
    context = ssl.create_default_context(cafile=cafile, cadata=cadata)
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return context


def _tls(server: str, authority: str) -> ssl.SSLContext | None:
    if not server.startswith("https://"):
        return None
    try:
        return trusting(cadata=_pem(authority) if authority else None)
    except (ssl.SSLError, ValueError):
        raise CredentialsError("CLUSTER_CA: neither a PEM certificate nor base64 of one") from None


def _pem(text: str) -> str:
    if "-----BEGIN" in text:
        return text.replace("\\n", "\n")
    try:
        return base64.b64decode(text, validate=True).decode("ascii")
    except (binascii.Error, UnicodeDecodeError):
        raise ValueError("not base64 of PEM") from None


async def _in_cluster(environment: Mapping[str, str]) -> Connection:
    host, port = environment.get("KUBERNETES_SERVICE_HOST", ""), environment.get("KUBERNETES_SERVICE_PORT", "443")
    if not host:
        raise CredentialsError("CLUSTER_AUTHENTICATION=in-cluster: KUBERNETES_SERVICE_HOST is not set: not a pod")
    try:
        authority = await asyncio.to_thread((SERVICE_ACCOUNT / "ca.crt").read_text, encoding="ascii")
    except OSError:
        raise CredentialsError("the ServiceAccount of this pod has no ca.crt") from None
    server = f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}"
    return Connection(server=server, tls=_tls(server, authority), authorization=TokenFile(SERVICE_ACCOUNT / "token"))


async def _from_kubeconfig(settings: Settings, environment: Mapping[str, str]) -> Connection:
    kubeconfig = await asyncio.to_thread(importlib.import_module, "receivers.cluster.kubeconfig")
    path = settings.kubeconfig or str(_usual_kubeconfig(environment))
    connection: Connection = await kubeconfig.connect(path, context=settings.kubeconfig_context or None)
    return connection
