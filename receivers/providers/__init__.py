"""The senders this service understands, by the first segment of their URLs."""

from collections.abc import Mapping
from types import MappingProxyType

from receivers.events import Provider
from receivers.providers import azure, dockerhub, quay

PROVIDERS: Mapping[str, Provider] = MappingProxyType(
    {
        "azure": azure.AZURE,
        "acr": azure.ACR,
        "quay": quay.QUAY,
        "dockerhub": dockerhub.DOCKERHUB,
    }
)
