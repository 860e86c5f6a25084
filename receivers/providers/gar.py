"""Google Artifact Registry, and what is left of Container Registry: its Pub/Sub topic, pushed here.

https://cloud.google.com/artifact-registry/docs/configure-notifications and
https://cloud.google.com/pubsub/docs/push: the message in an envelope, or, unwrapped, its data alone.
"""

from base64 import b64decode
from collections.abc import Iterator
from datetime import datetime
from uuid import uuid4

import msgspec

from receivers.events import (
    Authenticated,
    Event,
    Example,
    Home,
    Malformed,
    Provider,
    Push,
    Receiver,
    Registration,
)
from receivers.wire import examples
from receivers.wire.authentication import by_url, chosen
from receivers.wire.claims import ignored, manifest_pushed, pushed_by_digest, shown
from receivers.wire.go_json import INVALID, Reader, member_names, read
from receivers.wire.identity_tokens import IdentityTokens, by_identity_token, lacking


class Message(msgspec.Struct, frozen=True, rename="camel"):
    """Of Pub/Sub."""

    data: str = ""  # in base64
    message_id: str = ""


class Envelope(msgspec.Struct, frozen=True):
    """What Pub/Sub posts unless the subscription is unwrapped."""

    message: Message = Message()


class Notification(msgspec.Struct, frozen=True):
    """What the registry tells."""

    action: str = ""  # INSERT or DELETE
    digest: str = ""  # "europe-docker.pkg.dev/project/repository/app@sha256:…"
    tag: str = ""  # "europe-docker.pkg.dev/project/repository/app:1.2.3", where there is one


# https://cloud.google.com/pubsub/docs/authenticate-push-subscriptions
_TOKENS = IdentityTokens(
    issuers=frozenset({"https://accounts.google.com", "accounts.google.com"}),
    keys="https://www.googleapis.com/oauth2/v3/certs",
)
_ENVELOPE, _NOTIFICATION = Reader(Envelope), Reader(Notification)


def parse(proof: Authenticated) -> list[Event]:
    """What was pushed, or was given another tag."""
    request = proof.request
    document = read(request.body)
    if "message" not in member_names(document):
        return [_event(_NOTIFICATION.fit(document), request.header("x-goog-pubsub-message-id"))]
    message = _ENVELOPE.fit(document).message
    return [_event(_NOTIFICATION.decode(_data(message.data)), message.message_id)]


def _data(written: str) -> bytes:
    try:
        return b64decode(written, validate=True)
    except ValueError:
        raise Malformed(INVALID) from None


def _event(told: Notification, delivery: str) -> Event:
    repository, _, digest = told.digest.partition("@")
    if told.action != "INSERT":
        reason = f"action {shown(told.action)} is no push" if told.action else "the event has no action"
        return ignored(reason, repository)
    if not told.tag:
        return pushed_by_digest(repository)
    named, _, tag = told.tag.rpartition(":")
    registry, _, path = named.partition("/")
    return manifest_pushed(registry=registry, repository=path, tag=tag, digest=digest, sender_event_id=delivery)


def faults(receiver: Receiver) -> Iterator[str]:
    """What a receiver that demands a token does not say of it."""
    if receiver.options.get("authentication") == "identity-token":
        yield from (f"{option}: it is missing, so that no token is accepted" for option in lacking(receiver))


def example(push: Push, _now: datetime) -> Example:
    """What Pub/Sub posts after a push, unwrapped and with its metadata."""
    told = {"action": "INSERT", "digest": f"{push.repository}@{push.digest}"}
    if push.tag:
        told["tag"] = f"{push.repository}:{push.tag}"
    written = examples.json_example(told, user_agent="APIs-Google")
    return Example({**written.headers, "x-goog-pubsub-message-id": str(uuid4().int)[:16]}, written.body)


GAR = Provider(
    name="gar",
    secret_keys=("secret",),
    authentication=chosen(
        "authentication", among={"url": by_url, "identity-token": by_identity_token(_TOKENS)}, usual="url"
    ),
    parse=parse,
    faults=faults,
    home=Home(
        repository="europe-docker.pkg.dev/example/team/app",
        registries="-docker.pkg.dev",
        own=("-docker.pkg.dev", "gcr.io", ".gcr.io"),
    ),
    example=example,
    registration=Registration(
        steps=(
            "In the project: a Pub/Sub topic named gcr, and a subscription to it with delivery type Push and the URL "
            "as endpoint. Wrapped or unwrapped, both are read.",
            "Pub/Sub tries again for seven days. The identity token that it can send is verified "
            "where the receiver has the authentication identity-token; then add --push-auth-service-account.",
        ),
        command='gcloud pubsub subscriptions create kargo --topic gcr --push-endpoint "$URL"',
    ),
)
