"""The senders this service understands, by the first segment of their URLs.

A provider's module is imported when the provider is asked for; what is known of all of them costs nothing.
"""

import importlib
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from receivers.events import Provider

# Module and name.
_KARGO = {
    "azure": ("azure", "AZURE"),
    "acr": ("azure", "ACR"),
    "quay": ("quay", "QUAY"),
    "dockerhub": ("dockerhub", "DOCKERHUB"),
    "harbor": ("harbor", "HARBOR"),
    "artifactory": ("artifactory", "ARTIFACTORY"),
    "bitbucket": ("bitbucket", "BITBUCKET"),
    "gitea": ("gitea", "GITEA"),
    "github": ("github", "GITHUB"),
    "gitlab": ("gitlab", "GITLAB"),
    "generic": ("generic", "GENERIC"),
}
# Kargo has no receivers for these: they stand in the settings, or in a generic one's place.
_BEYOND_KARGO = {
    "distribution": ("distribution", "DISTRIBUTION"),
    "zot": ("zot", "ZOT"),
    "nexus": ("nexus", "NEXUS"),
    "ecr": ("ecr", "ECR"),
    "alibaba": ("alibaba", "ALIBABA"),
    "push": ("push", "PUSH"),
    "cdevents": ("cdevents", "CDEVENTS"),
    "gar": ("gar", "GAR"),
    "refresh": ("refresh", "REFRESH"),
}
_PLACES = _KARGO | _BEYOND_KARGO
GENERIC = "generic"


class _Registry(Mapping[str, "Provider"]):
    def __init__(self, places: Mapping[str, tuple[str, str]]) -> None:
        self._places = places
        self._imported: dict[str, Provider] = {}

    def __getitem__(self, name: str) -> "Provider":
        if name not in self._imported:
            module, attribute = self._places[name]
            self._imported[name] = getattr(importlib.import_module(f"{__name__}.{module}"), attribute)
        return self._imported[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)

    def __contains__(self, name: object) -> bool:
        return name in self._places

    def missing(self, name: str) -> str | None:
        return None if name in self._imported else f"{__name__}.{self._places[name][0]}"


_registry = _Registry(_PLACES)
PROVIDERS: Mapping[str, "Provider"] = _registry
# Every key under which a provider's Secret may hold its secret: known without importing any provider.
SECRET_KEYS = frozenset({"secret", "secret-token", "auth-header"})
# Git hosts: those of these kinds tell of pull requests. Known without importing any provider.
GIT_HOSTS = frozenset({"bitbucket", "gitea", "github", "gitlab"})
# Whose receivers may stand in a generic one's place, in the cluster.
STAND_INS = frozenset(_BEYOND_KARGO)


def missing(name: str) -> str | None:
    """The module that asking for a provider will import; None when it is there already."""
    return _registry.missing(name)


def segment(name: str) -> str:
    """The first segment of the URLs of this provider's receivers in the cluster."""
    return GENERIC if name in STAND_INS else name


def serving(kind: str) -> list["Provider"]:
    """The providers under whose names receivers of this kind are reachable. No other is imported.

    They stand in one module, that of the kind.
    """
    module = _PLACES[kind][0] if kind in _PLACES else ""
    names = [name for name, place in _PLACES.items() if place[0] == module]
    return [PROVIDERS[name] for name in names if kind in PROVIDERS[name].kinds]
