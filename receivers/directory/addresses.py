"""The URLs of receivers, and how they are shown: whoever knows a URL may post to it."""

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import batched

from receivers.cluster.api import ClusterError
from receivers.directory.directory import Directory
from receivers.events import Provider, Receiver
from receivers.kargo import paths
from receivers.providers import PROVIDERS

_NAMED = 3  # receivers
AT_ONCE = 50  # Secrets asked for; the reader reads fewer at the same time
_TOKEN_SHOWN = 4  # hex digits: enough to tell two receivers apart


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """A receiver with the token that its URL ends in, or why there is none."""

    receiver: Receiver
    token: str = field(default="", repr=False)
    secret: bytes = field(default=b"", repr=False)  # what its sender proves itself by; empty where it may not be read
    problem: str = ""

    def url(self, base_url: str, *, provider: str | None = None) -> str:
        """The URL: a credential. Empty when there is none. Raises :class:`~receivers.go_url.InvalidUrl`.

        ``provider`` is another name that the receiver is served under: ``acr`` for ``azure``.
        """
        return paths.url(base_url, provider or self.receiver.provider, self.token) if self.token else ""

    @property
    def sender(self) -> str:
        """As :func:`sender_of` has it."""
        return sender_of(self.receiver)

    @property
    def name(self) -> str:
        """``kargo-demo/acr``, as in the log."""
        return f"{self.receiver.project or '(cluster)'}/{self.receiver.name}"


def sender_of(receiver: Receiver) -> str:
    """The name of the provider whose requests a receiver takes: mostly that of its kind, as in its URL."""
    provider = PROVIDERS.get(receiver.provider)
    return provider.of(receiver).name if provider else receiver.provider


def name_of(receiver: Receiver) -> str:
    """``azure kargo-demo/acr``: whose requests it takes, and where it is."""
    return f"{sender_of(receiver)} {receiver.project or '(cluster)'}/{receiver.name}"


def named(receivers: Sequence[Receiver]) -> str:
    """The first of them by their names, and how many more."""
    more = len(receivers) - _NAMED
    return ", ".join(map(name_of, receivers[:_NAMED])) + (f" and {more} more" if more > 0 else "")


def ordered(directory: Directory) -> list[Receiver]:
    """Every receiver, by project and name. The cluster's own receivers come first."""
    return sorted(directory.receivers(), key=lambda each: (each.project or "", each.name, each.provider))


async def addresses(
    directory: Directory, receivers: Sequence[Receiver] | None = None, *, within: float | None = None
) -> list[Address]:
    """The addresses of these receivers, or of every receiver in order.

    What could not be read ``within`` so many seconds has a problem instead of a token. Deliveries come first: however
    many Secrets are read here, none of theirs waits.
    """
    deadline = None if within is None else asyncio.get_running_loop().time() + within
    found: list[Address] = []
    for some in batched(ordered(directory) if receivers is None else receivers, AT_ONCE, strict=False):
        found += await asyncio.gather(*(_address_by(directory, receiver, deadline) for receiver in some))
    return found


async def _address_by(directory: Directory, receiver: Receiver, deadline: float | None) -> Address:
    try:
        async with asyncio.timeout_at(deadline):
            return await address(directory, receiver)
    except TimeoutError:
        return Address(receiver=receiver, problem="its Secret could not be read in time")


async def address(directory: Directory, receiver: Receiver) -> Address:
    """The address of one receiver."""
    provider = PROVIDERS.get(receiver.provider)
    if provider is None:
        return Address(receiver=receiver, problem=f"receivers of kind {receiver.provider} are not served")
    try:
        secrets = await directory.secrets_of(provider, receiver, urgent=False)
        missing = not secrets and secrets is not None and await directory.misses_secret(receiver)
    except ClusterError as error:
        return Address(receiver=receiver, problem=f"its Secret cannot be read: {error}")
    if secrets is None:
        return _published(receiver)
    if not secrets:
        return Address(receiver=receiver, problem=_without_secret(provider, receiver, missing=missing))
    token = paths.token(project=receiver.project, name=receiver.name, secrets=secrets[:1])
    return Address(receiver=receiver, token=token, secret=secrets[0])


def masked(url: str) -> str:
    """A receiver's URL, fit to be shown: of its last segment the first characters, and no query."""
    before, slash, last = re.split(r"[?#]", url, maxsplit=1)[0].rstrip("/").rpartition("/")
    return f"{before}{slash}{last[:_TOKEN_SHOWN]}…" if url else ""


def _published(receiver: Receiver) -> Address:
    """The address of a receiver whose Secret may not be read: as Kargo published it."""
    token = receiver.status_path.rpartition("/")[2]
    if not paths.is_token(token):
        return Address(receiver=receiver, problem="its Secret may not be read, and Kargo has published no URL")
    return Address(receiver=receiver, token=token)


def _without_secret(provider: Provider, receiver: Receiver, *, missing: bool) -> str:
    if receiver.secret is None or not receiver.secret.name:
        return "it names no Secret"
    place = f"{receiver.secret.namespace}/{receiver.secret.name}"
    if missing:
        return f"there is no Secret {place}"
    return f"its Secret {place} has nothing under the key {' or '.join(provider.secret_keys)}"
