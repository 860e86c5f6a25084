"""Senders that Kargo has no receiver for, in a generic receiver's place: from a ProjectConfig to the Warehouse."""

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from http import HTTPStatus

import pytest

from receivers import examples, runtime
from receivers.deliveries.answers import Answer
from receivers.deliveries.delivery import Delivery
from receivers.directory import addresses
from receivers.directory.directory import voucher_of
from receivers.events import Push, WebhookRequest
from receivers.journal import rows
from receivers.providers import PROVIDERS, STAND_INS
from receivers.settings import Settings
from receivers.wire.authentication import by_url, chosen
from receivers.wire.identity_tokens import by_identity_token
from testbed.objects import PROJECT, Hook, Object, project_config, refresh_of, secret_of, warehouse
from testbed.servers import ApiServer
from tests.identity_tokens import OPTIONS, claims, publishing, token

CRITERIA = [{"kind": "Warehouse", "name": "nothing-but-what-the-sender-tells"}]
GENERIC = PROVIDERS["generic"]


def repository_of(name: str) -> str:
    """One of the sender's own."""
    return PROVIDERS[name].home.repository


def parameters_of(name: str) -> dict[str, str]:
    registry = repository_of(name).partition("/")[0]
    selected = {"warehouses": name} if name == "refresh" else {}
    return {"kargo-receivers/sender": name, **dict.fromkeys(PROVIDERS[name].requires, registry), **selected}


STANDING = {name: parameters_of(name) for name in sorted(STAND_INS)} | {
    "of-zot-by-header": {"kargo-receivers/sender": "zot", "registry": "zot.example.com", "authentication": "header"},
    "of-gar-by-token": {"kargo-receivers/sender": "gar", **OPTIONS},
    "of-nobody": {"kargo-receivers/sender": "nobody"},
    "of-azure": {"kargo-receivers/sender": "azure"},
    "of-zot-of-no-registry": {"kargo-receivers/sender": "zot"},
}


def hook(name: str) -> Hook:
    return Hook(provider="generic", name=name)


def configured() -> Object:
    config = project_config([hook(name) for name in STANDING])
    for entry in config["spec"]["webhookReceivers"]:
        action = {"action": "Refresh", "parameters": dict(STANDING[entry["name"]]), "targetSelectionCriteria": CRITERIA}
        entry["generic"]["actions"] = [action]
    return config


@dataclass
class Senders:
    """A service with a receiver of each, and who posts to them."""

    service: runtime.Runtime
    told: list[Delivery] = field(default_factory=list)

    async def post(self, name: str, sender: str, *, secret: bytes | None = None) -> Answer:
        """The sender's own example, proven by the receiver's secret unless it is another."""
        await self.service.mirror.receivers_ready()
        (receiver,) = [each for each in self.service.directory.receivers() if each.name == name]
        address = await addresses.address(self.service.directory, receiver)
        repository = repository_of(sender)
        push = Push(repository=repository, tag="1.2.3", digest=f"sha256:{'5' * 64}", media_type=examples.IMAGE)
        example = GENERIC.proven(
            PROVIDERS[sender].example(push, datetime.now(UTC)), receiver, address.secret if secret is None else secret
        )
        return await self.deliver(name, {key.lower(): value for key, value in example.headers.items()}, example.body)

    async def deliver(self, name: str, headers: dict[str, str], body: bytes) -> Answer:
        request = WebhookRequest(
            method="POST", path=hook(name).path, headers=headers, query={}, body=body, received_at=datetime.now(UTC)
        )
        return await self.service.pipeline.deliver(request, GENERIC)


@pytest.fixture
async def senders(api_server: ApiServer) -> AsyncIterator[Senders]:
    await api_server.apply(
        configured(),
        *(secret_of(hook(name)) for name in STANDING),
        *(warehouse(name, image=repository_of(name)) for name in STAND_INS),
        warehouse("nothing-but-what-the-sender-tells", image="registry.example.com/another"),
    )
    await api_server.allow_secrets(PROJECT)
    told: list[Delivery] = []
    settings = Settings(kubeconfig=str(api_server.kubeconfig("kargo-receivers")), answer_budget=30.0)
    service = await runtime.start(settings, {}, observers=[told.append])
    yield Senders(service, told)
    await service.close()


async def test_each_sender_s_own_example_refreshes_what_subscribes_and_nothing_else(
    senders: Senders, api_server: ApiServer
) -> None:
    for name in STAND_INS:
        answer = await senders.post(name, name)
        assert (name, answer.status, "results" in answer.body) == (name, 200, False)
        assert await refresh_of(api_server, name), name
        row = rows.row_of(senders.told[-1])
        assert (row.provider, row.receiver, row.project) == (name, name, PROJECT)
    assert not await refresh_of(api_server, "nothing-but-what-the-sender-tells")


async def test_one_that_demands_a_header_takes_nothing_without_it(senders: Senders, api_server: ApiServer) -> None:
    refused = await senders.post("of-zot-by-header", "zot", secret=b"another-secret-than-its-own")
    assert refused.status == 401
    assert not await refresh_of(api_server, "zot")
    assert (await senders.post("of-zot-by-header", "zot")).status == 200
    assert await refresh_of(api_server, "zot")


async def test_one_that_demands_an_identity_token_takes_it_and_nothing_else(
    senders: Senders, monkeypatch: pytest.MonkeyPatch
) -> None:
    example = PROVIDERS["gar"].example(Push(repository=repository_of("gar"), tag="1.2.3"), datetime.now(UTC))
    headers = {key.lower(): value for key, value in example.headers.items()}
    async with publishing() as place:
        ways = {"url": by_url, "identity-token": by_identity_token(place.tokens)}
        gar = replace(PROVIDERS["gar"], authentication=chosen("authentication", among=ways, usual="url"))
        monkeypatch.setitem(PROVIDERS._imported, "gar", gar)  # type: ignore[attr-defined]
        assert (await senders.deliver("of-gar-by-token", headers, example.body)).status == 401
        proof = {"authorization": f"Bearer {token(claims(time.time()))}"}
        assert (await senders.deliver("of-gar-by-token", headers | proof, example.body)).status == 200


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("of-nobody", "sender must be one of alibaba, "),
        ("of-azure", "sender must be one of alibaba, "),
        ("of-zot-of-no-registry", "a receiver of zot needs registry"),
    ],
)
async def test_one_with_a_fault_says_so_and_is_not_generic(
    senders: Senders, api_server: ApiServer, name: str, fault: str
) -> None:
    answer = await senders.post(name, "zot")
    assert answer.status == HTTPStatus.BAD_REQUEST
    assert str(answer.body["error"]).startswith(fault)
    assert not await refresh_of(api_server, "nothing-but-what-the-sender-tells")


async def test_a_delivery_that_something_else_vouched_for_is_confirmed_under_generic_s_url(
    senders: Senders, api_server: ApiServer
) -> None:
    await senders.post("zot", "zot")
    (first,) = senders.told
    again = vouched_for(first)
    before = await refresh_of(api_server, "zot")
    assert (await senders.service.pipeline.redeliver(again)).status == 200
    assert await refresh_of(api_server, "zot") != before
    assert again.voucher == ""


def vouched_for(first: Delivery) -> Delivery:
    """The same once more, as the journal gives it back: its URL was vouched for."""
    assert first.receiver is not None
    receiver = replace(first.receiver, provider=first.provider)
    return Delivery(
        id=first.id,
        received_at=datetime.now(UTC),
        provider=first.provider,
        receiver=receiver,
        voucher=voucher_of(hook("zot").token),
        events=list(first.events),
    )


async def test_options_that_change_have_what_was_known_forgotten(senders: Senders, api_server: ApiServer) -> None:
    told: list[tuple[str, int]] = []
    await senders.service.mirror.receivers_ready()
    senders.service.directory.on_vouchers = lambda receiver, vouchers: told.append((receiver.name, len(vouchers)))
    changed = configured()
    for entry in changed["spec"]["webhookReceivers"]:
        if entry["name"] == "zot":
            entry["generic"]["actions"][0]["parameters"]["authentication"] = "header"
    await api_server.apply(changed)
    async with asyncio.timeout(20):
        while not told:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    assert told == [("zot", 0)]
    assert (await senders.post("zot", "zot")).status == 200
    assert told[-1] == ("zot", 1)
