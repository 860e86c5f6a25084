"""What is explained is what a delivery then does; and what else may have been meant."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from receivers import runtime
from receivers.deliveries import explaining, pushes
from receivers.deliveries.delivery import Delivery
from receivers.directory.coverage import Tellers
from receivers.events import Event, Example, Provider, Receiver, WebhookError, WebhookRequest
from receivers.kargo import paths
from receivers.providers import PROVIDERS
from receivers.runtime import Runtime
from receivers.settings import Settings, StaticReceiver
from receivers.wire import forms
from testbed.fault_proxy import FaultProxy
from testbed.objects import PROJECT, Hook, Object, project_config, promotion, warehouse
from testbed.servers import ApiServer
from tests.providers.deliveries import SAMPLES, sample_body, sample_json, samples

SECRET = "secret-of-every-sample-0123456789"
PROVIDERS_WITH_SAMPLES = sorted({folder.parent.name for folder in samples()})


@pytest.fixture
def chosen_server(running_embedded_server: ApiServer) -> ApiServer:
    """What is compared is this project's alone."""
    return running_embedded_server


@dataclass
class Sample:
    """A recorded delivery to a receiver of its own."""

    folder: Path
    static: StaticReceiver = field(init=False)

    def __post_init__(self) -> None:
        sender = PROVIDERS[self.folder.parent.name]
        told = sample_json(self.folder, "options.json")
        configuration = sample_json(self.folder, "configuration.json")
        self.static = StaticReceiver(
            provider=sender.name,
            name=self.folder.name,
            project=PROJECT,
            secret=SECRET,
            options=told or dict.fromkeys(sender.requires, sender.home.repository.partition("/")[0]),
            configuration=json.dumps(configuration).encode() if configuration else b"",
        )

    def request(self, receiver: Receiver) -> WebhookRequest:
        """As its sender posts it, with what proves it."""
        sender = PROVIDERS[self.static.provider]
        request = WebhookRequest(
            method="POST",
            path=f"/{sender.name}/{paths.token(project=PROJECT, name=receiver.name, secrets=(SECRET.encode(),))}",
            headers=sample_json(self.folder, "headers.json"),
            query={},
            body=sample_body(self.folder),
            received_at=datetime.now(UTC),
        )
        # Gitea signs the JSON, also where it posts a form.
        signed = forms.payload(request) if sender.name == "gitea" else request.body
        proven = sender.proven(Example(request.headers, signed), receiver, SECRET.encode())
        return replace(request, headers=proven.headers)


def wanting(provider: str) -> list[Object]:
    """For each repository that a provider's samples tell of, Warehouses that want all, little and nothing of it."""
    events = [event for folder in (SAMPLES / provider).iterdir() for event in sample_json(folder, "event.json")]
    pushed = [event for event in events if event["type"] == "Pushed"]
    urls = sorted({url for event in pushed for url in event["repository_urls"]})
    subscriptions = [subscription for url in urls for subscription in _subscriptions(url)]
    found = [warehouse(f"w-{number}") for number in range(len(subscriptions))]
    for each, subscription in zip(found, subscriptions, strict=True):
        each["spec"]["subscriptions"] = [subscription]
    closed = sorted({event["url"] for event in events if event["type"] == "PullRequestClosed"})
    selected = [warehouse(name) for name in ("app", "guestbook")]
    selected[0]["metadata"]["labels"] = {"team": "a"}
    return [*found, *selected, *(promotion(f"p-{number}", url) for number, url in enumerate(closed))]


def _subscriptions(url: str) -> list[Object]:
    if "/_git/" in url or url.startswith(("http", "ssh", "git@")):
        return [
            {"git": {"repoURL": url, "branch": "main"}},
            {"git": {"repoURL": url, "commitSelectionStrategy": "NewestTag"}},
            {"git": {"repoURL": url, "branch": "main", "includePaths": ["nowhere"]}},
            {"chart": {"repoURL": url, "name": "app"}},
        ]
    return [
        {"image": {"repoURL": url.lower(), "imageSelectionStrategy": "NewestBuild"}},
        {"image": {"repoURL": url.lower(), "constraint": "^99.0.0"}},
        {"chart": {"repoURL": f"oci://{url.lower()}"}},
        {"chart": {"repoURL": f"oci://myregistry.azurecr.io/{url.lower()}"}},
    ]


async def meaning(service: Runtime, request: WebhookRequest, provider: Provider, receiver: Receiver) -> list[Event]:
    """The events that it would mean; none where it would be refused."""
    until = asyncio.get_running_loop().time() + 60
    try:
        return await service.pipeline.meaning(request, provider, receiver, until=until)
    except WebhookError:
        return []


def patched(proxy: FaultProxy) -> list[str]:
    return sorted({request.path.partition("?")[0].rpartition("/")[2] for request in proxy.sent("PATCH")})


@pytest.mark.parametrize("provider", PROVIDERS_WITH_SAMPLES)
async def test_each_sample_is_explained_as_it_is_then_delivered(
    provider: str, api_server: ApiServer, fault_proxy: FaultProxy
) -> None:
    await api_server.apply(*wanting(provider))
    found = [Sample(folder) for folder in samples() if folder.parent.name == provider]
    told = list[Delivery]()
    settings = Settings(
        kubeconfig=str(api_server.kubeconfig("kargo-receivers", url=fault_proxy.url)),
        answer_budget=30.0,
        receivers=tuple(sample.static for sample in found),
    )
    service = await runtime.start(settings, {}, observers=[told.append])
    refreshed = 0
    try:
        for sample in found:
            fault_proxy.requests.clear()
            receiver = next(each for each in service.directory.receivers() if each.name == sample.static.name)
            request, sender = sample.request(receiver), PROVIDERS[provider]
            events = await meaning(service, request, sender, receiver)
            explanation = await explaining.explain(service.mirror, events, project=PROJECT)
            assert patched(fault_proxy) == []
            await service.pipeline.deliver(request, sender)
            delivery = told.pop()
            assert list(delivery.events) == events, sample.folder
            assert list(delivery.decisions) == list(explanation.decisions), sample.folder
            assert delivery.others == explanation.others
            assert patched(fault_proxy) == sorted(each.target.name for each in explanation.decisions if each.refresh)
            refreshed += explanation.refreshes
    finally:
        await service.close()
    assert refreshed


# What else may have been meant


@pytest.fixture
async def service(api_server: ApiServer) -> AsyncIterator[Runtime]:
    await api_server.apply(
        project_config([Hook()]),
        warehouse("app", image="myregistry.azurecr.io/team/guestbook", constraint="^1.0.0"),
        warehouse("hub", image="team/toolbox"),
        warehouse("theirs", image="myregistry.azurecr.io/team/guestbooks", project="other"),
    )
    service = await runtime.start(Settings(kubeconfig=str(api_server.kubeconfig("kargo-receivers"))), {})
    yield service
    await service.close()


async def alike(service: Runtime, push: str, *, project: str | None = None) -> list[str]:
    explanation = await explaining.explain(service.mirror, pushes.read(push), project=project)
    assert not explanation.refreshes
    return list(explanation.alike)


async def test_where_nobody_subscribes_the_closest_names_are_told(service: Runtime) -> None:
    assert await alike(service, "myregistry.azurecr.io/team/guestbok:1.2.3") == [
        "myregistry.azurecr.io/team/guestbook",
        "myregistry.azurecr.io/team/guestbooks",
    ]
    assert await alike(service, "myregistry.azurecr.io/team/guestbok:1.2.3", project=PROJECT) == [
        "myregistry.azurecr.io/team/guestbook"
    ]
    assert await alike(service, "team/tolbox:1.2.3") == ["team/toolbox"]
    assert await alike(service, "quay.io/nothing/alike:1.2.3") == []


async def test_of_what_somebody_subscribes_to_nothing_else_was_meant(service: Runtime) -> None:
    assert await alike(service, "myregistry.azurecr.io/team/guestbook:2.0.0") == []


async def test_who_can_tell_of_a_push_is_told(service: Runtime) -> None:
    await service.mirror.receivers_ready()
    tellers = await Tellers.among(service.directory.receivers())
    for push, by in (("myregistry.azurecr.io/team/guestbook:1.2.3", ["builds"]), ("team/toolbox:1", [])):
        explanation = await explaining.explain(service.mirror, pushes.read(push), project=PROJECT, tellers=tellers)
        (receivers,) = explanation.told_by.values()
        assert [each.name for each in receivers] == by
