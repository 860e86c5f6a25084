"""What each sender can be made to tell, and where it stands in what it posts: found out, not written down."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache
from typing import Any

from receivers.events import Event, Example, Kind, Provider, Push, Pushed, WebhookError
from receivers.kargo import urls
from receivers.providers import PROVIDERS
from tests.providers.deliveries import deliver

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
IMAGE = Push(
    repository="registry.example.com/team/app",
    tag="1.2.3",
    digest=f"sha256:{'5' * 64}",
    media_type="application/vnd.oci.image.index.v1+json",
)
COMMITS = Push(
    repository="https://git.example.com/team/app",
    ref="refs/heads/release",
    digest="5" * 40,
    changed_files=("charts/app/values.yaml",),
)

type Place = tuple[str | int, ...]  # the way to a value in a document


@dataclass(frozen=True)
class Telling:
    """One sender, and a push that it tells of."""

    provider: str
    push: Push

    def __str__(self) -> str:
        return f"{self.provider}-{'git' if self.push.ref else 'image'}"

    @property
    def kind(self) -> Kind:
        """What the push is to a subscription."""
        return Kind.GIT if self.push.ref else Kind.IMAGE

    def example(self, **told: Any) -> Example:  # noqa: ANN401 - any field of a push
        """What the sender posts; with other fields of the push, if they are given."""
        return PROVIDERS[self.provider].example(replace(self.push, **told), NOW)

    def document(self, **told: Any) -> Any:  # noqa: ANN401 - any JSON
        """The body, decoded."""
        return json.loads(self.example(**told).body)

    def read(self, body: bytes) -> list[Event]:
        """What the provider makes of a body that comes with the example's headers."""
        return deliver(self.provider, body, _headers(self))

    def pushed(self, document: object) -> Pushed:
        """The one push that a document tells of."""
        (event,) = self.read(encoded(document))
        assert isinstance(event, Pushed)
        return event

    def named(self, **told: Any) -> str:  # noqa: ANN401
        """The tag or ref of the push, as the event has it."""
        push = replace(self.push, **told)
        return push.ref or push.tag

    def as_named(self, name: str) -> dict[str, str]:
        """The field of a push that gives it another tag or branch."""
        return {"ref": f"refs/heads/{name}"} if self.push.ref else {"tag": name}

    def tells_of_repository(self, event: Pushed) -> bool:
        """Whether a subscription to the push's repository would be found by the event."""
        kinds = event.kinds or (self.kind,)
        normal = {urls.normalise(kind, url) for kind in kinds for url in event.repository_urls}
        return urls.normalise(self.kind, self.push.repository) in normal

    def places(self) -> list[Place]:
        """Where the names stand that decide what a push means: to change one changes what is matched."""
        document = self.document()
        meant = matched(self.read(encoded(document)))
        return [
            place
            for place in texts(document)
            if outcome(self, with_value(document, place, "another/one/more")) != meant
        ]


@cache
def _headers(telling: Telling) -> dict[str, str]:
    """Those of one of its examples; each has an id of its own."""
    return {name.lower(): value for name, value in telling.example().headers.items()}


def tellings() -> list[Telling]:
    """Each sender with each kind of push that it tells of."""
    return [
        Telling(name, push)
        for name, provider in PROVIDERS.items()
        for push, kinds in ((_image_of(provider), {Kind.IMAGE, Kind.CHART}), (COMMITS, {Kind.GIT}))
        if provider.home.kinds & kinds
    ]


def _image_of(provider: Provider) -> Push:
    """A push to a repository that can be this sender's."""
    home = provider.home.repository
    return IMAGE if "://" in home else replace(IMAGE, repository=home)


def encoded(document: object) -> bytes:
    """A document as a sender writes it."""
    return json.dumps(document, ensure_ascii=False).encode(errors="surrogatepass")


def matched(events: list[Event]) -> object:
    """What of a delivery decides whom it refreshes."""
    return [
        (event.repository_urls, event.qualifiers, event.kinds, event.registry_suffix)
        if isinstance(event, Pushed)
        else type(event)
        for event in events
    ]


def outcome(telling: Telling, document: object) -> object:
    """The same of a document, or how it is refused."""
    try:
        return matched(telling.read(encoded(document)))
    except WebhookError as refusal:
        return type(refusal)


def texts(value: Any, place: Place = ()) -> Iterator[Place]:  # noqa: ANN401 - any JSON
    """The places of all texts in a document."""
    if isinstance(value, str):
        yield place
    elif isinstance(value, dict | list):
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from texts(item, (*place, key))


def objects(value: Any, place: Place = ()) -> Iterator[Place]:  # noqa: ANN401 - any JSON
    """The places of all objects in a document."""
    if isinstance(value, dict):
        yield place
    if isinstance(value, dict | list):
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from objects(item, (*place, key))


def at(document: Any, place: Place) -> Any:  # noqa: ANN401 - any JSON
    """What stands in a place."""
    for key in place:
        document = document[key]
    return document


def with_value(document: Any, place: Place, value: object) -> Any:  # noqa: ANN401 - any JSON
    """A copy of the document with another value in a place."""
    copy = json.loads(json.dumps(document))
    at(copy, place[:-1])[place[-1]] = value
    return copy
