"""A service full of recognisable secrets that keeps all it tells, with every logger at DEBUG."""

import base64
import json
import logging
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, urlencode

from receivers.events import Event, Example, Kind, Push, Receiver, WebhookError
from receivers.kargo.configs import KEYS
from receivers.local.azurite import Azurite
from receivers.providers import PROVIDERS
from testbed.fault_proxy import FaultProxy
from testbed.objects import IMAGE, PROJECT, Hook, git_warehouse, project_config, secret, warehouse
from testbed.servers import ApiServer
from tests.collector import AT_ONCE, Collector, running_collector
from tests.local.host.wire import Response
from tests.providers.deliveries import deliver
from tests.service import Service, running_service, until

HOOKS = tuple(
    Hook(provider=name, name=name, secret=f"canary-secret-of-{name}")
    for name, provider in PROVIDERS.items()
    if not provider.serves  # the others are further names of these
    and provider.home.kinds  # what the others are told means what their receivers say
)
AZURE = next(hook for hook in HOOKS if hook.provider == "azure")
ROTATED = Hook(provider="azure", name="rotated", secret="canary-secret-new")
BEFORE = replace(ROTATED, secret="canary-secret-previous")
STALE = Hook(provider="azure", name="stale", secret="canary-secret-stale")
UNKNOWN_TO_KARGO = tuple(hook for hook in HOOKS if hook.provider not in KEYS)  # these stand in the settings
# These may be unable to tell of another registry than their own.
AT_HOME = tuple(hook for hook in HOOKS if hook in UNKNOWN_TO_KARGO or PROVIDERS[hook.provider].home.alone)
STATIC = Hook(provider="quay", name="static", secret="canary-secret-static")
STATIC_BEFORE = replace(STATIC, secret="canary-secret-static-previous")
URLS = (*HOOKS, ROTATED, BEFORE, STALE, STATIC, STATIC_BEFORE)
UNKNOWN_TOKEN = "ca9a27" * 10 + "0000"

PAGES_KEY = "canary-pages-key"
COLLECTOR_KEY = "canary-collector-key"
BODY = "canary-body"  # in every text of a sender that is no name of an artifact
HEADER = "canary-header"
QUERY = "canary-query"
HEADERS = {
    "Authorization": f"Bearer {HEADER}",
    "Cookie": f"session={HEADER}",
    "User-Agent": HEADER,
    "X-Hub-Signature-256": f"sha256={HEADER}",
    "X-Functions-Key": HEADER,
    "X-Registry-Password": HEADER,
}
PUSH = Push(repository=IMAGE, tag="1.2.3", digest="sha256:" + "0" * 64)
COMMITS = Push(repository="https://git.example.com/team/app", ref="refs/heads/main", digest="0" * 40)


@dataclass
class Told:
    """What the service told, by where it did."""

    places: list[tuple[str, str]] = field(default_factory=list)

    def at(self, place: str, text: str | bytes) -> None:
        self.places.append((place, text if isinstance(text, str) else text.decode(errors="replace")))

    def holding(self, canaries: Mapping[str, str]) -> list[str]:
        """Each canary that was found, with where, and what stands around it."""
        return [
            f"{name} in {place}: …{text[max(0, text.index(form) - 80) : text.index(form) + 40]}…"
            for place, text in self.places
            for name, value in canaries.items()
            for form in forms(value)
            if form in text
        ]


def forms(value: str) -> set[str]:
    """How a secret may be written: as it is, percent-encoded, in base64, or half of it, which a mask may leave."""
    half = value[: len(value) // 2] if len(value) >= 64 else value
    return {value, half, quote(value, safe=""), base64.b64encode(value.encode()).decode().rstrip("=")}


class Log(logging.Handler):
    """Keeps every record, formatted, with its arguments as they are."""

    def __init__(self, told: Told) -> None:
        super().__init__()
        self._told = told
        self.setFormatter(logging.Formatter("%(levelname)s %(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        self._told.at(f"log {record.name}", f"{self.format(record)} {record.args!r}")


@contextmanager
def everything_logged(told: Told) -> Iterator[None]:
    """Every logger at DEBUG, whatever its level was before, those that come later included."""
    log = Log(told)
    root = logging.getLogger()
    loggers = [each for each in root.manager.loggerDict.values() if isinstance(each, logging.Logger)]
    before = {each: each.level for each in (root, *loggers)}
    for each in loggers:
        each.setLevel(logging.NOTSET)
    root.setLevel(logging.DEBUG)
    root.addHandler(log)
    try:
        yield
    finally:
        root.removeHandler(log)
        for each, level in before.items():
            each.setLevel(level)


def push(hook: Hook) -> bytes:
    """A push as the sender writes it, with canaries wherever it may write what it likes."""
    provider = PROVIDERS[hook.provider]
    told = PUSH if Kind.IMAGE in provider.home.kinds else COMMITS
    if hook in AT_HOME:
        told = replace(told, repository=provider.home.repository)
    document = json.loads(provider.example(told, datetime.now(UTC)).body)
    document["comment"] = BODY
    meant = _meaning(hook, document)
    for place in list(_texts(document)):
        changed = _with_canary(document, place)
        if _meaning(hook, changed) == meant:
            document = changed
    return json.dumps(document).encode()


def _headers(hook: Hook) -> dict[str, str]:
    """What the sender writes above a push, and what it does not say by its User-Agent."""
    provider = PROVIDERS[hook.provider]
    example = provider.example(PUSH if Kind.IMAGE in provider.home.kinds else COMMITS, datetime.now(UTC))
    return {name.lower(): value for name, value in example.headers.items() if name.lower() != "user-agent"}


def _meaning(hook: Hook, document: object) -> list[Event] | None:
    """What a delivery means; None where it is refused."""
    headers = _headers(hook)
    try:
        return deliver(hook.provider, json.dumps(document).encode(), headers)
    except WebhookError:
        return None


def _texts(value: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:  # noqa: ANN401 - any JSON
    """The places of all texts in a document."""
    if isinstance(value, str):
        yield place
    elif isinstance(value, dict | list):
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _texts(item, (*place, key))


def _with_canary(document: Any, place: tuple[Any, ...]) -> Any:  # noqa: ANN401 - any JSON
    copy = json.loads(json.dumps(document))
    inner = copy
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = BODY
    return copy


@dataclass
class Canaries:
    """A service full of them, and what it told."""

    service: Service
    proxy: FaultProxy
    azurite: Azurite
    collector: Collector
    told: Told

    async def deliver(self, hook: Hook, body: bytes | None = None) -> Response:
        """A push, or this body, that its sender proves."""
        receiver = Receiver(provider=hook.provider, name=hook.name, project=hook.project, source="")
        example = Example(_headers(hook), push(hook) if body is None else body)
        proven = PROVIDERS[hook.provider].proven(example, receiver, hook.secret.encode())
        return await self.post(hook.path, proven.body, headers=proven.headers)

    async def post(self, path: str, body: bytes, *, headers: Mapping[str, str] | None = None) -> Response:
        """A delivery. Its answer is told too."""
        given = {name.lower(): value for name, value in {**HEADERS, **(headers or {})}.items()}
        response = await self.service.post(f"{path}?code={QUERY}", body, headers=given)
        self._answered(f"answer to {path.split('/')[1]}", response)
        return response

    async def ask(self, method: str, path: str, **form: str) -> Response:
        """A page, as who knows the key."""
        response = await self.unlock(method, path, headers={"X-Pages-Key": PAGES_KEY}, **form)
        assert response.status in {200, 303}, f"{method} {path}: {response.status} {response.body.decode()}"
        return response

    async def unlock(self, method: str, path: str, *, headers: Mapping[str, str], **form: str) -> Response:
        """A page, for who has these headers."""
        given = {"Content-Type": "application/x-www-form-urlencoded", **headers}
        response = await self.service.ask(method, path, headers=given.items(), body=urlencode(form).encode())
        self._answered(f"page {method} {path}", response)
        return response

    def _answered(self, place: str, response: Response) -> None:
        headers = [f"{name}: {value}" for name, value in response.headers if name != "set-cookie"]
        self.told.at(place, "\n".join(headers))
        self.told.at(place, response.body)


@asynccontextmanager
async def running_canaries(cluster: ApiServer, azurite: Azurite) -> AsyncIterator[Canaries]:
    static = [
        {"provider": each.provider, "name": each.name, "project": each.project, "secret": each.secret}
        | dict.fromkeys(PROVIDERS[each.provider].requires, PROVIDERS[each.provider].home.repository.partition("/")[0])
        for each in (STATIC, *UNKNOWN_TO_KARGO)
    ]
    static[0]["previousSecret"] = STATIC_BEFORE.secret
    told = Told()
    with everything_logged(told), running_collector() as collector:
        async with (
            FaultProxy(cluster.url, ca_file=cluster.ca_file) as proxy,
            running_service(
                cluster.kubeconfig("kargo-receivers", url=proxy.url),
                ANSWER_BUDGET_SECONDS="2",
                AzureWebJobsStorage=azurite.connection_string,
                CLUSTER_TOKEN="canary-cluster-token",
                COSMOS_KEY="canary-cosmos-key",
                OTEL_EXPORTER_OTLP_ENDPOINT=collector.url,
                OTEL_EXPORTER_OTLP_HEADERS=f"authorization={COLLECTOR_KEY},without-a-value-{COLLECTOR_KEY}",
                PAGES_KEY=PAGES_KEY,
                RECEIVERS=json.dumps(static),
                **AT_ONCE,
            ) as service,
        ):
            with everything_logged(Told()):  # for loggers that were made with the service; the first one listens on

                async def ready() -> bool:
                    return (await service.ask("GET", "/readyz")).status == 200

                await until(ready)
                yield Canaries(service, proxy, azurite, collector, told)


async def prepare(cluster: ApiServer) -> None:
    """Receivers of every provider, one whose Secret was rotated, one whose Secret has changed; Warehouses."""
    known = tuple(hook for hook in HOOKS if hook not in UNKNOWN_TO_KARGO)
    hooks = (*known, ROTATED)
    await cluster.apply(
        project_config((*hooks, STALE)),
        *(secret(hook.secret_name, {PROVIDERS[hook.provider].secret_keys[0]: hook.secret}) for hook in known),
        secret(ROTATED.secret_name, {"secret": ROTATED.secret, "secret-previous": BEFORE.secret}),
        secret(STALE.secret_name, {"secret": "canary-secret-after-the-stale-one"}),
        warehouse("app"),
        *(warehouse(f"from-{hook.name}", image=PROVIDERS[hook.provider].home.repository) for hook in AT_HOME),
        git_warehouse("from-git", repository=COMMITS.repository, branch="main"),
    )
    await cluster.allow_secrets(PROJECT)


def secrets_of(canaries: Canaries) -> dict[str, str]:
    """What must not appear anywhere, by name."""
    connection = dict(part.split("=", 1) for part in canaries.azurite.connection_string.strip(";").split(";"))
    return {
        **{f"token of {hook.name} ({hook.secret})": hook.token for hook in URLS},
        "an unknown token": UNKNOWN_TOKEN,
        "a receiver's secret": "canary-secret",
        "key of the Storage account": connection["AccountKey"],
        "token of the cluster": "token-of-kargo-receivers",
        "CLUSTER_TOKEN": "canary-cluster-token",
        "COSMOS_KEY": "canary-cosmos-key",
        "PAGES_KEY": PAGES_KEY,
        "key of the collector": COLLECTOR_KEY,
        "body": BODY,
        "header": HEADER,
        "query": QUERY,
    }
