"""What the tests of the providers share: requests as a sender makes them, the samples, and events as JSON."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from receivers.events import Authenticated, Event, Receiver, WebhookRequest
from receivers.providers import PROVIDERS

SAMPLES = Path(__file__).parents[1] / "samples"


def deliver(
    provider: str,
    body: bytes,
    headers: Mapping[str, str] | None = None,
    *,
    method: str = "POST",
    options: Mapping[str, str] | None = None,
    configuration: Any = None,  # noqa: ANN401 - any JSON
) -> list[Event]:
    """What a provider makes of a request."""
    request = WebhookRequest(
        method=method,
        path=f"/{provider}/{'0' * 64}",
        headers=headers or {},
        query={},
        body=body,
        received_at=datetime(2026, 11, 21, tzinfo=UTC),
    )
    sender = PROVIDERS[provider]
    told = options or dict.fromkeys(sender.requires, sender.home.repository.partition("/")[0])
    receiver = Receiver(
        provider=provider,
        name="builds",
        project="demo",
        source="test",
        options=told,
        configuration=json.dumps(configuration).encode() if configuration else b"",
    )
    return sender.parse(Authenticated(request=request, receiver=receiver))


def _plain(value: object) -> object:
    return sorted(value) if isinstance(value, frozenset) else msgspec.to_builtins(value)


def samples() -> list[Path]:
    """The folder of every recorded delivery."""
    return sorted(folder for folder in SAMPLES.glob("*/*") if folder.is_dir())


def sample_json(folder: Path, name: str) -> Any:  # noqa: ANN401  # whatever JSON holds
    """The content of one of a sample's JSON files, ``{}`` where there is none."""
    file = folder / name
    return json.loads(file.read_bytes()) if file.exists() else {}


def sample_body(folder: Path) -> bytes:
    """The body of a sample, byte for byte."""
    (file,) = folder.glob("body.*")
    return file.read_bytes()


def as_json(event: Event) -> dict[str, Any]:
    """An event as the samples write it down: its type, and the fields that differ from their defaults."""
    fields = {
        field.name: value
        for field in msgspec.structs.fields(event)
        if (value := getattr(event, field.name)) or field.required
    }
    normalised = json.loads(json.dumps(fields, default=_plain))
    return {"type": type(event).__name__} | {name: value for name, value in normalised.items() if value != {}}
