"""Where to look for the receiver of a URL.

A hint never decides: it names receivers whose Secret is to be asked. There are two kinds. A path that Kargo published
costs nothing to know; a token that was computed from a Secret is known once that was read.
"""

from itertools import chain, islice

from receivers import limits
from receivers.events import Receiver
from receivers.kargo import paths

type Key = tuple[str, str]  # where a receiver is configured, and its name


def key_of(receiver: Receiver) -> Key:
    """What a receiver is told apart by."""
    return receiver.source, receiver.name


class Hints:
    """Tokens, and the receivers they may belong to. Every change costs what changes, however much there is."""

    def __init__(self) -> None:
        self._receivers: dict[Key, Receiver] = {}
        self._computed: dict[Key, frozenset[str]] = {}
        self._by_computed: dict[str, dict[Key, None]] = {}
        self._by_published: dict[str, dict[Key, None]] = {}

    def __contains__(self, key: Key) -> bool:
        return key in self._receivers

    def get(self, key: Key) -> Receiver | None:
        """The receiver as it is configured now."""
        return self._receivers.get(key)

    def put(self, receiver: Receiver) -> frozenset[str]:
        """Take a new or changed receiver. What was computed for another Secret or name is forgotten, and returned."""
        key = key_of(receiver)
        before = self._receivers.get(key)
        dropped: frozenset[str] = frozenset()
        if before is not None and not _same_tokens(before, receiver):
            dropped = self.computed(before, frozenset())
        if before is not None:
            _drop(self._by_published, published(before), key)
        self._receivers[key] = receiver
        _add(self._by_published, published(receiver), key)
        return dropped

    def remove(self, key: Key) -> frozenset[str]:
        """Forget a receiver; the tokens that were computed for it."""
        receiver = self._receivers.get(key)
        if receiver is None:
            return frozenset()
        dropped = self.computed(receiver, frozenset())
        _drop(self._by_published, published(receiver), key)
        del self._receivers[key]
        return dropped

    def computed(self, receiver: Receiver, tokens: frozenset[str]) -> frozenset[str]:
        """The tokens that a receiver's Secret makes, in place of those it made before; those it makes no longer."""
        key = key_of(receiver)
        if key not in self._receivers:  # removed, while its Secret was read
            return frozenset()
        dropped = self._computed.pop(key, frozenset()) - tokens
        for token in dropped:
            _drop(self._by_computed, token, key)
        for token in tokens:
            _add(self._by_computed, token, key)
        if tokens:
            self._computed[key] = tokens
        return dropped

    def computed_for(self, key: Key) -> frozenset[str]:
        """The tokens that a receiver's Secret makes, as far as it was read."""
        return self._computed.get(key, frozenset())

    def candidates(self, token: str) -> list[Receiver]:
        """The receivers a token may belong to, those it was computed for first.

        A tenant who may write a status can have any path published for any number of receivers: few are looked at, and
        of each place where receivers are configured one.
        """
        computed = self._by_computed.get(token, {})
        places = {key[0]: key for key in reversed(self._by_published.get(token, {}))}
        others = (key for key in places.values() if key not in computed)
        return [self._receivers[key] for key in islice(chain(computed, others), limits.CANDIDATES)]


def published(receiver: Receiver) -> str:
    """The token of the path that Kargo published for a receiver, or ``""``."""
    token = receiver.status_path.rpartition("/")[2]
    return token if paths.is_token(token) else ""


def _same_tokens(one: Receiver, other: Receiver) -> bool:
    """Whether two states of a receiver have the same tokens as long as its Secret stays as it is."""
    return (one.provider, one.project, one.secret) == (other.provider, other.project, other.secret)


def _add(hints: dict[str, dict[Key, None]], token: str, key: Key) -> None:
    if token:
        hints.setdefault(token, {})[key] = None


def _drop(hints: dict[str, dict[Key, None]], token: str, key: Key) -> None:
    keys = hints.get(token, {})
    keys.pop(key, None)
    if not keys:
        hints.pop(token, None)
