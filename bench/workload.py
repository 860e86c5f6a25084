"""What is measured with: a cluster of Warehouses, one receiver for all of them, and deliveries for it."""

import json
import time
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from urllib.parse import urlsplit

from receivers.cluster.api import KARGO, METADATA_ONLY
from receivers.cluster.refresher import ANNOTATION
from receivers.events import Push
from receivers.providers import PROVIDERS
from testbed.objects import Hook, Object, cluster_config, secret_of, warehouse

HOOK = Hook(name="bench", project=None)
SECRETS_NAMESPACE = "kargo-system-resources"  # where the Secrets of the ClusterConfig's receivers live
DIGEST = f"sha256:{'0123456789abcdef' * 4}"
MEDIA_TYPE = "application/vnd.docker.distribution.manifest.v2+json"
PER_PROJECT = 20
PATCH_TURNS = 5  # values in turn: a patch that changes nothing costs the API server less
EVERYWHERE = -1  # the number of an image that many Warehouses subscribe to


def receiver() -> list[Object]:
    """The receiver, and the Secret that it needs."""
    return [secret_of(HOOK, namespace=SECRETS_NAMESPACE), cluster_config([HOOK])]


def warehouses(count: int) -> Iterator[Object]:
    """Warehouses with an image each, ``PER_PROJECT`` to a project."""
    for number in range(count):
        project = f"project-{number // PER_PROJECT}"
        yield warehouse(f"app-{number}", project=project, image=image(number), constraint="^1.0.0")


def subscribers(count: int) -> Iterator[Object]:
    """Warehouses that all subscribe to the image :data:`EVERYWHERE`."""
    for number in range(count):
        project = f"everywhere-{number // PER_PROJECT}"
        yield warehouse(f"app-{number}", project=project, image=image(EVERYWHERE), constraint="^1.0.0")


def image(number: int) -> str:
    """The repository that a Warehouse subscribes to."""
    return f"registry.azurecr.io/team/app-{number}" if number != EVERYWHERE else "registry.azurecr.io/team/everywhere"


def delivery(url: str, number: int, *, path: str = HOOK.path) -> bytes:
    """The request of one push to an image; ``path`` where another function than the receiver's shall get it."""
    push = Push(repository=image(number), tag="1.2.3", digest=DIGEST, media_type=MEDIA_TYPE)
    example = PROVIDERS["azure"].example(push, datetime.now(UTC))
    return _request("POST", url, path, example.headers, example.body)


def of_every_sender(url: str) -> tuple[str, list[bytes]]:
    """Receivers for the settings, one of each sender that needs no options, and a delivery to each."""
    now = datetime.now(UTC)
    names = [name for name, provider in PROVIDERS.items() if not provider.lacking({}) and name in provider.kinds]
    hooks = [Hook(provider=name, name=name, project=None) for name in names]
    receivers = [{"provider": hook.provider, "name": hook.name, "secret": hook.secret} for hook in hooks]
    requests = []
    for hook in hooks:
        home = PROVIDERS[hook.provider].home.repository
        push = Push(repository=home, tag="1.2.3", digest=DIGEST, media_type=MEDIA_TYPE)
        example = PROVIDERS[hook.provider].example(push, now)
        requests.append(_request("POST", url, hook.path, example.headers, example.body))
    return json.dumps(receivers), requests


def visit(url: str, path: str) -> bytes:
    """A visit of a page."""
    return _request("GET", url, path, {}, b"")


def deliveries(url: str, count: int) -> list[bytes]:
    """One delivery for each of so many Warehouses."""
    return [delivery(url, number) for number in range(count)]


def patches(url: str, token: str, objects: Iterable[Object], *, turns: int = PATCH_TURNS) -> list[bytes]:
    """What the service itself sends to refresh these Warehouses, as a client would that does nothing else."""
    headers = {
        "authorization": f"Bearer {token}",
        "content-type": "application/merge-patch+json",
        "accept": METADATA_ONLY,
    }
    found = []
    paths = _paths(objects)
    started = time.monotonic_ns()
    for turn in range(turns):
        for number, each in enumerate(paths):
            body = json.dumps({"metadata": {"annotations": {ANNOTATION: f"{started}-{turn}-{number}"}}}).encode()
            found.append(_request("PATCH", url, each, headers, body))
    return found


def _paths(objects: Iterable[Object]) -> list[str]:
    found = [each["metadata"] for each in objects]
    return [f"{KARGO}/namespaces/{each['namespace']}/warehouses/{each['name']}" for each in found]


def _request(method: str, url: str, path: str, headers: Mapping[str, str], body: bytes) -> bytes:
    """A request as it goes over the wire."""
    everything = {"host": urlsplit(url).netloc, "content-length": str(len(body)), **headers}
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in everything.items())]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body
