"""What an app folder says about its host: ``host.json`` and ``local.settings.json``."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from receivers.local.host.errors import UnusableConfiguration

ROUTE_PREFIX = "api"  # the Functions host's default
HOME_PAGE_SETTING = "AzureWebJobsDisableHomepage"
REFERENCE = re.compile(r"%([^%]+)%")


def route_prefix(app_root: Path, environment: Mapping[str, str]) -> str:
    """The path segment in front of every route; ``""`` for none."""
    prefix: str = extension(app_root, environment, "http").get("routePrefix", ROUTE_PREFIX)
    return prefix.strip("/")


def extension(app_root: Path, environment: Mapping[str, str], name: str) -> dict[str, Any]:
    """A section of ``extensions`` in ``host.json``. App settings override its values, and are strings.

    https://learn.microsoft.com/azure/azure-functions/functions-host-json#override-hostjson-values
    """
    section: dict[str, Any] = (read_object(app_root / "host.json").get("extensions") or {}).get(name) or {}
    prefix = f"AzureFunctionsJobHost__extensions__{name}__"
    overrides = {setting: value for setting, value in environment.items() if setting.startswith(prefix)}
    return section | {setting.removeprefix(prefix): value for setting, value in overrides.items()}


def resolved(text: str, environment: Mapping[str, str]) -> str:
    """What a trigger declares, with the values of the app settings that it names as ``%NAME%``."""
    missing = [name for name in REFERENCE.findall(text) if name not in environment]
    if missing:
        raise UnusableConfiguration(f"a trigger names the app setting {missing[0]}, which is not set")
    return REFERENCE.sub(lambda reference: environment[reference[1]], text)


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
