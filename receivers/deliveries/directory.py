"""Which receiver a URL belongs to.

``/<provider>/<token>``: the token is a hash of project, name and secret, so the Secret decides. Where to look is told
by hints: the paths that Kargo published, and every token that was computed before. A hint never decides by itself,
so an old path stops to work with the Secret it was made from; with ``<key>-previous`` in the Secret it goes on.

An identity without rights on Secrets cannot compute anything. Then the published path decides, as in Kargo's own
server.
"""

import asyncio
import hmac
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from receivers import limits
from receivers.cluster.api import ClusterError
from receivers.cluster.mirror import Mirror, NotReadyError
from receivers.cluster.secrets import SecretReader
from receivers.cluster.tasks import retrieve_exception
from receivers.events import Provider, Receiver, UnknownReceiver
from receivers.kargo import paths
from receivers.settings import StaticReceiver

PREVIOUS = "-previous"  # appended to a data key: the secret before the present one, during a rotation

type _Key = tuple[str, str]  # where a receiver is configured, and its name


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """A receiver whose URL was proven, with the secrets that count: none where Secrets cannot be read."""

    receiver: Receiver
    secrets: tuple[bytes, ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sweep:
    """One reading of the Secrets of a provider's receivers, under way or done."""

    task: asyncio.Task[None]
    began: float
    version: int  # of the mirror


class Directory:
    """Finds receivers by URL."""

    def __init__(
        self,
        mirror: Mirror,
        secrets: SecretReader,
        *,
        static: Iterable[StaticReceiver] = (),
        read_secrets: bool = True,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._mirror = mirror
        self._secrets = secrets
        self._read_secrets = read_secrets
        self._clock = clock
        self._static = [_verified(receiver) for receiver in static]
        self._receivers: dict[_Key, Receiver] = {}
        self._hints: defaultdict[str, set[_Key]] = defaultdict(set)
        self._version = -1
        self._sweeps: dict[str, _Sweep] = {}  # the last one, by provider

    async def find(self, provider: Provider, path: str) -> Verified:
        """The receiver that ``path`` belongs to.

        Raises :class:`UnknownReceiver` for every reason there may be, and :class:`ClusterError` when the cluster cannot
        be asked and what is known does not tell.
        """
        token = _token(path, provider.name)
        for verified in self._static:
            if _serves(provider, verified.receiver) and _proves(token, verified.receiver, verified.secrets):
                return verified
        await self._mirror.receivers_ready()
        found = await self._verify_hinted(provider, token)
        if not found and self._read_secrets:
            await self._sweep(provider)
            found = await self._verify_hinted(provider, token)
        if len(found) == 1:
            return found[0]
        if not found and self._mirror.receivers_denied and not self._static:
            raise NotReadyError("this identity may not list ProjectConfigs")
        raise UnknownReceiver

    def receivers(self) -> list[Receiver]:
        """Every receiver that is configured, in the cluster or in the settings."""
        return [verified.receiver for verified in self._static] + self._mirror.receivers()

    async def secrets_of(
        self, provider: Provider, receiver: Receiver, *, fresh: float = limits.SECRET_FRESH
    ) -> tuple[bytes, ...] | None:
        """The secrets that count for a receiver, as they were at most ``fresh`` seconds ago, the present one first.

        None where they may not be read.
        """
        for verified in self._static:
            if verified.receiver is receiver:
                return verified.secrets
        if not self._read_secrets:
            return None
        if receiver.secret is None or not receiver.secret.name:
            return ()
        secret = await self._secrets.read(receiver.secret, fresh=fresh)
        return None if secret.forbidden else _accepted(provider, secret.data)

    async def _verify_hinted(self, provider: Provider, token: str) -> list[Verified]:
        self._take_hints()
        candidates = [self._receivers[key] for key in self._hints.get(token, ()) if key in self._receivers]
        found = [await self._verify(provider, receiver, token) for receiver in candidates]
        return [verified for verified in found if verified is not None]

    async def _verify(self, provider: Provider, receiver: Receiver, token: str) -> Verified | None:
        if not _serves(provider, receiver):
            return None
        secrets = await self.secrets_of(provider, receiver)
        if secrets is None:
            published = receiver.status_path.rpartition("/")[2]
            proven = not provider.needs_secret and hmac.compare_digest(token.encode(), published.encode())
            return Verified(receiver=receiver) if proven else None
        self._hint(receiver, secrets)
        return Verified(receiver=receiver, secrets=secrets) if _proves(token, receiver, secrets) else None

    def _take_hints(self) -> None:
        """Learn the published paths, whenever the receivers have changed."""
        if self._version == self._mirror.version:
            return
        self._version = self._mirror.version
        self._receivers = {(receiver.source, receiver.name): receiver for receiver in self._mirror.receivers()}
        for token in [token for token, keys in self._hints.items() if not keys & self._receivers.keys()]:
            del self._hints[token]
        for key, receiver in self._receivers.items():
            if receiver.status_path:
                self._hints[receiver.status_path.rpartition("/")[2]].add(key)

    def _hint(self, receiver: Receiver, secrets: Iterable[bytes]) -> None:
        for secret in secrets:
            self._hints[_compute(receiver, secret)].add((receiver.source, receiver.name))

    async def _sweep(self, provider: Provider) -> None:
        """Learn the tokens of all receivers of a provider, unless that was done a while ago.

        An unknown URL must not be a way to make the cluster work: sweeps are rare, unless receivers changed.
        """
        sweep = self._sweeps.get(provider.name)
        if sweep is None or self._is_outdated(sweep):
            task = asyncio.get_running_loop().create_task(self._learn(provider))
            task.add_done_callback(retrieve_exception)
            sweep = _Sweep(task=task, began=self._clock(), version=self._mirror.version)
            self._sweeps[provider.name] = sweep
        await asyncio.shield(sweep.task)

    def _is_outdated(self, sweep: _Sweep) -> bool:
        if sweep.version != self._mirror.version:
            return True
        if not sweep.task.done():
            return False
        failed = sweep.task.cancelled() or sweep.task.exception() is not None
        return self._clock() - sweep.began >= (limits.SWEEP_RETRY if failed else limits.SWEEP_INTERVAL)

    async def _learn(self, provider: Provider) -> None:
        """Compute the tokens of all receivers of a provider: finds those not published yet, and previous secrets.

        Every Secret is read anew: one that has just been changed may be why a URL is not known.
        """
        receivers = [receiver for receiver in self._receivers.values() if _serves(provider, receiver)]
        results = await asyncio.gather(
            *(self.secrets_of(provider, receiver, fresh=0) for receiver in receivers), return_exceptions=True
        )
        for receiver, secrets in zip(receivers, results, strict=True):
            if isinstance(secrets, tuple):
                self._hint(receiver, secrets)
        failures = [result for result in results if isinstance(result, BaseException)]
        if failures:
            raise next((failure for failure in failures if not isinstance(failure, ClusterError)), failures[0])


def _token(path: str, provider: str) -> str:
    """The last segment of a path whose segment before it is the provider, whatever the base URL's path."""
    *_, segment, token = ["", "", *path.split("/")]
    if segment != provider or not paths.is_token(token):
        raise UnknownReceiver
    return token


def _serves(provider: Provider, receiver: Receiver) -> bool:
    return receiver.provider in (provider.serves or (provider.name,))


def _compute(receiver: Receiver, secret: bytes) -> str:
    return paths.token(project=receiver.project, name=receiver.name, secrets=(secret,))


def _proves(token: str, receiver: Receiver, secrets: Iterable[bytes]) -> bool:
    """Whether one of the secrets makes this token. All are tried, so that the time tells nothing."""
    proven = False
    for secret in secrets:
        proven |= hmac.compare_digest(token.encode(), _compute(receiver, secret).encode())
    return proven


def _accepted(provider: Provider, data: Mapping[str, bytes]) -> tuple[bytes, ...]:
    keys = [*provider.secret_keys, *(key + PREVIOUS for key in provider.secret_keys)]
    return tuple(data[key] for key in keys if key in data)


def _verified(static: StaticReceiver) -> Verified:
    receiver = Receiver(
        provider=static.provider,
        name=static.name,
        project=static.project,
        source="settings",
        options=static.options,
    )
    secrets = [static.secret, static.previous_secret]
    return Verified(receiver=receiver, secrets=tuple(secret.encode() for secret in secrets if secret is not None))
