"""A kubeconfig, read by the official client: tokens, client certificates, exec plugins, proxies.

Imported only when a kubeconfig is used: the official client imports some 500 modules.
"""

import asyncio
import os
import ssl
import time
from pathlib import Path

from kubernetes.aio.client import Configuration
from kubernetes.aio.config import ConfigException, load_kube_config
from yaml import YAMLError

from receivers import limits, loopback
from receivers.cluster.credentials import Connection, CredentialsError, RenewedHeader, trusting

# What reading raises beside its own error, for files, YAML and structures that are not as they should be. Their texts
# may quote the file.
_UNREADABLE = (YAMLError, OSError, ValueError, KeyError, TypeError, AttributeError)


class KubeconfigUser(RenewedHeader):
    """The user of a context. The file is read anew, and its exec plugin asked again, when the credential grows old."""

    def __init__(self, path: str, context: str | None) -> None:
        super().__init__()
        self.configuration = Configuration()  # as it was read last
        self._path = path
        self._context = context
        self._hops: list[str] = []  # the URLs that the first credential went to: later ones go there too

    async def fetch(self, *, rejected: bool) -> tuple[str | None, float]:  # noqa: ARG002 - nothing is cached here
        configuration = await _load(self._path, self._context)
        self._refuse_clear(configuration)
        self.configuration = configuration
        return self.configuration.api_key.get("BearerToken"), time.time() + limits.KUBECONFIG_FRESH

    def _refuse_clear(self, configuration: Configuration) -> None:
        """kubectl, too, sends no credential to ``http://``; here it may still go to a process of this machine."""
        self._hops = self._hops or [configuration.host, configuration.proxy or ""]
        server, proxy = self._hops
        plain = not server.startswith("https://")
        if configuration.api_key and plain and any(map(loopback.in_clear, (server, proxy))):
            raise CredentialsError(
                "KUBECONFIG: the server's URL must start with https://, since the user's token is sent there; "
                "http:// is for this machine alone"
            )


async def connect(path: str, *, context: str | None) -> Connection:
    """The API server of a kubeconfig's context; as for kubectl, ``path`` may be several. Raises CredentialsError."""
    files = _existing(path)
    if not files:
        raise CredentialsError(f"KUBECONFIG: there is no such file: {path}")
    user = KubeconfigUser(os.pathsep.join(files), context)
    await user.header()
    configuration = user.configuration
    return Connection(
        server=configuration.host.rstrip("/"),
        tls=await asyncio.to_thread(_tls, configuration),
        authorization=user,
        proxy=configuration.proxy or None,
        tls_server_name=configuration.tls_server_name or None,
    )


def _existing(path: str) -> list[str]:
    """Of files that are named, those that are there."""
    return [str(file) for each in path.split(os.pathsep) if (file := Path(each).expanduser()).is_file()]


async def _load(path: str, context: str | None) -> Configuration:
    configuration = Configuration()
    try:
        await load_kube_config(  # type: ignore[no-untyped-call] # the official client is not typed
            config_file=path, context=context, client_configuration=configuration, persist_config=False
        )
    except ConfigException as error:
        raise CredentialsError(f"KUBECONFIG: {error}") from None
    except _UNREADABLE as error:
        raise CredentialsError(f"KUBECONFIG: {path} cannot be read ({type(error).__name__})") from None
    if configuration.host.startswith("https://") and not (configuration.api_key or configuration.cert_file):
        # The official client logs why an exec plugin failed, and goes on without a credential.
        raise CredentialsError("KUBECONFIG: the context's user yields no credential; its exec plugin may have failed")
    return configuration


def _tls(configuration: Configuration) -> ssl.SSLContext | None:
    if not configuration.host.startswith("https://"):
        return None
    try:
        context = trusting(cafile=configuration.ssl_ca_cert or None)
        if configuration.cert_file:
            # With no passphrase an encrypted key is an error; without this argument one is asked for at the terminal.
            context.load_cert_chain(configuration.cert_file, configuration.key_file or None, password="")
    except OSError:
        raise CredentialsError("KUBECONFIG: a certificate or a key cannot be read as PEM") from None
    if not configuration.verify_ssl:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
