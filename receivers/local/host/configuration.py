"""What an app folder says about its host: ``host.json`` and ``local.settings.json``."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from receivers.local.host.errors import UnusableConfiguration

ROUTE_PREFIX = "api"  # the Functions host's default
ROUTE_PREFIX_SETTING = "AzureFunctionsJobHost__extensions__http__routePrefix"
HOME_PAGE_SETTING = "AzureWebJobsDisableHomepage"


def route_prefix(app_root: Path, environment: Mapping[str, str]) -> str:
    """The path segment in front of every route; ``""`` for none. An app setting overrides ``host.json``.

    https://learn.microsoft.com/azure/azure-functions/functions-host-json#override-hostjson-values
    """
    if ROUTE_PREFIX_SETTING in environment:
        return environment[ROUTE_PREFIX_SETTING].strip("/")
    section: Any = read_object(app_root / "host.json")
    for key in ("extensions", "http"):
        section = section.get(key) or {}
    prefix: str = section.get("routePrefix", ROUTE_PREFIX)
    return prefix.strip("/")


def shows_home_page(environment: Mapping[str, str]) -> bool:
    """Whether ``/`` answers a page that says the host is up."""
    return environment.get(HOME_PAGE_SETTING, "").lower() != "true"


def local_settings(app_root: Path, environment: Mapping[str, str]) -> dict[str, str]:
    """``Values`` of ``local.settings.json``, as Core Tools takes them: a variable that is set already wins.

    No file means no settings.
    """
    file = app_root / "local.settings.json"
    if not file.exists():
        return {}
    document = read_object(file)
    if document.get("IsEncrypted"):
        raise UnusableConfiguration(f"{file} is encrypted: run `func settings decrypt`")
    values = document.get("Values") or {}
    unusable = [name for name, value in values.items() if not isinstance(value, str)]
    if unusable:
        raise UnusableConfiguration(f"{file}: the values of {', '.join(unusable)} must be strings")
    return {name: value for name, value in values.items() if name not in environment}


def read_object(file: Path) -> dict[str, Any]:
    """The JSON object in a file, which an editor of Windows may have given a byte order mark."""
    try:
        document = json.loads(file.read_text("utf-8-sig"))
    except FileNotFoundError:
        raise UnusableConfiguration(f"{file} is missing: every function app has one") from None
    except ValueError as error:
        raise UnusableConfiguration(f"{file} is not JSON: {error}") from None
    if not isinstance(document, dict):
        raise UnusableConfiguration(f"{file} must hold a JSON object")
    return document
