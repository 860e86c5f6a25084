"""The generic receiver, from the request to what its sender is told."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest

from receivers import runtime
from receivers.deliveries import report
from receivers.deliveries.answers import Answer
from receivers.deliveries.delivery import Delivery
from receivers.events import Selected, WebhookRequest
from receivers.journal import rows
from receivers.journal.duplicates import Duplicates
from receivers.journal.journal import State
from receivers.providers import PROVIDERS
from receivers.retries import messages
from receivers.settings import Settings, from_environment
from testbed.fault_proxy import FaultProxy
from testbed.objects import PROJECT, Hook, Object, project_config, refresh_of, secret_of, warehouse
from testbed.servers import ApiServer

HOOK = Hook(provider="generic", name="pipeline")


def action(when: str, **criterion: Any) -> Object:  # noqa: ANN401 - any JSON
    criteria = [{"kind": "Warehouse", **criterion}]
    return {"action": "Refresh", "whenExpression": when, "targetSelectionCriteria": criteria}


ACTIONS = [
    action('request.body.event == "named"', name="${{ request.body.name }}"),
    action('request.body.event == "labelled"', labelSelector={"matchLabels": {"team": "${{ request.body.team }}"}}),
    action('request.body.event == "broken"', name="${{ request.body.none.deeper }}"),
]


@dataclass
class Poster:
    """A service with such a receiver, and who posts to it."""

    service: runtime.Runtime
    told: list[Delivery] = field(default_factory=list)

    async def post(self, document: object) -> Answer:
        request = WebhookRequest(
            method="POST",
            path=HOOK.path,
            headers={},
            query={},
            body=json.dumps(document).encode(),
            received_at=datetime.now(UTC),
        )
        return await self.service.pipeline.deliver(request, PROVIDERS["generic"])


@pytest.fixture
async def poster(api_server: ApiServer, fault_proxy: FaultProxy) -> AsyncIterator[Poster]:
    config = project_config([HOOK])
    config["spec"]["webhookReceivers"][0]["generic"]["actions"] = ACTIONS
    labelled = warehouse("labelled")
    labelled["metadata"]["labels"] = {"team": "a"}
    await api_server.apply(config, secret_of(HOOK), warehouse("app"), labelled, warehouse("other"))
    await api_server.allow_secrets(PROJECT)
    told: list[Delivery] = []
    kubeconfig = str(api_server.kubeconfig("kargo-receivers", url=fault_proxy.url))
    service = await runtime.start(Settings(kubeconfig=kubeconfig, answer_budget=30.0), {}, observers=[told.append])
    yield Poster(service, told)
    fault_proxy.clear()
    await service.close()


def ended(answer: Answer) -> list[str]:
    results = answer.body["results"]
    assert isinstance(results, list)
    return [each["result"] for each in results]


async def test_what_is_named_is_refreshed_and_each_action_is_told(poster: Poster, api_server: ApiServer) -> None:
    answer = await poster.post({"event": "named", "name": "app"})
    assert answer.status == 200
    assert ended(answer) == ["Success", "NotApplicable", "NotApplicable"]
    assert answer.body["results"][0]["selectedTargets"] == [{"namespace": PROJECT, "name": "app", "success": True}]  # type: ignore[index]
    assert await refresh_of(api_server, "app")
    assert not await refresh_of(api_server, "other")


async def test_labels_select_as_they_are_now(poster: Poster, api_server: ApiServer) -> None:
    assert ended(await poster.post({"event": "labelled", "team": "a"}))[1] == "Success"
    assert await refresh_of(api_server, "labelled")
    changed = warehouse("other")
    changed["metadata"]["labels"] = {"team": "b"}
    await api_server.apply(changed)

    async def selects_other() -> bool:
        answer = await poster.post({"event": "labelled", "team": "b"})
        return "Refreshed 1 of 1" in answer.text

    await eventually_so(selects_other)
    assert await refresh_of(api_server, "other")


async def eventually_so(condition: Any) -> None:  # noqa: ANN401 - a coroutine function
    held: list[bool] = []
    while not held:
        held += [True] if await condition() else []


async def test_nothing_that_applies_is_a_success_and_journalled_as_ignored(poster: Poster) -> None:
    answer = await poster.post({"event": "another"})
    assert (answer.status, ended(answer)) == (200, ["NotApplicable"] * 3)
    assert rows.state_of(poster.told[-1]) is State.IGNORED
    assert answer.text == "; ".join(["Request did not match whenExpression"] * 3)


async def test_a_selection_that_fails_is_a_fault_of_the_request(poster: Poster) -> None:
    answer = await poster.post({"event": "broken"})
    assert (answer.status, ended(answer)) == (400, ["NotApplicable", "NotApplicable", "Error"])
    row = rows.row_of(poster.told[-1])
    assert row.state is State.REFUSED
    assert row.reason.startswith("Error evaluating targetSelectionCriteria: ")
    assert "Error evaluating targetSelectionCriteria: " in report.line(poster.told[-1])


async def test_a_body_that_is_not_json_has_no_results(poster: Poster) -> None:
    request = WebhookRequest(
        method="POST", path=HOOK.path, headers={}, query={}, body=b"x", received_at=datetime.now(UTC)
    )
    answer = await poster.service.pipeline.deliver(request, PROVIDERS["generic"])
    assert (answer.status, answer.body) == (400, {"error": "invalid request body"})


async def test_what_is_not_refreshed_is_told_and_may_be_posted_again(poster: Poster, fault_proxy: FaultProxy) -> None:
    fault_proxy.answer(422, times=None, method="PATCH")
    answer = await poster.post({"event": "named", "name": "app"})
    assert (answer.status, ended(answer)[0]) == (503, "Failure")
    assert "Retry-After" in answer.headers


async def test_a_selection_can_wait_in_the_queue_and_be_recognised(poster: Poster) -> None:
    await poster.post({"event": "named", "name": "app"})
    await poster.post({"event": "named", "name": "app"})
    first, second = poster.told
    (message,) = messages.of(first)
    assert messages.decode(messages.encode(message)) == message
    assert isinstance(message.events[0], Selected)
    seen = Duplicates()
    assert (seen.of(first), seen.of(second)) == ("", first.id)
    row = rows.row_of(first)
    assert (row.event, row.state) == ("selection", State.REFRESHED)
    assert "selected by the receiver, ignored, Request did not" in report.line(first)
    assert "-> 200 refreshed kargo-demo/app" in report.line(first)


async def test_a_receiver_of_the_settings_may_have_actions(api_server: ApiServer) -> None:
    await api_server.apply(warehouse("app"))
    entry = {"provider": "generic", "name": "ci", "project": PROJECT, "secret": "s" * 16, "actions": ACTIONS}
    hook = Hook(provider="generic", name="ci", secret="s" * 16)
    kubeconfig = str(api_server.kubeconfig("kargo-receivers"))
    settings = from_environment({"KUBECONFIG": kubeconfig, "RECEIVERS": json.dumps([entry])})
    service = await runtime.start(settings, {})
    try:
        request = WebhookRequest(
            method="POST",
            path=hook.path,
            headers={},
            query={},
            body=b'{"event": "named", "name": "app"}',
            received_at=datetime.now(UTC),
        )
        answer = await service.pipeline.deliver(request, PROVIDERS["generic"])
        assert ended(answer)[0] == "Success"
    finally:
        await service.close()
