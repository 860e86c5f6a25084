"""A receiver's URL: Kargo's rule.

Whoever knows the URL may post to the receiver, so the token in it is a credential.
"""

import re
from collections.abc import Sequence
from hashlib import sha256

from receivers import go_url

_TOKEN = re.compile(r"[0-9a-f]{64}")


def token(*, project: str | None, name: str, secrets: Sequence[bytes]) -> str:
    """The last segment of a receiver's URL: the SHA-256, in lower-case hex, of project, name and secret values.

    They are put together without separators, the secrets as they stand in the Secret: a trailing newline counts.
    ``project=None`` is the cluster's scope.
    """
    digest = sha256(f"{project or ''}{name}".encode(errors="replace"))
    for secret in secrets:
        digest.update(secret)
    return digest.hexdigest()


def is_token(text: str) -> bool:
    """Whether a path segment can be a token at all."""
    return _TOKEN.fullmatch(text) is not None


def path(base_path: str, provider: str, token: str) -> str:
    """The path of a receiver's URL, below the path of the base URL.

    Raises:
        go_url.InvalidUrl: the base path is none.
    """
    return str(go_url.parse(base_path or "/").joined(provider, token))


def url(base_url: str, provider: str, token: str) -> str:
    """A receiver's URL. Query, fragment and user of the base URL stay.

    Raises:
        go_url.InvalidUrl: the base URL cannot be parsed.
    """
    base = go_url.parse(base_url)
    joined = path(base.path.decode(errors="replace"), provider, token)
    return str(base._replace(path=joined.encode(), raw_path=""))
