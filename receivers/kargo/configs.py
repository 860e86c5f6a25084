"""Receivers as Kargo's ProjectConfig and ClusterConfig define them.

``spec.webhookReceivers`` says what is wanted; ``status.webhookReceivers`` says under which path Kargo's management
controller published it last. Entries that make no sense are left out: the API server validates these objects, so there
is nothing a user could learn from more.
"""

from collections.abc import Iterator, Mapping

from receivers.events import Receiver, SecretReference

# An entry has one of these keys. Where it has several the first in this order counts (Kargo's rule).
KEYS = (
    "artifactory",
    "azure",
    "bitbucket",
    "dockerhub",
    "generic",
    "gitea",
    "github",
    "gitlab",
    "harbor",
    "quay",
)


def receivers(
    configured: object, published: object, *, project: str | None, secrets_namespace: str, source: str
) -> list[Receiver]:
    """The receivers of one config: ``configured`` is its spec's list, ``published`` its status's.

    ``project`` is None for the ClusterConfig. Of two entries with one name the first counts (Kargo's rule).
    """
    paths = {name: path for name, entry in _entries(published) if isinstance(path := entry.get("path"), str)}
    found: dict[str, Receiver] = {}
    for name, entry in _entries(configured):
        key = next((key for key in KEYS if isinstance(entry.get(key), Mapping)), None)
        if key is None or name in found:
            continue
        found[name] = Receiver(
            provider=key,
            name=name,
            project=project,
            source=source,
            secret=SecretReference(namespace=secrets_namespace, name=_secret_name(entry[key])),
            status_path=paths.get(name, ""),
        )
    return list(found.values())


def _entries(value: object) -> Iterator[tuple[str, Mapping[str, object]]]:
    """Each entry of a list that has a name, with that name."""
    if not isinstance(value, list):
        return
    for entry in value:
        if isinstance(entry, Mapping) and isinstance(name := entry.get("name"), str):
            yield name, entry


def _secret_name(configuration: object) -> str:
    reference = configuration.get("secretRef") if isinstance(configuration, Mapping) else None
    name = reference.get("name") if isinstance(reference, Mapping) else None
    return name if isinstance(name, str) else ""
