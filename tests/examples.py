"""Deliveries and what belongs to them, as the tests need them."""

from datetime import UTC, datetime

from receivers.cluster.refresher import Outcome, Result
from receivers.deliveries.answers import Answer
from receivers.deliveries.delivery import Delivery, new_id
from receivers.events import Decision, Event, Pushed, Receiver, SecretReference, Target
from receivers.journal.journal import Row, State
from testbed.objects import IMAGE, PROJECT

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
APP = Target(PROJECT, "app")
RECEIVER = Receiver(
    provider="azure",
    name="acr",
    project=PROJECT,
    source=f"ProjectConfig {PROJECT}",
    secret=SecretReference(namespace=PROJECT, name="acr-secret"),
    status_path="/azure/the-token",
)
REFRESHED = Answer(status=200, body={"msg": "refreshed 1 warehouse(s)"})


def push(*, image: str = IMAGE, tag: str = "1.2.3", digest: str = "sha256:1f", event_id: str = "") -> Pushed:
    """The event of a pushed image."""
    registry, _, repository = image.partition("/")
    return Pushed(
        repository_urls=(image,),
        qualifiers=(tag,),
        registry=registry,
        repository=repository,
        tag=tag,
        digest=digest,
        sender_event_id=event_id,
    )


def delivery(
    *events: Event, at: datetime = NOON, receiver: Receiver | None = RECEIVER, answer: Answer = REFRESHED
) -> Delivery:
    """An answered delivery; of one push unless told otherwise."""
    return Delivery(
        id=new_id(at),
        received_at=at,
        provider="azure",
        receiver=receiver,
        events=list(events or [push()]),
        answer=answer,
    )


def wanted(target: Target = APP) -> Decision:
    """A Warehouse that is to be refreshed."""
    return Decision(target=target, refresh=True, reason="tag 1.2.3 satisfies ^1.0.0")


def unwanted(target: Target) -> Decision:
    """A Warehouse that is not."""
    return Decision(target=target, refresh=False, reason="tag 1.2.3 does not satisfy ^2.0.0")


def refreshed(value: str = "2026-11-21T12:00:00.100000Z-aaaaaa") -> Outcome:
    """A refresh that went well."""
    return Outcome(result=Result.REFRESHED, attempts=1, value=value)


def row(at: datetime = NOON, *, state: State = State.REFRESHED, provider: str = "azure", project: str = PROJECT) -> Row:
    """A row of the journal, of a push."""
    return Row(
        id=new_id(at),
        received_at=at,
        provider=provider,
        receiver="acr",
        project=project,
        event="push",
        registry="registry.azurecr.io",
        repository="team/app",
        tag="1.2.3",
        state=state,
        status=200,
        events=[push()],
    )
