"""Kargo's generic receiver: any JSON, of which the receiver's own actions say what it means.

Not a sender: whoever configures the receiver knows what comes. What an action says is Kargo's: receivers.kargo.generic.

But a receiver may stand here for one of a sender that Kargo has none for: the parameters of its action name the sender
and give its options. Then it is that sender's receiver in all but its URL and the key of its Secret.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from receivers.events import (
    Authenticated,
    Event,
    Example,
    Faulty,
    Home,
    Malformed,
    Provider,
    Push,
    Receiver,
    Registration,
    Selection,
    Target,
)
from receivers.kargo import generic
from receivers.providers import PROVIDERS, STAND_INS
from receivers.wire import examples
from receivers.wire.authentication import by_url
from receivers.wire.go_json import INVALID, Json, read


def parse(proof: Authenticated) -> list[Event]:
    """What each of the receiver's actions makes of the request. Raises Malformed for a body that is not JSON."""
    request = proof.request
    try:
        body = _plain(read(request.body)) if request.body else None
    except RecursionError:
        raise Malformed(INVALID) from None
    seen = generic.Request(body=body, headers=request.headers, query=request.query, received_at=request.received_at)
    return generic.act(proof.receiver.configuration, seen)


def _plain(document: Json) -> object:
    """As Go decodes it: an object is a map, of equal names the last one counts, and every number is a float."""
    match document:
        case tuple():
            return {name: _plain(value) for name, value in document}
        case list():
            return [_plain(value) for value in document]
        case bool() | None | str():
            return document
        case _:
            return float(document)


def selects(receiver: Receiver) -> tuple[Selection, ...]:
    """What the receiver's actions may select."""
    return generic.selections(receiver.configuration)


def results(
    receiver: Receiver, ended: Sequence[tuple[Event, Sequence[tuple[Target, bool]]]]
) -> Sequence[Mapping[str, object]]:
    """How each action ended, in their order."""
    try:
        actions = generic.actions(receiver.configuration)
    except ValueError:
        return []
    return [generic.result(action, *each) for action, each in zip(actions, ended, strict=False)]


def faults(receiver: Receiver) -> Iterable[str]:
    """What is wrong with its actions, as far as that can be told without any request."""
    return generic.faults(receiver.configuration)


def stands_for(receiver: Receiver) -> Provider | None:
    """The provider of the sender that the receiver names; None where it names none.

    One with a fault takes the sender's requests as far as it can be told whose they are, and refuses each that is
    proven.
    """
    name = generic.sender(receiver.options)
    if name is None:
        return None
    if name not in STAND_INS:
        return _faulty(GENERIC, f"sender must be one of {', '.join(sorted(STAND_INS))}")
    sender = PROVIDERS[name]
    fault = _fault_of(sender, receiver)
    return _faulty(sender, fault) if fault else sender


def _fault_of(sender: Provider, receiver: Receiver) -> str:
    try:
        fault = generic.sender_fault(receiver.configuration, receiver.options) if receiver.configuration else ""
    except ValueError as unreadable:
        return str(unreadable)
    return fault or sender.lacking(receiver.options)


def _faulty(provider: Provider, fault: str) -> Provider:
    return replace(
        provider,
        parse=lambda _: [Faulty(fault)],
        faults=lambda _: [fault],
        results=None,
        laborious=False,
        stands_for=None,
    )


def example(push: Push, now: datetime) -> Example:
    """A push as some pipeline might tell it; whether the receiver's actions understand it is theirs to say."""
    told = {"repository": push.repository, "ref": push.ref} if push.ref else {"image": push.repository, "tag": push.tag}
    return examples.json_example({**told, "timestamp": examples.timestamp(now)}, user_agent="curl/8.5.0")


GENERIC = Provider(
    name="generic",
    secret_keys=("secret",),
    authentication=by_url,
    parse=parse,
    results=results,
    faults=faults,
    laborious=True,
    stands_for=stands_for,
    selects=selects,
    home=Home(repository="registry.example.com/team/app", kinds=frozenset()),
    example=example,
    registration=Registration(
        steps=("Post any JSON to the URL. The receiver's actions say what it means.",),
        command='curl --json \'{"image": "registry.example.com/team/app"}\' "$URL"',
    ),
)
