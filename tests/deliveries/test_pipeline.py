"""What becomes of deliveries: what is merged, what fails, and what a fault of ours or of the cluster's leads to."""

import asyncio
import logging
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import pytest

from receivers import limits, runtime
from receivers.deliveries.answers import Answer
from receivers.deliveries.delivery import Delivery, new_id
from receivers.deliveries.reading import BusyError
from receivers.directory.directory import voucher_of
from receivers.events import (
    Authenticated,
    Event,
    Handshake,
    Ignored,
    Malformed,
    Ping,
    Provider,
    PullRequestClosed,
    Pushed,
    Receiver,
    Unauthenticated,
    WebhookRequest,
)
from receivers.providers import PROVIDERS
from receivers.runtime import Runtime
from receivers.settings import Settings, StaticReceiver
from receivers.wire.authentication import by_url
from testbed.fault_proxy import FaultProxy
from testbed.objects import (
    IMAGE,
    PROJECT,
    Hook,
    cluster_config,
    project_config,
    promotion,
    refresh_of,
    secret_of,
    warehouse,
)
from testbed.servers import ApiServer
from testbed.waiting import eventually
from tests.service import until

HOOK = Hook()
OTHER = "registry.azurecr.io/team/other"
BODY = b"canary-body"


@dataclass
class Sender:
    """A sender whose requests mean what the test says."""

    runtime: Runtime
    told: list[Delivery] = field(default_factory=list)

    async def deliver(self, *events: Event, path: str = HOOK.path) -> Answer:
        return await self.send(lambda _: list(events), path=path)

    async def send(self, parse: object, *, path: str = HOOK.path, body: bytes = BODY, **parts: object) -> Answer:
        provider: Provider = replace(PROVIDERS[path.split("/")[1]], parse=parse, **parts)  # type: ignore[arg-type]  # the test's
        request = WebhookRequest(
            method="POST", path=path, headers={}, query={}, body=body, received_at=datetime.now(UTC)
        )
        return await self.runtime.pipeline.deliver(request, provider)

    @property
    def last(self) -> Delivery:
        return self.told[-1]


@pytest.fixture
async def sender(api_server: ApiServer, fault_proxy: FaultProxy) -> AsyncIterator[Sender]:
    """A project with one receiver and two Warehouses, one for each of two images."""
    await api_server.apply(
        project_config([HOOK]),
        secret_of(HOOK),
        warehouse("app", constraint="^1.0.0"),
        warehouse("other", image=OTHER, constraint="^1.0.0"),
    )
    await api_server.allow_secrets(PROJECT)
    told: list[Delivery] = []
    settings = Settings(
        kubeconfig=str(api_server.kubeconfig("kargo-receivers", url=fault_proxy.url)), answer_budget=30.0
    )
    service = await runtime.start(settings, {}, observers=[told.append])
    yield Sender(service, told)
    fault_proxy.clear()
    await service.close()


def pushed(*qualifiers: str, repository: str = IMAGE) -> Pushed:
    return Pushed(
        repository_urls=(repository,),
        qualifiers=qualifiers,
        media_type="application/vnd.oci.image.manifest.v1+json",
    )


# What a delivery means


async def test_the_events_of_a_batch_are_one_delivery(sender: Sender, fault_proxy: FaultProxy) -> None:
    answer = await sender.deliver(
        pushed("1.0.0"), Ignored("x"), pushed("1.0.1"), Ping(), pushed("1.0.2", repository=OTHER)
    )
    assert answer.body == {"msg": "refreshed 2 warehouse(s)"}
    assert len(fault_proxy.sent("PATCH")) == 2


@pytest.mark.parametrize("tags", [["0.1.0", "1.0.0", "0.2.0"], ["1.0.0", "0.1.0"], ["0.1.0", "1.0.0"]])
async def test_one_event_that_wants_a_warehouse_is_enough(sender: Sender, tags: list[str]) -> None:
    answer = await sender.deliver(*map(pushed, tags))
    assert answer.body == {"msg": "refreshed 1 warehouse(s)"}
    (decision,) = sender.last.decisions
    assert decision.refresh
    assert sender.last.others == 1


async def test_a_warehouse_that_does_not_want_it_is_not_patched(
    sender: Sender, api_server: ApiServer, fault_proxy: FaultProxy
) -> None:
    answer = await sender.deliver(pushed("0.1.0"))
    assert (answer.status, answer.body) == (200, {"msg": "refreshed 0 warehouse(s)"})
    (decision,) = sender.last.decisions
    assert not decision.refresh
    assert fault_proxy.sent("PATCH") == []
    assert not await refresh_of(api_server, "app")


async def test_a_warehouse_that_is_gone_does_not_count(
    sender: Sender, api_server: ApiServer, fault_proxy: FaultProxy
) -> None:
    fault_proxy.answer(404, times=None, method="PATCH", path="/warehouses/app")
    answer = await sender.deliver(pushed("1.0.0"), pushed("1.0.0", repository=OTHER))
    assert (answer.status, answer.body) == (200, {"msg": "refreshed 1 warehouse(s)"})


@pytest.mark.parametrize(
    ("events", "answer"),
    [
        ([Ignored("first"), Ignored("second")], {"msg": "ignored: first"}),
        ([Ignored("first"), Ping()], {"msg": "ping event received, webhook is configured correctly"}),
        ([Ignored("first"), Handshake(body={"yes": "it is"})], {"yes": "it is"}),
        ([], {"msg": "ignored: the delivery holds no events"}),
    ],
)
async def test_what_asks_for_an_answer_outranks_what_is_ignored(
    sender: Sender, events: list[Event], answer: dict[str, str]
) -> None:
    assert (await sender.deliver(*events)).body == answer


async def test_the_largest_batch_is_matched_and_refreshed_once(sender: Sender, fault_proxy: FaultProxy) -> None:
    answer = await sender.deliver(*[pushed(f"1.0.{number}") for number in range(5000)])
    assert answer.body == {"msg": "refreshed 1 warehouse(s)"}
    assert len(fault_proxy.sent("PATCH")) == 1


async def test_more_than_a_thousand_warehouses_are_all_refreshed(
    embedded_api_server: ApiServer,
) -> None:
    await embedded_api_server.apply(
        project_config([HOOK]), secret_of(HOOK), *(warehouse(f"app-{number}") for number in range(1050))
    )
    settings = Settings(kubeconfig=str(embedded_api_server.kubeconfig("admin")), answer_budget=120.0)
    service = await runtime.start(settings, {})
    answer = await Sender(service).deliver(pushed("1.0.0"))
    await service.close()
    assert answer.body == {"msg": "refreshed 1050 warehouse(s)"}


# Scopes


async def test_a_receiver_of_a_project_refreshes_in_that_project_alone(sender: Sender, api_server: ApiServer) -> None:
    await api_server.apply(warehouse("app", project="another"))
    await until(lambda: knows(sender, 3))
    assert (await sender.deliver(pushed("1.0.0"))).body == {"msg": "refreshed 1 warehouse(s)"}
    assert not await refresh_of(api_server, "app", "another")


async def test_a_receiver_of_the_cluster_refreshes_in_every_project(sender: Sender, api_server: ApiServer) -> None:
    hook = Hook(project=None, name="everywhere")
    await api_server.apply(
        cluster_config([hook]), secret_of(hook, namespace="kargo-system-resources"), warehouse("app", project="another")
    )
    await api_server.allow_secrets("kargo-system-resources")
    await until(lambda: knows(sender, 3))

    async def known() -> bool:
        return (await sender.deliver(Ping(), path=hook.path)).status == 200

    await until(known)
    assert (await sender.deliver(pushed("1.0.0"), path=hook.path)).body == {"msg": "refreshed 2 warehouse(s)"}
    assert await refresh_of(api_server, "app", "another")


@pytest.mark.parametrize(("project", "count"), [(PROJECT, 1), (None, 2), ("nowhere", 0)])
async def test_a_receiver_in_the_settings_refreshes_in_its_scope(
    api_server: ApiServer, project: str | None, count: int
) -> None:
    await api_server.apply(warehouse("app"), warehouse("app", project="another"))
    hook = Hook(name="static", project=project)
    settings = Settings(
        kubeconfig=str(api_server.kubeconfig("kargo-receivers")),
        receivers_from_file=(StaticReceiver(provider="azure", name="static", project=project, secret=hook.secret),),
        answer_budget=30.0,
    )
    service = await runtime.start(settings, {})
    answer = await Sender(service).deliver(pushed("1.0.0"), path=hook.path)
    await service.close()
    assert answer.body == {"msg": f"refreshed {count} warehouse(s)"}


async def knows(sender: Sender, warehouses: int) -> bool:
    return len(sender.runtime.mirror.index) == warehouses


# Faults


async def test_a_defect_of_ours_is_logged_and_not_echoed(sender: Sender, caplog: pytest.LogCaptureFixture) -> None:
    def broken(_: Authenticated) -> list[Event]:
        raise ZeroDivisionError("a secret detail")

    answer = await sender.send(broken)
    assert (answer.status, answer.encoded()) == (500, b"{}\n")
    defects = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert [record.exc_info[0] for record in defects if record.exc_info] == [ZeroDivisionError]
    assert answer.headers["X-Delivery-Id"] in defects[0].getMessage()
    assert sender.last.error == "a defect of this service; its log has the details"


async def test_a_parser_s_refusal_is_the_sender_s_answer(sender: Sender) -> None:
    def malformed(_: Authenticated) -> list[Event]:
        raise Malformed("line 3 is odd")

    answer = await sender.send(malformed)
    assert (answer.status, answer.body) == (400, {"error": "line 3 is odd"})
    assert sender.last.error == "line 3 is odd"


async def test_a_signature_that_is_wrong_is_refused_before_anything_is_parsed(sender: Sender) -> None:
    def refuse(*_: object) -> None:
        raise Unauthenticated

    def parse(_: Authenticated) -> list[Event]:
        raise AssertionError

    answer = await sender.send(parse, authentication=replace(by_url, verify=refuse))
    assert (answer.status, answer.encoded()) == (401, b"{}\n")
    assert sender.last.error


async def test_an_authenticator_gets_the_secrets_that_count(sender: Sender) -> None:
    def verify(_request: WebhookRequest, _receiver: Receiver, secrets: tuple[bytes, ...], keys: object) -> None:
        assert secrets == (HOOK.secret.encode(),)

    assert (await sender.send(lambda _: [Ping()], authentication=replace(by_url, verify=verify))).status == 200


async def test_warehouses_that_are_not_known_in_time_are_told_as_such(
    sender: Sender, api_server: ApiServer, fault_proxy: FaultProxy
) -> None:
    await api_server.allow_promotions()
    assert (await sender.deliver(Ping())).status == 200  # its receiver is known from now on
    fault_proxy.hold(path="promotions")
    sender.runtime.pipeline._budget = 0.5
    answer = await sender.deliver(PullRequestClosed(url=PULL_REQUEST))
    assert answer.status == 503
    assert not sender.last.matched
    assert sender.last.error == "did not answer in time"


class Hanging:
    """A retry queue that never answers."""

    async def put(self, delivery: Delivery) -> None:
        await asyncio.Event().wait()
        raise AssertionError(delivery)


async def test_a_queue_that_does_not_answer_in_time_is_told_as_such(sender: Sender, fault_proxy: FaultProxy) -> None:
    assert (await sender.deliver(Ping())).status == 200
    fault_proxy.answer(422, times=None, method="PATCH")
    sender.runtime.pipeline._queue, sender.runtime.pipeline._budget = Hanging(), 1.0
    answer = await sender.deliver(pushed("1.0.0"))
    assert (answer.status, answer.headers["Retry-After"]) == (503, str(limits.RETRY_AFTER))
    assert not sender.last.queued
    assert sender.last.error == "the retry queue did not answer in time"


async def test_a_body_that_could_not_be_read_in_time_is_to_be_sent_again(
    sender: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def read(*_: object, **__: object) -> list[Event]:
        raise BusyError("other large requests were read")

    monkeypatch.setattr(sender.runtime.pipeline._reading, "read", read)
    answer = await sender.send(lambda _: [Ping()], body=b"x" * (limits.LARGE_BODY + 1))
    assert (answer.status, answer.body) == (503, {"error": "busy with other large requests, try again later"})
    assert answer.headers["Retry-After"] == str(limits.RETRY_AFTER)
    assert sender.last.error == "other large requests were read"


async def again(sender: Sender, *, voucher: str) -> Answer:
    """The last delivery once more, as if something else had vouched for its URL."""
    delivery = Delivery(
        id=new_id(datetime.now(UTC)), received_at=datetime.now(UTC), provider="azure", receiver=sender.last.receiver
    )
    delivery.events, delivery.voucher = [pushed("1.0.0")], voucher
    return await sender.runtime.pipeline.redeliver(delivery)


async def test_what_something_else_vouched_for_is_refreshed_once_the_cluster_confirms_it(
    sender: Sender, fault_proxy: FaultProxy
) -> None:
    await sender.deliver(Ping())
    assert (await again(sender, voucher=voucher_of(HOOK.token))).body == {"msg": "refreshed 1 warehouse(s)"}
    assert sender.last.voucher == ""
    assert len(fault_proxy.sent("PATCH")) == 1
    assert (await again(sender, voucher=voucher_of("0" * 64))).status == 404
    assert len(fault_proxy.sent("PATCH")) == 1


async def test_what_something_else_vouched_for_is_not_refreshed_while_the_cluster_cannot_confirm_it(
    sender: Sender, fault_proxy: FaultProxy
) -> None:
    await sender.deliver(Ping())
    sender.runtime.secrets._clock = lambda: time.monotonic() + 3600  # what was read of the Secret is old
    fault_proxy.answer(422, times=None, path="/secrets/")
    assert (await again(sender, voucher=voucher_of(HOOK.token))).status == 503
    assert sender.last.voucher
    assert sender.last.error == "the cluster has to verify its URL first"
    assert fault_proxy.sent("PATCH") == []


async def test_an_observer_that_fails_costs_nobody_anything(
    api_server: ApiServer, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(_: Delivery) -> None:
        raise ZeroDivisionError

    told: list[Delivery] = []
    await api_server.apply(project_config([HOOK]), secret_of(HOOK), warehouse("app"))
    settings = Settings(kubeconfig=str(api_server.kubeconfig("admin")), answer_budget=30.0)
    service = await runtime.start(settings, {}, observers=[broken, told.append])
    answer = await Sender(service).deliver(pushed("1.0.0"))
    await service.close()
    assert answer.body == {"msg": "refreshed 1 warehouse(s)"}
    assert [each.answer for each in told] == [answer]
    assert f"delivery {told[0].id} was answered, but not recorded" in caplog.text


async def test_observers_see_the_answer_and_how_long_it_took(sender: Sender) -> None:
    answer = await sender.deliver(pushed("1.0.0"))
    assert sender.last.answer is answer
    assert answer.headers["X-Delivery-Id"] == sender.last.id
    assert sender.last.duration > 0
    assert [step.name for step in sender.last.steps] == ["find", "parse", "match", "refresh"]


async def test_a_large_body_is_read_beside_the_event_loop(sender: Sender) -> None:
    """One at a time, so that it takes half of the time of the others at most."""
    readers: list[threading.Thread] = []

    def parse(_: Authenticated) -> list[Event]:
        readers.append(threading.current_thread())
        return [Ping()]

    assert (await sender.send(parse)).status == 200
    assert (await sender.send(parse, body=b"x" * (limits.LARGE_BODY + 1))).status == 200
    assert [each is threading.main_thread() for each in readers] == [True, False]


# Refreshes in the same moment


async def test_two_deliveries_in_the_same_second_change_the_annotation_twice(
    sender: Sender, api_server: ApiServer
) -> None:
    values = set()
    for _ in range(2):
        await sender.deliver(pushed("1.0.0"))
        values.add(await refresh_of(api_server, "app"))
    assert len(values) == 2


async def test_a_delivery_that_arrives_while_a_patch_is_under_way_gets_a_patch_of_its_own(
    sender: Sender, api_server: ApiServer, fault_proxy: FaultProxy
) -> None:
    fault_proxy.hold(method="PATCH")
    first = asyncio.create_task(sender.deliver(pushed("1.0.0")))
    await fault_proxy.wait_for(1, "PATCH")
    second = asyncio.create_task(sender.deliver(pushed("1.0.1")))
    await until(lambda: under_way(sender, 2))
    fault_proxy.release()
    await asyncio.gather(first, second)
    one, other = fault_proxy.sent("PATCH")
    assert one.json != other.json
    assert fault_proxy.most_at_once("PATCH") == 1
    assert await refresh_of(api_server, "app") in other.body.decode()


async def under_way(sender: Sender, count: int) -> bool:
    """Whether so many deliveries wait for a refresh: one whose patch is under way, and those that follow it."""
    lanes = sender.runtime.refresher._lanes.values()
    return sum(len(lane.served) + (lane.following is not None) for lane in lanes) == count


# Pull requests

PULL_REQUEST = "https://git.example.com/team/app/pull/7"


@asynccontextmanager
async def telling(api_server: ApiServer, fault_proxy: FaultProxy) -> AsyncIterator[Sender]:
    """A service that follows Promotions, since its one receiver's sender tells of pull requests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runtime, "GIT_HOSTS", frozenset(PROVIDERS))
        told: list[Delivery] = []
        kubeconfig = str(api_server.kubeconfig("kargo-receivers", url=fault_proxy.url))
        service = await runtime.start(Settings(kubeconfig=kubeconfig, answer_budget=30.0), {}, observers=[told.append])
        try:
            await eventually(lambda: any(each.resource == "promotions" for each in service.mirror.health()))
            yield Sender(service, told)
        finally:
            await service.close()


async def test_a_closed_pull_request_refreshes_the_promotions_of_the_project_that_wait_for_it(
    sender: Sender, api_server: ApiServer
) -> None:
    await api_server.allow_promotions()
    await api_server.apply(
        promotion("waiting", PULL_REQUEST),
        promotion("other", PULL_REQUEST.upper()),
        promotion("done", PULL_REQUEST, phase="Succeeded"),
    )
    answer = await sender.deliver(PullRequestClosed(url=PULL_REQUEST))
    assert (answer.status, answer.body) == (200, {"msg": "refreshed 1 promotion(s)"})
    assert await refresh_of(api_server, "waiting", kind="Promotion")
    assert not await refresh_of(api_server, "other", kind="Promotion")
    (decision,) = sender.last.decisions
    assert decision.reason == "waits for this pull request"
    assert sender.last.others == 0


async def test_of_another_sender_promotions_are_followed_from_its_first_pull_request_on(
    sender: Sender, api_server: ApiServer
) -> None:
    await api_server.allow_promotions()
    mirror = sender.runtime.mirror
    assert "promotions" not in {each.resource for each in mirror.health()}
    await sender.deliver(PullRequestClosed(url=PULL_REQUEST))
    await eventually(lambda: any(each.resource == "promotions" and each.watching for each in mirror.health()))
    await api_server.apply(promotion("waiting", PULL_REQUEST))
    await eventually(lambda: len(mirror.pull_requests) == 1)


async def test_promotions_are_followed_where_a_sender_tells_of_pull_requests(
    sender: Sender, api_server: ApiServer, fault_proxy: FaultProxy
) -> None:
    await api_server.allow_promotions()
    async with telling(api_server, fault_proxy) as other:
        await eventually(lambda: all(each.watching for each in other.runtime.mirror.health()))
        await api_server.apply(promotion("waiting", PULL_REQUEST))
        await eventually(lambda: len(other.runtime.mirror.pull_requests) == 1)
        assert (await other.deliver(PullRequestClosed(url=PULL_REQUEST))).body == {"msg": "refreshed 1 promotion(s)"}
        await api_server.apply(project_config([]))
        await eventually(lambda: len(other.runtime.mirror.health()) == 3)
        await eventually(lambda: not other.runtime.mirror.pull_requests)


async def test_without_rights_on_promotions_warehouses_are_refreshed_all_the_same(
    sender: Sender, api_server: ApiServer, fault_proxy: FaultProxy
) -> None:
    if "rbac" not in api_server.supports:
        pytest.skip("everything is allowed here")
    async with telling(api_server, fault_proxy) as other:
        await eventually(lambda: other.runtime.mirror.health()[-1].denied)
        assert (await other.deliver(pushed("1.0.0"))).body == {"msg": "refreshed 1 warehouse(s)"}
        assert (await other.deliver(PullRequestClosed(url=PULL_REQUEST))).status == 503
        state = other.runtime.readiness()
        assert state.ready
        assert "promotions" in state.document["missing"]


async def test_a_pull_request_that_nothing_waits_for_is_a_success(sender: Sender, api_server: ApiServer) -> None:
    await api_server.allow_promotions()
    answer = await sender.deliver(PullRequestClosed(url=PULL_REQUEST))
    assert (answer.status, answer.body) == (200, {"msg": "refreshed 0 promotion(s)"})
