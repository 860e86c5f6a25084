"""Azure: everything that may arrive at a receiver of Kargo's ``azure`` kind, told apart by what the body is.

Kargo looks at the User-Agent instead, which Azure Container Registry does not document and Event Grid does not send.
"""

from dataclasses import replace

from receivers.events import Authenticated, Event, Ignored, Malformed, Provider
from receivers.providers import acr, eventgrid
from receivers.wire.authentication import by_url
from receivers.wire.go_json import Json, Reader, member_names, read

_ACR = Reader(acr.Payload)
_UNSUPPORTED = "request does not appear to have originated from a supported service"  # Kargo's words


def parse(proof: Authenticated) -> list[Event]:
    """The events of an ACR webhook or an Event Grid delivery.

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
    return [_event(document, registry=registry)]


def _event(document: Json, *, registry: str) -> Event:
    names = member_names(document)
    if names >= {"eventtype", "resource"}:
        return Ignored("Azure DevOps events are not supported yet")
    if eventgrid.is_event(document):
        return eventgrid.event(document, registry=registry)
    if names & {"action", "target", "request"}:
        return acr.event(_ACR.fit(document), registry=registry)
    raise Malformed(_UNSUPPORTED)


AZURE = Provider(
    name="azure",
    secret_keys=("secret",),
    authentication=by_url,
    parse=parse,
    home=acr.HOME,
    example=acr.example,
    ping=acr.ping,
    registration=acr.REGISTRATION,
)

# The documentation that Kargo's receiver grew from called it so.
ACR = replace(AZURE, name="acr", secret_keys=("secret-token", "secret"), serves=("acr", "azure"))
