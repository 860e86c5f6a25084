"""Payloads as the senders write them, to try a receiver out.

Each is whole, not only what this service reads, so that it may as well be sent to another server.
"""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

type Delivery = tuple[dict[str, str], bytes]  # headers and body

_SIZE = 1578  # bytes; what a manifest takes, more or less


def push(provider: str, *, repository: str, tag: str, digest: str, media_type: str) -> Delivery:
    """What a sender posts after a push, with a fresh id where it has ids.

    ``repository`` is ``registry.example.com/team/app``; for Docker Hub ``team/app``, or ``app`` for an official image.
    Without a ``tag`` it is a push by digest. Quay tells neither ``digest`` nor ``media_type``.
    A provider that this module does not know raises ``KeyError``.
    """
    return _PUSHES[provider](repository, tag, digest, media_type)


def ping(provider: str) -> Delivery:
    """What a sender posts to test a registration. A provider that has no such thing raises ``KeyError``."""
    return _PINGS[provider]()


def _acr_push(repository: str, tag: str, digest: str, media_type: str) -> Delivery:
    host, _, path = repository.partition("/")
    target = {"mediaType": media_type, "size": _SIZE, "digest": digest, "length": _SIZE, "repository": path}
    return _acr(
        {
            "id": str(uuid4()),
            "timestamp": _timestamp(),
            "action": "push",
            "target": target | ({"tag": tag} if tag else {}),
            "request": {"id": str(uuid4()), "host": host, "method": "PUT", "useragent": "docker/28.5.1"},
        }
    )


def _acr_ping() -> Delivery:
    return _acr({"id": str(uuid4()), "timestamp": _timestamp(), "action": "ping"})


def _acr(document: dict[str, Any]) -> Delivery:
    # Kargo's own server goes by the User-Agent.
    return _delivery(document, user_agent="AzureContainerRegistry/1.0")


def _quay_push(repository: str, tag: str, _digest: str, _media_type: str) -> Delivery:
    host, _, path = repository.partition("/")
    namespace, _, name = path.partition("/")
    return _delivery(
        {
            "repository": path,
            "namespace": namespace,
            "name": name,
            "docker_url": repository,
            "homepage": f"https://{host}/repository/{path}",
            "updated_tags": [tag] if tag else [],
        },
        user_agent="python-requests/2.32.3",
    )


def _dockerhub_push(repository: str, tag: str, _digest: str, media_type: str) -> Delivery:
    namespace, _, name = repository.rpartition("/")
    owner = namespace or "library"
    now = int(datetime.now(UTC).timestamp())
    return _delivery(
        {
            "callback_url": f"https://registry.hub.docker.com/u/{repository}/hook/{uuid4().hex}/",
            "push_data": {"pushed_at": now, "pusher": owner, "tag": tag, "images": [], "media_type": media_type},
            "repository": {
                "repo_name": repository,
                "namespace": owner,
                "name": name,
                "owner": owner,
                "repo_url": f"https://hub.docker.com/r/{repository}",
                "status": "Active",
                "is_private": False,
                "is_official": owner == "library",
                "is_trusted": False,
                "star_count": 0,
                "comment_count": 0,
                "date_created": now,
                "description": "",
                "full_description": "",
                "dockerfile": "",
            },
        },
        user_agent="Go-http-client/2.0",
    )


def _delivery(document: dict[str, Any], *, user_agent: str) -> Delivery:
    return {"content-type": "application/json", "user-agent": user_agent}, json.dumps(document).encode()


def _timestamp() -> str:
    return datetime.now(UTC).isoformat().replace("+00:00", "Z")


_PUSHES: dict[str, Callable[[str, str, str, str], Delivery]] = {
    "azure": _acr_push,
    "acr": _acr_push,
    "quay": _quay_push,
    "dockerhub": _dockerhub_push,
}
_PINGS: dict[str, Callable[[], Delivery]] = {"azure": _acr_ping, "acr": _acr_ping}
