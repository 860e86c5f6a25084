"""The base path: what stands before every path of this app, as in Kargo's URLs where its chart puts one there.

The setting is Azure Functions' own, whose host reads it too: it overrides ``routePrefix`` of host.json.
"""

import re
from collections.abc import Mapping

ROUTE_PREFIX = "AzureFunctionsJobHost__extensions__http__routePrefix"
_HOSTS_OWN = ("admin", "runtime")  # paths of the Functions host
_SEGMENT = re.compile(r"(?!\.+$)[A-Za-z0-9._~-]+")


def parse(text: str) -> str:
    """``/webhooks`` for whatever way it is written. Raises ValueError for what the host cannot serve."""
    segments = text.strip("/").split("/")
    if not all(_SEGMENT.fullmatch(segment) for segment in segments):
        raise ValueError("must be a path such as webhooks, of letters, digits and the characters - . _ ~")
    if segments[0].lower() in _HOSTS_OWN:
        raise ValueError(f"must not begin with {segments[0]}, which Azure Functions keeps for itself")
    return "/" + "/".join(segments)


def of(environment: Mapping[str, str]) -> str:
    """The base path, ``""`` for none. Needs no setting to be right."""
    text = environment.get(ROUTE_PREFIX, "").strip()
    try:
        return parse(text) if text else ""
    except ValueError:
        return ""
