"""Requests and receivers for what proves a sender."""

from datetime import UTC, datetime

from receivers.events import Receiver, WebhookRequest


def receiver(provider: str = "tried", **options: str) -> Receiver:
    """A receiver with these options."""
    return Receiver(provider=provider, name="r", project=None, source="", options=options)


def request(body: bytes, **headers: str) -> WebhookRequest:
    """A request with these headers; an underscore stands for a hyphen."""
    return WebhookRequest(
        method="POST",
        path="/tried/0",
        headers={name.replace("_", "-"): value for name, value in headers.items()},
        query={},
        body=body,
        received_at=datetime(2026, 1, 1, tzinfo=UTC),
    )
