"""The nouns every layer shares.

A :class:`WebhookRequest` arrives for a :class:`Receiver`. Its :class:`Provider` authenticates it, which yields an
:class:`Authenticated` proof, and parses it, which yields a list of :data:`Event`. Nothing here does I/O, or knows Azure
or Kubernetes.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Any

import msgspec

type PublicKeys = Mapping[str, Any]  # by id: what a library that is imported late makes of each


class WebhookError(Exception):
    """A request that is refused because of what the sender did.

    ``status`` is the HTTP status to answer. ``message`` is for the person who reads the sender's log: what was wrong,
    and where. It never quotes a secret, a token or a body. ``None`` answers an empty JSON object, as Kargo does.
    """

    status = 400

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or "")
        self.message = message


class Malformed(WebhookError):
    """The body is not what this sender sends."""

    status = 400


class Unauthenticated(WebhookError):
    """The signature or token that this sender owes is missing or wrong."""

    status = 401


class UnknownKey(Unauthenticated):
    """The key that it claims to be signed with is none that is known: there may be newer ones."""


class Unprovable(Exception):
    """Nobody but the sender can prove anything to this receiver. The text says why, and what to do."""


class UnknownReceiver(WebhookError):
    """No receiver has this URL. One answer for every reason, so that the answer tells nothing."""

    status = 404


class TooLarge(WebhookError):
    """The body exceeds the limit."""

    status = 413


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookRequest:
    """One HTTP request, whatever host received it."""

    method: str
    path: str  # as received, percent-decoded: "/azure/1f0c…"
    headers: Mapping[str, str]  # names in lower case
    query: Mapping[str, str]
    body: bytes = field(repr=False)
    received_at: datetime  # timezone-aware, UTC

    def header(self, name: str) -> str:
        """The value of a header, or ``""``. The name's case does not matter."""
        return self.headers.get(name.lower(), "")


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretReference:
    """Where a receiver's Kubernetes Secret is."""

    namespace: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Receiver:
    """A configured receiver, from a ProjectConfig, the ClusterConfig or the settings."""

    provider: str  # the key in the CRD and the path segment: "azure"
    name: str
    project: str | None  # None: cluster scope, refreshes Warehouses of every project
    source: str  # where it is configured, to show: "ProjectConfig kargo-demo"
    secret: SecretReference | None = None  # None: the secret stands in the settings
    # As Kargo's management controller computed it last, so it may be old or not there yet. It holds the URL's token.
    status_path: str = field(default="", repr=False)
    # What a provider needs beyond its secret: the short texts of its configuration, {"registry": …}, with a sender in
    # generic's place those of its parameters; and the whole as JSON, of receivers in the settings their actions alone.
    # kargo/configs.py says what stands for a very large one.
    options: Mapping[str, str] = field(default_factory=dict, hash=False)
    configuration: bytes = field(default=b"", hash=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Authenticated:
    """Proof that a request passed its receiver's checks. Only :meth:`Authentication.authenticate` makes one."""

    request: WebhookRequest
    receiver: Receiver


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """A text that a receiver may have beside its secret, and what it says."""

    about: str
    choices: tuple[str, ...] = ()  # empty: any text


REGISTRY = Option(about="The host of the registry, where a push does not name it.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Authentication:
    """How a sender proves itself, beside knowing the receiver's URL. :mod:`receivers.wire.authentication` makes them.

    ``verify`` raises :class:`Unauthenticated` unless one of the secrets, or of the public keys, proves the request;
    there may be none, and then nothing does. ``prove`` gives the headers by which a sender would prove a body, and
    raises :class:`Unprovable` where only the sender can.
    """

    verify: Callable[[WebhookRequest, Receiver, tuple[bytes, ...], PublicKeys], None]
    prove: Callable[[bytes, Receiver, bytes], Mapping[str, str]]
    # False: the URL, which was verified before, is all that it demands of secrets.
    needs_secret: Callable[[Receiver], bool]
    # Where the keys are published that this receiver's tokens are signed with; empty: it takes none.
    keys: Callable[[Receiver], str] = lambda _: ""
    options: Mapping[str, Option] = field(default_factory=dict)  # of a receiver that it goes by

    def authenticate(
        self,
        request: WebhookRequest,
        receiver: Receiver,
        secrets: tuple[bytes, ...],
        *,
        keys: PublicKeys = MappingProxyType({}),
    ) -> Authenticated:
        """The proof. ``secrets`` are those that count: the present one and, during a rotation, the previous one.

        ``keys`` are those that are published where :attr:`keys` says. Raises :class:`Unauthenticated`, and
        :class:`UnknownKey` where newer ones may prove it.
        """
        self.verify(request, receiver, secrets, keys)
        return Authenticated(request=request, receiver=receiver)


class Kind(StrEnum):
    """What a subscription subscribes to, and so how its URL is normalised."""

    GIT = "git"
    IMAGE = "image"
    CHART = "chart"


class Pushed(msgspec.Struct, frozen=True, kw_only=True, tag="pushed"):
    """Something new is in a repository: an image, a chart, or commits, branches and tags of Git.

    The URLs stand here as the sender wrote them; :mod:`receivers.kargo` normalises them, as each of ``kinds``. With no
    ``kinds`` the media type decides (Kargo's rule). With no ``qualifiers`` every subscriber of the repository is
    refreshed.
    """

    repository_urls: tuple[str, ...]
    kinds: tuple[Kind, ...] = ()
    qualifiers: tuple[str, ...] = ()  # tags, chart versions or full Git refs
    changed_files: frozenset[str] | None = None  # None: not told, or not all of them
    default_branch: str = ""  # of a Git repository, where the sender tells it: "main"
    registry_suffix: str = (
        ""  # ".azurecr.io": the sender does not name its registry, so the URLs are paths in any such one
    )

    # What follows is for people and for recognising duplicates; it decides nothing but media_type.
    registry: str = ""
    repository: str = ""
    tag: str = ""
    digest: str = ""  # of a commit, its hash
    media_type: str = ""
    sender_event_id: str = ""


class PullRequestClosed(msgspec.Struct, frozen=True, kw_only=True, tag="pull-request-closed"):
    """A pull request was merged or turned down, for which Promotions may wait."""

    url: str  # of its page, as the sender wrote it and as a Promotion has it
    sender_event_id: str = ""  # for recognising duplicates


class Requirement(msgspec.Struct, frozen=True):
    """What something has to hold, by one of Kubernetes' operators: In, NotIn, Exists or DoesNotExist."""

    key: str
    operator: str
    values: tuple[str, ...] = ()


class Selection(msgspec.Struct, frozen=True, kw_only=True):
    """Which Warehouses are meant: those that meet all of it."""

    name: str | None = None
    labels: tuple[Requirement, ...] = ()
    subscribed_to: tuple[Requirement, ...] = ()  # the normalised URLs of repositories; In or NotIn


class Selected(msgspec.Struct, frozen=True, kw_only=True, tag="selected"):
    """Whoever configured the receiver says which Warehouses are to be refreshed: those of any selection."""

    selections: tuple[Selection, ...]
    sender_event_id: str = ""  # for recognising duplicates


class Faulty(msgspec.Struct, frozen=True, tag="faulty"):
    """What the receiver's configuration makes of this request is an error."""

    reason: str
    matched: bool = False  # it is one of selecting; the request is one that is meant


class Ping(msgspec.Struct, frozen=True, tag="ping"):
    """The sender tests its registration."""


class Ignored(msgspec.Struct, frozen=True, tag="ignored"):
    """Understood, and nothing to refresh. ``reason`` completes "ignored: …"."""

    reason: str
    repository: str = ""  # what it is about, where that is known; for people


class Handshake(msgspec.Struct, frozen=True, tag="handshake"):
    """The sender wants an answer that proves we want its events; ``body`` and ``headers`` are that answer."""

    body: Mapping[str, str]
    headers: Mapping[str, str] = msgspec.field(default_factory=dict)


type Trigger = Pushed | PullRequestClosed | Selected  # what can refresh something, and so what is stored
type Event = Trigger | Ping | Ignored | Faulty | Handshake


@dataclass(frozen=True, slots=True, kw_only=True)
class Push:
    """A push that a sender can be made to tell of, to try a receiver with."""

    repository: str  # as a subscription has it: "registry.example.com/team/app", "https://git.example.com/team/app"
    tag: str = ""  # of an image or a chart; without one it is a push by digest
    digest: str = ""  # of Git, the commit
    media_type: str = ""
    ref: str = ""  # of Git, and of nothing else: "refs/heads/main"
    changed_files: tuple[str, ...] = ()  # of Git


@dataclass(frozen=True, slots=True)
class Example:
    """What a sender would post. It is whole, so that another server can be tried with it as well."""

    headers: Mapping[str, str]
    body: bytes


_THE_URL = re.compile(r"\bthe URL\b(?! of)")  # in a step of a registration
_SHELL = frozenset('"$`\\!')  # what a shell changes between double quotes


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """How a receiver's URL is registered at the sender."""

    steps: tuple[str, ...]
    command: str = ""  # where there is one; ``$URL`` stands for the receiver's URL
    page: str = ""  # the name of its page of the documentation, where it is not the provider's

    def of(self, url: str) -> "Registration":
        """The same with a receiver's URL filled in. One that a shell would change stays out of the command."""
        steps = tuple(_THE_URL.sub(lambda _: url, step) for step in self.steps)
        return replace(
            self, steps=steps, command=self.command if _SHELL & set(url) else self.command.replace("$URL", url)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Home:
    """Whose pushes a sender tells of."""

    repository: str  # one of its own, made up; of Git where the sender tells of Git
    registries: str = ""  # what the hosts of its registries end in; empty: they may be anywhere
    alone: bool = False  # it tells of those registries alone, and nobody else does
    kinds: frozenset[Kind] = frozenset({Kind.IMAGE, Kind.CHART})  # what it tells of
    # Hosts of its own, of which no other registry or Git host tells: "quay.io", all that end in ".azurecr.io", and all
    # that begin with "containers.", which may be somebody else's too.
    own: tuple[str, ...] = ()
    elsewhere: frozenset[Kind] = frozenset()  # what it also tells of at hosts that are nobody's own: anybody can run it
    anywhere: bool = False  # it tells of whatever it is told, wherever that is
    charts: bool = False  # it tells of classic chart repositories too
    named: bool = False  # a receiver's option "registry", where it has one, says of which registry it tells alone


# What the sender is told of each event of a delivery to this receiver: what it selected, and whether it was refreshed.
type Results = Callable[
    [Receiver, Sequence[tuple[Event, Sequence[tuple[Target, bool]]]]], Sequence[Mapping[str, object]]
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """One sender, and all that is known of it. Whatever else needs to know something of senders asks here.

    ``parse`` raises :class:`Malformed` and nothing else, whatever the bytes. ``example`` writes what the sender posts
    after a push at a time, and ``ping`` what it posts to try a registration out; each has ids of its own, as real ones
    have, and no proof yet: :meth:`proven` adds it. ``pull_request`` writes what it posts when the pull request at a URL
    was merged.
    """

    name: str  # path segment
    secret_keys: tuple[str, ...]  # data keys of the Secret that are accepted, the usual one first
    authentication: Authentication
    parse: Callable[[Authenticated], list[Event]]
    home: Home
    example: Callable[[Push, datetime], Example]
    ping: Callable[[datetime], Example] | None = None  # None: the sender has no such thing
    pull_request: Callable[[str, datetime], Example] | None = None  # None: the sender tells of none
    registration: Registration
    serves: tuple[str, ...] = ()  # keys of receivers reachable under this name; empty: its own name only
    results: Results | None = None  # None: it is told in Kargo's one sentence
    faults: Callable[[Receiver], Iterable[str]] | None = (
        None  # what is wrong with a receiver's configuration, to see it
    )
    # Which Warehouses a receiver selects, whatever is pushed, at most; None: what was pushed decides.
    selects: Callable[[Receiver], Iterable["Selection"]] | None = None
    laborious: bool = False  # its requests are read in a thread, one at a time
    options: Mapping[str, Option] = field(default_factory=dict)  # of a receiver, beside those of its authentication
    requires: tuple[str, ...] = ()  # a receiver's options without which nothing can be understood
    lenient: bool = False  # what is refused it posts again without end, and nothing else until then
    # Whose requests a receiver reached under this name takes instead, as its configuration says; None: this one's.
    stands_for: "Callable[[Receiver], Provider | None] | None" = None

    @property
    def kinds(self) -> tuple[str, ...]:
        """The keys of receivers that are reachable under this name."""
        return self.serves or (self.name,)

    @property
    def takes(self) -> Mapping[str, Option]:
        """All options that a receiver may have."""
        return {**self.options, **self.authentication.options}

    def is_for(self, receiver: Receiver) -> bool:
        """Whether a receiver is reachable under this name."""
        return receiver.provider in self.kinds

    def of(self, receiver: Receiver) -> "Provider":
        """The provider whose requests a receiver takes that is reached under this name: mostly this one."""
        return (self.stands_for and self.stands_for(receiver)) or self

    def lacking(self, options: Mapping[str, str]) -> str:
        """What a receiver with these options needs, that it has not; empty where nothing is missing."""
        missing = [name for name in self.requires if not options.get(name)]
        return f"a receiver of {self.name} needs {' and '.join(missing)}" if missing else ""

    def events(self, proof: Authenticated) -> list[Event]:
        """What a request means. Raises :class:`Malformed`, unless its sender is to be spared that."""
        sender = self.of(proof.receiver)
        try:
            return sender.parse(proof)
        except Malformed as malformed:
            if not sender.lenient:
                raise
            return [Ignored(f"it cannot be read: {malformed.message}")]

    def needs_secret(self, receiver: Receiver) -> bool:
        """Whether a request to this receiver is proven by its secret, beside the URL that the secret makes."""
        return self.of(receiver).authentication.needs_secret(receiver)

    def proven(self, example: Example, receiver: Receiver, secret: bytes) -> Example:
        """The example with what proves it to this receiver. Raises :class:`Unprovable`."""
        proof = self.of(receiver).authentication.prove(example.body, receiver, secret)
        return Example({**example.headers, **proof}, example.body)


class TargetKind(StrEnum):
    """What can be refreshed."""

    WAREHOUSE = "Warehouse"
    PROMOTION = "Promotion"


@dataclass(frozen=True, slots=True, order=True)
class Target:
    """An object to refresh."""

    namespace: str
    name: str
    kind: TargetKind = field(default=TargetKind.WAREHOUSE, hash=False)  # an enumeration's hash is slow

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """Why one Warehouse is refreshed by an event, or is not."""

    target: Target
    refresh: bool
    reason: str  # a short phrase: "tag 1.2.3 satisfies ^1.0.0", "tag latest is not semver", "subscription 2: bad regex"
