"""What stays on this machine: addresses and names that lead to it, from wherever they are used."""

import ipaddress
from urllib.parse import urlsplit


def is_loopback(address: str) -> bool:
    """Whether this is an IP address of the loopback device: 127.0.0.0/8, ``::1``, and the former written in IPv6."""
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


def stays_here(url: str) -> bool:
    """Whether what is sent to a URL stays on this machine. A name other than ``localhost`` may lead anywhere."""
    host = _host(url)
    return host == "localhost" or is_loopback(host)


def means_this_machine(authority: str) -> bool:
    """Whether a Host header holds an address of loopback, or a name that every browser takes for one.

    Browsers never ask DNS for ``localhost`` and what ends in it. https://www.rfc-editor.org/rfc/rfc6761#section-6.3
    """
    host = _host(f"//{authority}")
    return host == "localhost" or host.endswith(".localhost") or is_loopback(host)


def in_clear(url: str) -> bool:
    """Whether a secret that is sent to this URL can be read on its way."""
    return url[:7].lower() == "http://" and not stays_here(url)


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""
