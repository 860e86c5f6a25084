"""Receivers as Kargo's ProjectConfig and ClusterConfig define them.

``spec.webhookReceivers`` says what is wanted; ``status.webhookReceivers`` says under which path Kargo's management
controller published it last. Entries that make no sense are left out: the API server validates these objects, so there
is nothing a user could learn from more.
"""

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import NamedTuple, TypeGuard

import msgspec

from receivers import limits
from receivers.events import Receiver, SecretReference
from receivers.kargo import shallow

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


class Decoded(NamedTuple):
    """What counts of a list of receivers, for :func:`receivers`, and whether it has more entries than are taken."""

    entries: object
    more: bool = False


def decode(encoded: msgspec.Raw) -> Decoded:
    """Take what counts from the JSON of ``webhookReceivers``, of spec or status, in bounded time, whatever it holds."""
    found = shallow.elements(encoded, at_most=limits.RECEIVERS)
    if found is None:
        return Decoded(None)
    return Decoded([_decode_entry(element) for element in found.first], found.more)


_Entry = msgspec.defstruct(
    "_Entry", [(name, msgspec.Raw, msgspec.Raw()) for name in ("name", "path", *KEYS)], frozen=True
)


class _Configuration(msgspec.Struct):
    secret_reference: msgspec.Raw = msgspec.field(name="secretRef", default=msgspec.Raw())


class _Reference(msgspec.Struct):
    name: msgspec.Raw = msgspec.Raw()


def _decode_entry(encoded: msgspec.Raw) -> object:
    try:
        members = msgspec.structs.asdict(msgspec.json.decode(encoded, type=_Entry))
    except shallow.NO_JSON:
        return shallow.OTHER
    present = {key: member for key, member in members.items() if len(member)}
    return {key: _configuration(each) if key in KEYS else shallow.value(each) for key, each in present.items()}


def _configuration(encoded: msgspec.Raw) -> object:
    """A receiver's configuration: its Secret's name and, unless it is large, what stands beside it."""
    try:
        configuration = msgspec.json.decode(encoded, type=_Configuration)
    except shallow.NO_JSON:
        return shallow.OTHER
    small = len(encoded) <= limits.RECEIVER_CONFIGURATION
    members = (shallow.members(encoded) or {}) if small else {}
    found = {name: shallow.value(member) for name, member in members.items()}
    return {**found, "secretRef": _reference(configuration.secret_reference)}


def _reference(encoded: msgspec.Raw) -> object:
    try:
        return {"name": shallow.value(msgspec.json.decode(encoded, type=_Reference).name)}
    except shallow.NO_JSON:
        return None


def receivers(
    configured: object, published: object, *, project: str | None, secrets_namespace: str, source: str
) -> list[Receiver]:
    """The receivers of one config: ``configured`` is its spec's list, ``published`` its status's.

    ``project`` is None for the ClusterConfig. Of two entries with one name the first counts (Kargo's rule). Names and
    paths that are longer than Kubernetes and Kargo write them are none.
    """
    paths = {name: path for name, entry in _entries(published) if (path := _path(entry.get("path")))}
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
            options=_options(entry[key]),
        )
    return list(found.values())


def _entries(value: object) -> Iterator[tuple[str, Mapping[str, object]]]:
    """Each entry of a list that has a name, with that name."""
    if not isinstance(value, list):
        return
    for entry in value:
        if isinstance(entry, Mapping) and _is_name(name := entry.get("name")):
            yield name, entry


def _path(value: object) -> str:
    return value if isinstance(value, str) and len(value) <= limits.PUBLISHED_PATH else ""


def _is_name(value: object) -> TypeGuard[str]:
    return isinstance(value, str) and len(value) <= limits.OBJECT_NAME


def _options(configuration: object) -> dict[str, str]:
    """What a provider may want beyond the Secret: the texts of its part of the entry, as short as names are."""
    members = configuration.items() if isinstance(configuration, Mapping) else ()
    texts = ((name, value) for name, value in members if _is_name(name) and _is_name(value) and value)
    return dict(islice(texts, limits.RECEIVER_OPTIONS))


def _secret_name(configuration: object) -> str:
    reference = configuration.get("secretRef") if isinstance(configuration, Mapping) else None
    name = reference.get("name") if isinstance(reference, Mapping) else None
    return name if _is_name(name) else ""
