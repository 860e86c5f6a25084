"""The URLs of receivers, as commands show them."""

from receivers import go_url
from receivers.directory.addresses import Address, addresses, masked
from receivers.kargo import paths
from receivers.local.errors import Unable
from receivers.settings import Settings

__all__ = ["LOCAL", "Address", "addresses", "base_url", "masked"]

LOCAL = "http://127.0.0.1:7071"


def base_url(settings: Settings, given: str | None) -> str:
    """Where the service is: as given, as Kargo's own setting has it, or the local host. Raises :class:`Unable`.

    The first two have the base path in them, as Kargo's own base URL has.
    """
    url = (given or settings.base_url or LOCAL + settings.base_path).rstrip("/")
    try:
        paths.url(url, "", "")
    except go_url.InvalidUrl:
        raise Unable("the base URL is not a URL") from None
    checked(url, called="the base URL")
    return url


def checked(url: str, *, called: str) -> None:
    """Raises :class:`Unable` for what nothing can be sent to. The text does not hold the URL, which may be a secret."""
    if not url.lower().startswith(("https://", "http://")):
        raise Unable(f"{called} must start with https:// or http://")
