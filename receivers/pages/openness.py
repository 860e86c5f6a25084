"""Whether pages without a key are open at all: only while this process listens on loopback, and nowhere else.

What a request says of itself proves nothing: anybody may write any Host header. Neither does a setting, which is copied
from one place to another. So who listens says where, in this process; under the Functions host nobody does.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

from receivers import loopback

_listening: list[str] = []


@contextmanager
def listening_on(url: str) -> Iterator[None]:
    """While this lasts, the process listens there. ``url`` has the address of the socket, not what was asked for."""
    _listening.append(url)
    try:
        yield
    finally:
        _listening.remove(url)


def on_loopback_alone() -> bool:
    """Whether who listens has said so, and is not reached from elsewhere."""
    return bool(_listening) and all(loopback.is_loopback(urlsplit(url).hostname or "") for url in _listening)
