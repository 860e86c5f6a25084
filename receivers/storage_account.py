"""How the Storage account is named: by connection string, by the account's name, or by the URLs of its services."""

import re
from collections.abc import Mapping

from receivers import loopback


def configured(environment: Mapping[str, str]) -> bool:
    """Whether a Storage account is named, so that there is a retry queue. Needs no other setting to be right."""
    return bool(
        environment.get("AzureWebJobsStorage")
        or environment.get("AzureWebJobsStorage__accountName")
        or (
            environment.get("AzureWebJobsStorage__queueServiceUri")
            and environment.get("AzureWebJobsStorage__tableServiceUri")
        )
    )


def connection(text: str) -> str:
    """A connection string. Keys in it sign, and are never sent. A shared access signature is."""
    parts = [part.partition("=") for part in text.split(";")]
    signed = any(name.strip().lower() == "sharedaccesssignature" for name, _, _ in parts)
    if signed and any(loopback.in_clear(value.strip()) for _, _, value in parts):
        raise ValueError("must have https:// endpoints, since its shared access signature is sent there")
    return text


def name(text: str) -> str:
    """An account's name."""
    if not re.fullmatch("[a-z0-9]{3,24}", text):
        raise ValueError("must be the name of a Storage account: 3 to 24 lower-case letters and digits, no URL")
    return text


def service(account: str, kind: str) -> str:
    """URL of an account's service in the public cloud, as Azure Functions makes it; ``""`` without a name."""
    return f"https://{account}.{kind}.core.windows.net" if account else ""
