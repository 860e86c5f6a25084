"""Receivers as Kargo's ProjectConfig and ClusterConfig define them.

``spec.webhookReceivers`` says what is wanted; ``status.webhookReceivers`` says under which path Kargo's management
controller published it last. Entries that make no sense are left out: the API server validates these objects, so there
is nothing a user could learn from more.
"""

from collections.abc import Mapping
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

GENERIC = "generic"
SENDER = (
    "kargo-receivers/sender"  # the parameter of a generic receiver's first action that says whose requests it takes
)

LARGE = b'"large"'  # in place of a receiver's configuration that is larger than is kept


class Decoded(NamedTuple):
    """What counts of a list of receivers, for :func:`receivers`, and whether it has more entries than are taken."""

    entries: "list[_Entry]"
    more: bool = False
    unread: frozenset[str] | None = frozenset()  # names of entries that cannot be read; None: there may be any


NOTHING = Decoded([])


def decode(encoded: msgspec.Raw) -> Decoded:
    """Take what counts from the JSON of ``webhookReceivers``, of spec or status, in bounded time, whatever it holds."""
    found = shallow.elements(encoded, at_most=limits.RECEIVERS)
    if found is None:
        return NOTHING if not len(encoded) or shallow.value(encoded) is None else Decoded([], unread=None)
    entries = [entry for each in found.first if (entry := _entry(each)) is not None]
    named = len(entries) == len(found.first) and not found.more
    return Decoded(entries, found.more, frozenset(each.name for each in entries if not each.key) if named else None)


class _Entry(NamedTuple):
    """An entry that has a name."""

    name: str
    path: str  # under which Kargo published it
    key: str  # the kind of receiver; empty: none that is known
    configuration: msgspec.Raw  # what the entry has under that key


_Members = msgspec.defstruct(
    "_Members", [(name, msgspec.Raw, msgspec.Raw()) for name in ("name", "path", *KEYS)], frozen=True
)


class _Configuration(msgspec.Struct):
    secret_reference: msgspec.Raw = msgspec.field(name="secretRef", default=msgspec.Raw())


class _Reference(msgspec.Struct):
    name: msgspec.Raw = msgspec.Raw()


def _entry(encoded: msgspec.Raw) -> _Entry | None:
    try:
        members = msgspec.structs.asdict(msgspec.json.decode(encoded, type=_Members))
    except shallow.NO_JSON:
        return None
    name = shallow.value(members["name"])
    path = shallow.value(members["path"])
    if not _is_name(name):
        return None
    key = next((key for key in KEYS if bytes(members[key]).startswith(b"{")), "")
    return _Entry(
        name=name,
        path=path if isinstance(path, str) and len(path) <= limits.PUBLISHED_PATH else "",
        key=key,
        configuration=members[key] if key else msgspec.Raw(),
    )


def receivers(
    configured: Decoded, published: Decoded, *, project: str | None, secrets_namespace: str, source: str
) -> list[Receiver]:
    """The receivers of one config: ``configured`` is its spec's list, ``published`` its status's.

    ``project`` is None for the ClusterConfig. Of two entries with one name the first counts (Kargo's rule). Names and
    paths that are longer than Kubernetes and Kargo write them are none.
    """
    paths = {entry.name: entry.path for entry in published.entries if entry.path}
    found: dict[str, Receiver] = {}
    for entry in configured.entries:
        if not entry.key or entry.name in found:
            continue
        small = len(entry.configuration) <= limits.RECEIVER_CONFIGURATION
        found[entry.name] = Receiver(
            provider=entry.key,
            name=entry.name,
            project=project,
            source=source,
            secret=SecretReference(namespace=secrets_namespace, name=_secret_name(entry.configuration)),
            status_path=paths.get(entry.name, ""),
            options=_options(entry.key, entry.configuration) if small else {},
            configuration=bytes(entry.configuration) if small else LARGE,
        )
    return list(found.values())


def source_of(project: str | None) -> str:
    """Where the receivers of a project are configured, or with None those of the cluster."""
    return "ClusterConfig" if project is None else f"ProjectConfig {project}"


def _is_name(value: object) -> TypeGuard[str]:
    return isinstance(value, str) and len(value) <= limits.OBJECT_NAME


def _options(key: str, configuration: msgspec.Raw) -> dict[str, str]:
    """What a provider may want beyond the Secret: the texts of its part of the entry, as short as names are."""
    return sender_options(configuration) if key == GENERIC else _texts(shallow.members(configuration) or {})


def sender_options(configuration: bytes | msgspec.Raw) -> dict[str, str]:
    """The options of a sender in generic's place: the parameters of the first action, if they name one.

    What is no name of a sender, or is long, is an empty one. Ask only of what is short.
    """
    actions = (shallow.members(msgspec.Raw(configuration)) or {}).get("actions", msgspec.Raw())
    found = shallow.elements(actions, at_most=1)
    first = shallow.members(found.first[0]) if found and found.first else None
    parameters = shallow.members((first or {}).get("parameters", msgspec.Raw())) or {}
    return {SENDER: "", **_texts(parameters)} if SENDER in parameters else {}


def _texts(members: Mapping[str, msgspec.Raw]) -> dict[str, str]:
    values = ((name, shallow.value(member)) for name, member in members.items() if _is_name(name))
    return dict(islice(((name, value) for name, value in values if _is_name(value) and value), limits.RECEIVER_OPTIONS))


def _secret_name(configuration: msgspec.Raw) -> str:
    """Empty where there is none."""
    try:
        reference = msgspec.json.decode(configuration, type=_Configuration).secret_reference
        name = shallow.value(msgspec.json.decode(reference, type=_Reference).name)
    except shallow.NO_JSON:
        return ""
    return name if _is_name(name) else ""
