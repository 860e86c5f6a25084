"""How senders prove themselves."""

from receivers.events import Authenticated, Receiver, WebhookRequest


def by_url(request: WebhookRequest, receiver: Receiver, _secrets: tuple[bytes, ...]) -> Authenticated:
    """The URL is the credential: it was verified when the receiver was found, and the sender has nothing else."""
    return Authenticated(request=request, receiver=receiver)
