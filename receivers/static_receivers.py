"""Receivers that stand in the settings instead of in the cluster: a JSON list."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from receivers import limits
from receivers.nearest import nearest

REQUIRED = ("provider", "name", "secret")
SECRETS = ("secret", "previousSecret")
ACTIONS = "actions"  # of a generic receiver: any JSON, which Kargo's rules read
KEYS = ("provider", "name", "project", *SECRETS, ACTIONS)  # of an entry, beside the options of its provider
NAMED = 20  # faults; the rest is counted
_PLAIN_KEY = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,63}")


class Faults(ValueError):
    """What is wrong with a list, by path: ``[2].secret``. Paths and texts quote no value."""

    def __init__(self, by_path: Mapping[str, str]) -> None:
        super().__init__("; ".join(f"{path}: {fault}" for path, fault in by_path.items()))
        self.by_path = _shortened(by_path)


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
    """The receivers of a JSON list. Raises :class:`Faults`."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        raise Faults({"": "must be a JSON list of receivers; it is not JSON"}) from None
    if not isinstance(document, list):
        raise Faults({"": "must be a JSON list of receivers"})
    faults = {f"[{position}]{path}": fault for position, entry in enumerate(document) for path, fault in _faults(entry)}
    if faults:
        raise Faults(faults)
    return tuple(map(_receiver, document))


def read(path: str) -> tuple[StaticReceiver, ...]:
    """The receivers of a file that holds such a list. Raises :class:`Faults`."""
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError, ValueError):
        raise Faults({"": "names a file that cannot be read"}) from None
    return parse(text)


def is_text(text: str) -> bool:
    """Whether this can be written as UTF-8. JSON's escapes and the environment can hold halves of characters."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def shown(key: str) -> str:
    """A key of an entry as a path has it. One that is odd may be anything, and is not shown."""
    return f".{key}" if _PLAIN_KEY.fullmatch(key) else ".(a field with an odd name)"


def instead(key: str, present: Iterable[str]) -> str:
    """The end of a sentence about a missing key: which of those that are there may be meant for it, if any."""
    meant = nearest(key, (each for each in present if each not in KEYS and _PLAIN_KEY.fullmatch(each)))
    return f"; {meant} stands there, which may be meant" if meant else ""


def _shortened(by_path: Mapping[str, str]) -> Mapping[str, str]:
    if len(by_path) <= NAMED:
        return by_path
    return {**dict(islice(by_path.items(), NAMED)), " and more": f"{len(by_path) - NAMED} faults are not named here"}


def _faults(entry: object) -> Iterator[tuple[str, str]]:
    """What is wrong with an entry, by the path in it."""
    if not isinstance(entry, dict):
        yield "", "must be an object"
        return
    for key, value in entry.items():
        fault = _actions_fault(value) if key == ACTIONS else _text_fault(key, value)
        if fault:
            yield shown(key), fault
    for key in REQUIRED:
        if entry.get(key) in (None, ""):
            yield f".{key}", f"must be there{instead(key, entry)}"
    for key in SECRETS:
        if _is_short(entry.get(key)):
            yield f".{key}", f"must have at least {limits.SECRET_SHORTEST} characters"


def _text_fault(key: str, value: object) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        return "must be a string"
    if not is_text(key) or not is_text(value):
        return "must be Unicode text; half of a surrogate pair is none"
    return ""


def _is_short(secret: object) -> bool:
    """An empty one is absent. Blanks at the ends count for the URL, and not for the length."""
    return isinstance(secret, str) and secret != "" and len(secret.strip()) < limits.SECRET_SHORTEST


def _actions_fault(value: object) -> str:
    try:
        _actions(value)
    except ValueError:
        return "must be a list, or a text that holds one as JSON"
    return ""


def _receiver(entry: Mapping[str, Any]) -> StaticReceiver:
    """The receiver of an entry that has no faults."""
    return StaticReceiver(
        provider=entry["provider"],
        name=entry["name"],
        project=entry.get("project") or None,
        secret=entry["secret"],
        previous_secret=entry.get("previousSecret") or None,
        options={key: value for key, value in entry.items() if key not in KEYS and value is not None},
        configuration=_actions(entry.get(ACTIONS)),
    )


def _actions(value: object) -> bytes:
    """The actions of a generic receiver as its configuration; they may be a text that is JSON, as Terraform has it.

    Raises ValueError.
    """
    if value is None:
        return b""
    try:
        actions = json.loads(value) if isinstance(value, str) else value
        written = json.dumps({ACTIONS: actions}).encode()
    except RecursionError:
        raise ValueError from None
    if not isinstance(actions, list):
        raise ValueError  # noqa: TRY004 - as of what is no JSON
    return written
