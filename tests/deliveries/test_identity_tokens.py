"""Deliveries that an identity token proves, from a key that is published to the Warehouse that is refreshed."""

import base64
import json
import logging
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import pytest

from receivers import runtime
from receivers.deliveries.answers import Answer
from receivers.deliveries.delivery import Delivery
from receivers.events import WebhookRequest
from receivers.kargo import paths
from receivers.providers.gar import GAR
from receivers.runtime import Runtime
from receivers.settings import Settings, StaticReceiver
from receivers.wire.authentication import by_url, chosen
from receivers.wire.identity_tokens import by_identity_token
from testbed.objects import PROJECT, refresh_of, warehouse
from testbed.servers import ApiServer
from tests.identity_tokens import AUDIENCE, EMAIL, OPTIONS, Place, claims, key_set, publishing, token

SECRET = "the-secret-of-the-receiver"
IMAGE = "europe-docker.pkg.dev/project/team/app"
TOLD = {"action": "INSERT", "digest": f"{IMAGE}@sha256:{'5' * 64}", "tag": f"{IMAGE}:1.2.3"}
BODY = json.dumps({"message": {"data": base64.b64encode(json.dumps(TOLD).encode()).decode()}}).encode()
PATH = f"/gar/{paths.token(project=PROJECT, name='builds', secrets=(SECRET.encode(),))}"


@pytest.fixture
def chosen_server(running_embedded_server: ApiServer) -> ApiServer:
    """Who proves a delivery is no matter of the API server."""
    return running_embedded_server


@dataclass
class Subscription:
    """Pub/Sub, as far as it posts."""

    service: Runtime
    place: Place
    told: list[Delivery]

    async def post(self, headers: Mapping[str, str], *, path: str = PATH, body: bytes = BODY) -> Answer:
        ways = {"url": by_url, "identity-token": by_identity_token(self.place.tokens)}
        provider = replace(GAR, authentication=chosen("authentication", among=ways, usual="url"))
        now = datetime.now(UTC)
        request = WebhookRequest(method="POST", path=path, headers=headers, query={}, body=body, received_at=now)
        return await self.service.pipeline.deliver(request, provider)


@pytest.fixture
async def subscription(api_server: ApiServer) -> AsyncIterator[Subscription]:
    await api_server.apply(warehouse("app", image=IMAGE, constraint="^1.0.0"))
    receiver = StaticReceiver(provider="gar", name="builds", project=PROJECT, secret=SECRET, options=OPTIONS)
    settings = Settings(
        kubeconfig=str(api_server.kubeconfig("kargo-receivers")), receivers_from_file=(receiver,), answer_budget=30.0
    )
    told: list[Delivery] = []
    service = await runtime.start(settings, {}, observers=[told.append])
    async with publishing() as place:
        yield Subscription(service, place, told)
        await service.close()


def proof(kid: str = "one", *, signed_by: str = "", **changed: object) -> dict[str, str]:
    return {"authorization": f"Bearer {token(claims(time.time(), **changed), kid=kid, signed_by=signed_by)}"}


async def test_a_token_proves_a_delivery_and_nothing_else_does(
    subscription: Subscription, api_server: ApiServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    refused = [{}, {"authorization": f"Bearer {SECRET}"}, proof(aud="x"), proof(signed_by="another"), proof("another")]
    for headers in refused:
        answer = await subscription.post(headers)
        assert (answer.status, "error" in answer.body) == (401, True)
    assert not await refresh_of(api_server, "app")
    assert (await subscription.post(proof(), path=f"/gar/{'0' * 64}")).status == 404
    answer = await subscription.post(proof())
    assert (answer.status, answer.body) == (200, {"msg": "refreshed 1 warehouse(s)"})
    assert await refresh_of(api_server, "app")
    assert subscription.place.asked == 1
    noted = caplog.text + "".join(delivery.error for delivery in subscription.told)
    for secret in (EMAIL, AUDIENCE, "eyJ", SECRET):
        assert secret not in noted


async def test_a_key_that_is_new_is_fetched(subscription: Subscription, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("receivers.limits.KEYS_UNKNOWN", 0.0)
    assert (await subscription.post(proof())).status == 200
    subscription.place.document = key_set("two")
    assert (await subscription.post(proof("two"))).status == 200
    assert (await subscription.post(proof("one"))).status == 401
    assert subscription.place.asked == 3


async def test_a_large_body_is_proven_in_its_thread(subscription: Subscription) -> None:
    body = BODY + b" " * 40_000
    assert (await subscription.post({}, body=body)).status == 401
    assert (await subscription.post(proof(), body=body)).status == 200


async def test_without_keys_the_sender_is_told_to_try_again_and_nothing_is_refreshed(
    subscription: Subscription, api_server: ApiServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("receivers.limits.KEYS_RETRY", 0.0)
    subscription.place.status = 500
    answer = await subscription.post(proof())
    assert (answer.status, answer.headers["Retry-After"]) == (503, "10")
    assert subscription.told[-1].error == "the keys that its token is signed with cannot be fetched"
    assert not await refresh_of(api_server, "app")
    subscription.place.status = 200
    assert (await subscription.post(proof())).status == 200
