"""Azure: everything that may arrive at a receiver of Kargo's ``azure`` kind, told apart by what the body is.

Kargo looks at the User-Agent instead, which Azure Container Registry does not document and Event Grid does not send.
"""

from dataclasses import replace
from datetime import datetime

from receivers.events import Authenticated, Event, Example, Kind, Malformed, Provider, Push
from receivers.providers import acr, azure_devops, eventgrid
from receivers.wire.authentication import unsigned
from receivers.wire.go_json import Json, Reader, member_names, read

_ACR = Reader(acr.Payload)
_UNSUPPORTED = "request does not appear to have originated from a supported service"  # Kargo's words


def parse(proof: Authenticated) -> list[Event]:
    """The events of an ACR webhook, an Event Grid delivery or a service hook of Azure DevOps.

    The receiver's option ``registry`` is the login server of pushes that do not name theirs.
    """
    request, registry = proof.request, proof.receiver.options.get("registry", "")
    if request.method == "OPTIONS":
        return [eventgrid.handshake(request)]
    document = read(request.body)
    if request.header("ce-type"):
        return [eventgrid.binary_event(request, document, registry=registry)]
    if isinstance(document, list):
        return eventgrid.batch(document, registry=registry)
    if azure_devops.is_event(document):
        return azure_devops.events(document)
    return [_event(document, registry=registry)]


def _event(document: Json, *, registry: str) -> Event:
    if eventgrid.is_event(document):
        return eventgrid.event(document, registry=registry)
    if member_names(document) & {"action", "target", "request"}:
        return acr.event(_ACR.fit(document), registry=registry)
    raise Malformed(_UNSUPPORTED)


def example(push: Push, now: datetime) -> Example:
    """What Azure DevOps posts after a push of Git, and the registry after any other."""
    return azure_devops.example(push, now) if push.ref else acr.example(push, now)


AZURE = Provider(
    name="azure",
    secret_keys=("secret",),
    # Neither sender signs. Service hooks can have a user name and a password, and both senders can send headers.
    authentication=unsigned,
    parse=parse,
    home=replace(
        acr.HOME,
        kinds=frozenset(Kind),
        own=(*acr.HOME.own, *azure_devops.HOSTS),
        elsewhere=frozenset({Kind.GIT}),  # Azure DevOps Server
    ),
    example=example,
    ping=acr.ping,
    pull_request=azure_devops.pull_request,
    registration=replace(acr.REGISTRATION, steps=(*acr.REGISTRATION.steps, azure_devops.STEP)),
)

# The documentation that Kargo's receiver grew from called it so.
ACR = replace(AZURE, name="acr", secret_keys=("secret-token", "secret"), serves=("acr", "azure"))
