"""Which receiver a URL belongs to.

``/<provider>/<token>``: the token is a hash of project, name and secret, so the Secret decides. Where to look is told
by hints: the paths that Kargo published, and every token that was computed before. A hint never decides by itself,
so an old path stops to work with the Secret it was made from; with ``<key>-previous`` in the Secret it goes on.

A URL without a hint may be that of a receiver which Kargo has not published yet. A few Secrets are read to find out,
within a budget that no number of URLs or receivers raises: :mod:`receivers.directory.unread`.

An identity without rights on Secrets cannot compute anything. Then the published path decides, as in Kargo's own
server.
"""

import asyncio
import hmac
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import sha256

from receivers import limits
from receivers.cluster.api import ClusterError
from receivers.cluster.mirror import Mirror, NotReadyError
from receivers.cluster.secrets import Secret, SecretReader, can_exist
from receivers.cluster.tasks import Shared
from receivers.directory.former import Standing, Why
from receivers.directory.hints import Hints, Key, key_of, published
from receivers.directory.unread import Budget, Turns
from receivers.events import Provider, Receiver, UnknownReceiver
from receivers.kargo import configs, paths
from receivers.providers import PROVIDERS, SECRET_KEYS, serving
from receivers.settings import StaticReceiver

PREVIOUS = "-previous"  # appended to a data key: the secret before the present one, during a rotation
DATA_KEYS = frozenset(key + suffix for key in SECRET_KEYS for suffix in ("", PREVIOUS))


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """A receiver whose URL was proven, with the secrets that count: none where Secrets cannot be read.

    Without a ``voucher`` the cluster proved it just now. With one, something known from before vouches for it, because
    the cluster is away or slow: :meth:`Directory.confirms` must say yes before anything is refreshed.
    """

    receiver: Receiver
    secrets: tuple[bytes, ...] = field(default=(), repr=False)
    voucher: str = ""  # a hash of the URL's token


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
        self._hints = Hints()
        self._learned: dict[Key, int] = {}  # the reading of its Secret from which a receiver's tokens are known
        self._turns: dict[str, Turns] = {}  # by the kind of receiver
        self._budget = Budget(at_once=limits.UNKNOWN_READS, per_second=limits.UNKNOWN_READS_PER_SECOND, clock=clock)
        self._searches: dict[str, list[Shared[None]]] = {}  # those under way and the last one, by provider
        # Told the vouchers of all URLs that a receiver has, whenever that is learned: no other is a URL of it.
        self.on_vouchers: Callable[[Receiver, frozenset[str]], None] | None = None
        # Told the vouchers of URLs that a receiver had, and has no longer.
        self.on_lost: Callable[[Receiver, frozenset[str], Why], None] | None = None
        mirror.on_receivers_changed = self._note_changes
        self._note_changes([], mirror.receivers())

    async def find(self, provider: Provider, path: str) -> Verified:
        """The receiver that ``path`` belongs to.

        Raises :class:`UnknownReceiver` for every reason there may be, and :class:`ClusterError` when the cluster cannot
        be asked and what is known does not tell.
        """
        token = _token(path, provider.name)
        for verified in self._static:
            if provider.is_for(verified.receiver) and _proves(token, verified.receiver, verified.secrets):
                return verified
        await self._mirror.receivers_ready()
        found = await self._verify_hinted(provider, token)
        if not found and self._read_secrets:
            await self._search(provider)
            found = await self._verify_hinted(provider, token)
        if len(found) == 1:
            return found[0]
        if not found and self._mirror.receivers_denied and not self._static:
            raise NotReadyError("this identity may not list ProjectConfigs")
        raise UnknownReceiver

    async def confirms(self, provider: str, *, source: str, name: str, voucher: str) -> bool:
        """Whether the URL that something vouched for is one of that receiver's. Raises :class:`ClusterError`."""
        await self._mirror.receivers_ready()
        receiver = self._hints.get((source, name))
        if not self._mirror.receivers_trusted or (receiver is None and self._mirror.receivers_denied):
            raise NotReadyError("the receivers cannot be read")
        if receiver is None or provider not in PROVIDERS or not PROVIDERS[provider].is_for(receiver):
            return False
        secret = await self._read(receiver)
        if secret is not None and secret.stale:
            raise NotReadyError("the receiver's Secret cannot be read")
        vouchers = map(voucher_of, _tokens(PROVIDERS[provider], receiver, secret))
        return any(hmac.compare_digest(voucher.encode(), each.encode()) for each in vouchers)

    def receivers(self) -> list[Receiver]:
        """Every receiver that is configured, in the cluster or in the settings."""
        return [verified.receiver for verified in self._static] + self._mirror.receivers()

    def standing(self, project: str | None, name: str) -> Standing:
        """What there is of a receiver of this name: as it was or otherwise, in the cluster or in the settings."""
        if any((each.receiver.project, each.receiver.name) == (project, name) for each in self._static):
            return Standing.THERE
        if not self._mirror.receivers_trusted or self._mirror.receivers_denied:
            return Standing.UNKNOWN
        if self._mirror.misreads(project, name):
            return Standing.UNREADABLE
        receiver = self._hints.get((configs.source_of(project), name))
        if receiver is None:
            return Standing.GONE
        return Standing.THERE if receiver.secret and can_exist(receiver.secret) else Standing.UNREADABLE

    async def secrets_of(
        self, provider: Provider, receiver: Receiver, *, urgent: bool = True
    ) -> tuple[bytes, ...] | None:
        """The secrets that count for a receiver, the present one first. None where they may not be read.

        What is not ``urgent`` delays no delivery.
        """
        for verified in self._static:
            if verified.receiver is receiver:
                return verified.secrets
        secret = await self._read(receiver, urgent=urgent)
        return None if secret is None else _accepted(provider, secret.data)

    async def misses_secret(self, receiver: Receiver) -> bool:
        """Whether a receiver names a Secret that there is not. Raises :class:`ClusterError`. Delays no delivery."""
        secret = await self._read(receiver, urgent=False)
        return secret is not None and secret.missing

    async def close(self) -> None:
        """Stop looking for what nobody waits for any more."""
        for search in [each for searches in self._searches.values() for each in searches]:
            search.cancel()
            await search.ended()

    async def _verify_hinted(self, provider: Provider, token: str) -> list[Verified]:
        """The receivers that a token belongs to; more than one is one too many.

        A Secret that cannot be read says nothing of the others. Raises :class:`ClusterError` when it might be the one.
        """
        candidates = [each for each in self._hints.candidates(token) if provider.is_for(each)]
        if len(candidates) == 1:
            verified = await self._verify(provider, candidates[0], token)
            return [verified] if verified is not None else []
        verifying = (self._verify(provider, each, token) for each in candidates)
        results = await asyncio.gather(*verifying, return_exceptions=True)
        found = [result for result in results if isinstance(result, Verified)]
        for failure in results:
            if isinstance(failure, BaseException) and not found:
                raise failure
        return found

    async def _verify(self, provider: Provider, receiver: Receiver, token: str) -> Verified | None:
        secret = await self._read(receiver)
        secrets = () if secret is None else _accepted(provider, secret.data)
        if not (_is_published(token, provider, receiver) if secret is None else _proves(token, receiver, secrets)):
            return None
        is_stale = not self._mirror.receivers_trusted or (secret is not None and secret.stale)
        return Verified(receiver=receiver, secrets=secrets, voucher=voucher_of(token) if is_stale else "")

    async def _read(
        self, receiver: Receiver, *, fresh: float = limits.SECRET_FRESH, urgent: bool = True
    ) -> Secret | None:
        """A receiver's Secret, and learn its tokens. None where it may not be read."""
        if not self._read_secrets:
            self._learn(receiver, None)
            return None
        if receiver.secret is None:
            return Secret()
        key = key_of(receiver)
        secret = await self._secrets.read(receiver.secret, fresh=fresh if key in self._learned else 0, urgent=urgent)
        readable = None if secret.forbidden else secret
        if not secret.stale and self._learned.get(key) != secret.reading and self._hints.get(key) == receiver:
            self._learn(receiver, readable)
            self._learned[key] = secret.reading
        return readable

    def _learn(self, receiver: Receiver, secret: Secret | None) -> None:
        """Know the tokens of a receiver as its Secret makes them now, for every provider that serves it."""
        tokens = frozenset(
            token for provider in serving(receiver.provider) for token in _tokens(provider, receiver, secret)
        )
        self._tell_lost(receiver, self._hints.computed(receiver, tokens), Why.ROTATED)
        if self.on_vouchers is not None:
            self.on_vouchers(receiver, frozenset(map(voucher_of, tokens)))

    def _note_changes(self, before: list[Receiver], after: list[Receiver]) -> None:
        """The receivers of one config have changed."""
        gone = {key_of(receiver): receiver for receiver in before}
        for receiver in after:
            earlier = gone.pop(key_of(receiver), None)
            if earlier != receiver:
                self._put(earlier, receiver)
                self._learned.pop(key_of(receiver), None)  # with another path published, its Secret may be another too
                self._note_turn(earlier, receiver)
                self._note_options(earlier, receiver)
        for key, receiver in gone.items():
            self._tell_lost(receiver, self._hints.remove(key) | _published(receiver), Why.DELETED)
            self._learned.pop(key, None)
            self._turns_of(receiver).remove(key)
            if self.on_vouchers is not None:
                self.on_vouchers(receiver, frozenset())

    def _put(self, earlier: Receiver | None, receiver: Receiver) -> None:
        """A receiver is new, or has changed: what it has no longer may be the URL that its sender posts to."""
        dropped = self._hints.put(receiver)
        if earlier is None:
            return
        self._tell_lost(earlier, dropped, Why.CHANGED)
        if _published(receiver):
            republished = _published(earlier) - _published(receiver) - self._hints.computed_for(key_of(receiver))
            self._tell_lost(earlier, republished, Why.ROTATED)

    def _tell_lost(self, receiver: Receiver, tokens: frozenset[str], why: Why) -> None:
        if tokens and self.on_lost is not None:
            self.on_lost(receiver, frozenset(map(voucher_of, tokens)), why)

    def _note_turn(self, earlier: Receiver | None, receiver: Receiver) -> None:
        """A receiver is new, or has changed: its Secret may be one that was never read."""
        key = key_of(receiver)
        if earlier is not None and (earlier.provider, earlier.secret) == (receiver.provider, receiver.secret):
            return
        if earlier is not None:
            self._turns_of(earlier).remove(key)
        if receiver.secret is not None and can_exist(receiver.secret):
            self._turns_of(receiver).add(key)

    def _note_options(self, earlier: Receiver | None, receiver: Receiver) -> None:
        """Options say what a request has to prove: what was known of others is nothing that is known of these."""
        if earlier is not None and earlier.options != receiver.options and self.on_vouchers is not None:
            self.on_vouchers(receiver, frozenset())

    def _turns_of(self, receiver: Receiver) -> Turns:
        return self._turns.setdefault(receiver.provider, Turns(clock=self._clock))

    async def _search(self, provider: Provider) -> None:
        """Read Secrets that may make an unknown URL known, as many as the budget allows.

        When there are none, wait for those that are being read. Fails as the last such search did.
        """
        searches = self._searches.setdefault(provider.name, [])
        found = list(self._worth_reading(provider))
        if found:
            searches[:] = [each for each in searches if not each.done]
            searches.append(Shared(self._read_all(found)))
        if searches:
            await searches[-1].result()

    def _worth_reading(self, provider: Provider) -> Iterator[Receiver]:
        for kind in provider.kinds:
            turns = self._turns.get(kind)
            while turns is not None and (key := turns.next()) is not None and self._budget.take():
                receiver = self._hints.get(key)
                turns.begun(key)
                if receiver is not None:
                    yield receiver

    async def _read_all(self, receivers: list[Receiver]) -> None:
        """Read Secrets anew: one that has just been changed may be why a URL is not known."""
        reads = (self._read(receiver, fresh=0, urgent=False) for receiver in receivers)
        results = await asyncio.gather(*reads, return_exceptions=True)
        failures: list[BaseException] = []
        for receiver, result in zip(receivers, results, strict=True):
            if isinstance(result, BaseException):
                failures.append(result)
                if self._hints.get(key_of(receiver)) is not None:
                    self._turns_of(receiver).failed(key_of(receiver))
        if failures:
            raise next((failure for failure in failures if not isinstance(failure, ClusterError)), failures[0])


def voucher_of(token: str) -> str:
    """What vouches for a URL and does not tell it: the token cannot be had from it unless the secret can be guessed."""
    return sha256(token.encode()).hexdigest()


def _token(path: str, provider: str) -> str:
    """The last segment of a path whose segment before it is the provider, whatever the base URL's path."""
    *_, segment, token = ["", "", *path.split("/")]
    if segment != provider or not paths.is_token(token):
        raise UnknownReceiver
    return token


def _tokens(provider: Provider, receiver: Receiver, secret: Secret | None) -> list[str]:
    """The tokens that a receiver has under a provider; where its Secret may not be read, the published one."""
    if secret is not None:
        return [_compute(receiver, each) for each in _accepted(provider, secret.data)]
    token = published(receiver)
    return [token] if token and not provider.needs_secret(receiver) else []


def _published(receiver: Receiver) -> frozenset[str]:
    return frozenset(filter(None, (published(receiver),)))


def _is_published(token: str, provider: Provider, receiver: Receiver) -> bool:
    """Whether this is the published token of a receiver that needs no secret to verify what is posted there."""
    return not provider.needs_secret(receiver) and hmac.compare_digest(token.encode(), published(receiver).encode())


def _compute(receiver: Receiver, secret: bytes) -> str:
    return paths.token(project=receiver.project, name=receiver.name, secrets=(secret,))


def _proves(token: str, receiver: Receiver, secrets: Iterable[bytes]) -> bool:
    """Whether one of the secrets makes this token. All are tried, so that the time tells nothing."""
    proven = False
    for secret in secrets:
        proven |= hmac.compare_digest(token.encode(), _compute(receiver, secret).encode())
    return proven


def _accepted(provider: Provider, data: Mapping[str, bytes]) -> tuple[bytes, ...]:
    """The values that count. An empty one does not: anybody could compute the URL it makes."""
    keys = [*provider.secret_keys, *(key + PREVIOUS for key in provider.secret_keys)]
    return tuple(value for key in keys if (value := data.get(key)))


def _verified(static: StaticReceiver) -> Verified:
    receiver = Receiver(
        provider=static.provider,
        name=static.name,
        project=static.project,
        source="settings",
        options={**static.options, **configs.sender_options(static.configuration)},
        configuration=static.configuration,
    )
    return Verified(
        receiver=receiver,
        secrets=tuple(secret.encode() for secret in (static.secret, static.previous_secret) if secret),
    )
