"""Receivers that stand in the settings instead of in the cluster: a JSON list."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from receivers import limits

REQUIRED = ("provider", "name", "secret")
SECRETS = ("secret", "previousSecret")
ACTIONS = "actions"  # of a generic receiver: any JSON, which Kargo's rules read
_PLAIN_KEY = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,63}")


@dataclass(frozen=True, slots=True, kw_only=True)
class StaticReceiver:
    """A receiver that stands in the settings instead of in the cluster."""

    provider: str
    name: str
    project: str | None
    secret: str = field(repr=False)
    previous_secret: str | None = field(default=None, repr=False)
    options: Mapping[str, str] = field(default_factory=dict)
    configuration: bytes = b""  # as JSON, of a receiver with actions


def parse(text: str) -> tuple[StaticReceiver, ...]:
    """The receivers of a JSON list. Raises ValueError, which names entry and field, and quotes no value."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        raise ValueError("must be a JSON list of receivers; it is not JSON") from None
    if not isinstance(document, list):
        raise ValueError("must be a JSON list of receivers")  # noqa: TRY004 - all faults of a setting are ValueErrors
    return tuple(_receiver(position, entry) for position, entry in enumerate(document))


def read(path: str) -> tuple[StaticReceiver, ...]:
    """The receivers of a file that holds such a list. Raises ValueError."""
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError, ValueError):
        raise ValueError("names a file that cannot be read") from None
    return parse(text)


def is_text(text: str) -> bool:
    """Whether this can be written as UTF-8. JSON's escapes and the environment can hold halves of characters."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _receiver(position: int, entry: object) -> StaticReceiver:
    if not isinstance(entry, dict):
        raise ValueError(f"entry {position} must be an object")  # noqa: TRY004 - as above
    values = {key: _value(position, key, each) for key, each in entry.items() if each is not None and key != ACTIONS}
    for key in REQUIRED:
        if not values.get(key):
            raise ValueError(f"entry {position} has no {key}")
    for key in SECRETS:
        _refuse_short(position, key, values.get(key, ""))
    return StaticReceiver(
        provider=values.pop("provider"),
        name=values.pop("name"),
        project=values.pop("project", None) or None,
        secret=values.pop("secret"),
        previous_secret=values.pop("previousSecret", None) or None,
        options=values,
        configuration=_actions(position, entry.get(ACTIONS)),
    )


def _actions(position: int, value: object) -> bytes:
    """The actions of a generic receiver as its configuration; they may be a text that is JSON, as Terraform has it."""
    if value is None:
        return b""
    try:
        actions = json.loads(value) if isinstance(value, str) else value
        written = json.dumps({ACTIONS: actions}).encode()
    except (ValueError, RecursionError):
        actions = None
    if not isinstance(actions, list):
        fault = f"entry {position}: {ACTIONS} must be a list, or a text that holds one as JSON"
        raise ValueError(fault)  # noqa: TRY004 - as above
    return written


def _value(position: int, key: str, value: object) -> str:
    name = key if _PLAIN_KEY.fullmatch(key) else "a field with an odd name"
    if not isinstance(value, str):
        raise ValueError(f"entry {position}: {name} must be a string")  # noqa: TRY004 - as above
    if not is_text(key) or not is_text(value):
        raise ValueError(f"entry {position}: {name} must be Unicode text; half of a surrogate pair is none")
    return value


def _refuse_short(position: int, key: str, secret: str) -> None:
    """An empty one is absent. Blanks at the ends count for the URL, and not for the length."""
    if secret and len(secret.strip()) < limits.SECRET_SHORTEST:
        raise ValueError(f"entry {position}: {key} must have at least {limits.SECRET_SHORTEST} characters")
