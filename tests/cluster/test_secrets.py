"""Secrets are read one by one, kept for seconds, and never in the way of anything else."""

import asyncio
import base64
from collections.abc import AsyncIterator
from typing import Any

import pytest

from receivers import limits
from receivers.bounded import Bounded
from receivers.cluster.api import Api, RefusedError, UnreachableError
from receivers.cluster.availability import Availability, AwayError
from receivers.cluster.secrets import Secret, SecretReader
from receivers.events import SecretReference
from testbed.fault_proxy import FaultProxy
from testbed.objects import PROJECT, SECRET, secret
from testbed.servers import ApiServer
from testbed.waiting import found_away, turns
from tests.cluster.conftest import connect

REFERENCE = SecretReference(namespace=PROJECT, name="quay-secret")
PATH = f"/api/v1/namespaces/{PROJECT}/secrets/quay-secret"


class Clock:
    """A clock that stands unless a test sets it."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def reader(
    api_server: ApiServer, api: Api, availability: Availability, clock: Clock
) -> AsyncIterator[SecretReader]:
    """A reader that may read the Secrets of the project, where there is one."""
    await api_server.apply(secret("quay-secret", {"secret": "first"}))
    await api_server.allow_secrets(PROJECT)
    reader = SecretReader(api, availability, clock=clock)
    yield reader
    await reader.close()


async def test_a_secret_is_read_with_all_its_keys(reader: SecretReader, api_server: ApiServer) -> None:
    await api_server.apply(secret("quay-secret", {"secret-previous": "zeroth", "empty": ""}))
    found = await reader.read(REFERENCE)
    assert found.data == {"secret": b"first", "secret-previous": b"zeroth", "empty": b""}
    assert not found.forbidden


async def test_values_need_not_be_text(reader: SecretReader, api_server: ApiServer) -> None:
    odd = bytes(range(256))
    await api_server.patch("Secret", "quay-secret", PROJECT, {"data": {"odd": base64.b64encode(odd).decode()}})
    assert (await reader.read(REFERENCE)).data["odd"] == odd


async def test_a_secret_without_data_has_none(reader: SecretReader, api_server: ApiServer) -> None:
    await api_server.apply(secret("empty", {}))
    found = await reader.read(SecretReference(namespace=PROJECT, name="empty"))
    assert (found, found.missing) == (Secret(), False)


async def test_a_missing_secret_has_no_data_and_is_not_forbidden(reader: SecretReader) -> None:
    found = await reader.read(SecretReference(namespace=PROJECT, name="missing"))
    assert (found, found.missing) == (Secret(), True)


async def test_a_forbidden_secret_says_so(fault_proxy: FaultProxy, reader: SecretReader) -> None:
    fault_proxy.answer(403, path="/secrets/")
    assert await reader.read(REFERENCE) == Secret(forbidden=True)


async def test_the_data_is_never_shown(reader: SecretReader) -> None:
    assert "first" not in repr(await reader.read(REFERENCE))


# Freshness


async def test_a_secret_is_not_read_again_while_it_is_fresh(
    fault_proxy: FaultProxy, reader: SecretReader, clock: Clock
) -> None:
    await reader.read(REFERENCE)
    clock.now += limits.SECRET_FRESH - 0.1
    await reader.read(REFERENCE)
    assert len(fault_proxy.sent("GET", PATH)) == 1


async def test_a_rotation_counts_once_the_secret_is_no_longer_fresh(
    api_server: ApiServer, reader: SecretReader, clock: Clock
) -> None:
    await reader.read(REFERENCE)
    await api_server.apply(secret("quay-secret", {"secret": "second"}))
    assert (await reader.read(REFERENCE)).data == {"secret": b"first"}
    clock.now += limits.SECRET_FRESH
    assert (await reader.read(REFERENCE)).data == {"secret": b"second"}


async def test_a_secret_that_was_missing_is_found_later(
    api_server: ApiServer, reader: SecretReader, clock: Clock
) -> None:
    late = SecretReference(namespace=PROJECT, name="late")
    assert (await reader.read(late)).data == {}
    await api_server.apply(secret("late", {"secret": "s"}))
    clock.now += limits.SECRET_FRESH
    assert (await reader.read(late)).data == {"secret": b"s"}


async def test_who_wants_it_fresher_gets_it_fresher(api_server: ApiServer, reader: SecretReader, clock: Clock) -> None:
    await reader.read(REFERENCE)
    await api_server.apply(secret("quay-secret", {"secret": "second"}))
    clock.now += 1
    assert (await reader.read(REFERENCE, fresh=0.5)).data == {"secret": b"second"}


# Load


async def test_who_asks_at_the_same_time_shares_one_read(fault_proxy: FaultProxy, reader: SecretReader) -> None:
    found = await asyncio.gather(*(reader.read(REFERENCE) for _ in range(50)))
    assert {each.data["secret"] for each in found} == {b"first"}
    assert len(fault_proxy.sent("GET", PATH)) == 1


async def test_a_reader_that_leaves_does_not_take_the_read_from_others(
    fault_proxy: FaultProxy, reader: SecretReader
) -> None:
    fault_proxy.hold(path=PATH)
    leaves, stays = (asyncio.create_task(reader.read(REFERENCE)) for _ in range(2))
    await fault_proxy.wait_for(1, "GET", PATH)
    leaves.cancel()
    await asyncio.wait([leaves])
    fault_proxy.release()
    assert (await stays).data == {"secret": b"first"}


async def test_few_secrets_are_read_at_once(fault_proxy: FaultProxy, reader: SecretReader) -> None:
    fault_proxy.hold(path="/secrets/")
    references = [SecretReference(namespace=PROJECT, name=f"missing-{number}") for number in range(50)]
    reads = asyncio.gather(*(reader.read(reference) for reference in references))
    await fault_proxy.wait_for(limits.SECRET_READS_IN_FLIGHT, "GET", "/secrets/")
    await turns()
    assert len(fault_proxy.sent("GET", "/secrets/")) == limits.SECRET_READS_IN_FLIGHT
    fault_proxy.release()
    assert await reads == [Secret()] * 50
    assert fault_proxy.most_at_once("GET", "/secrets/") == limits.SECRET_READS_IN_FLIGHT


async def test_what_is_not_urgent_never_delays_what_is(
    fault_proxy: FaultProxy, reader: SecretReader, api_server: ApiServer
) -> None:
    behind = [SecretReference(namespace=PROJECT, name=f"missing-{number}") for number in range(20)]
    fault_proxy.hold(path="/secrets/missing", times=None)
    slow = [asyncio.create_task(reader.read(each, urgent=False)) for each in [*behind, REFERENCE]]
    await fault_proxy.wait_for(limits.SECRET_READS_BEHIND, "GET", "/secrets/missing")
    assert (await reader.read(REFERENCE)).data == {"secret": b"first"}
    assert len(fault_proxy.sent("GET", "/secrets/missing")) == limits.SECRET_READS_BEHIND
    fault_proxy.release()
    fault_proxy.clear()
    await asyncio.gather(*slow)


# What is kept


async def test_only_the_keys_that_are_asked_for_are_kept(
    api_server: ApiServer, api: Api, availability: Availability
) -> None:
    await api_server.apply(secret("quay-secret", {"secret": "first", "password": "x" * 100_000}))
    await api_server.allow_secrets(PROJECT)
    reader = SecretReader(api, availability, keys={"secret"})
    assert (await reader.read(REFERENCE)).data == {"secret": b"first"}
    assert reader._known.used == len("first")


async def test_a_large_value_counts_and_takes_nobody_s_room(
    api_server: ApiServer, fault_proxy: FaultProxy, reader: SecretReader
) -> None:
    """One tenant with nine of them would have every other tenant's Secrets forgotten."""
    await reader.read(REFERENCE)
    large = SecretReference(namespace=PROJECT, name="large")
    await api_server.apply(secret("large", {"secret": "x" * (limits.SECRET_VALUE + 1)}))
    for _ in range(2):
        assert len((await reader.read(large)).data["secret"]) == limits.SECRET_VALUE + 1
    assert len(fault_proxy.requests) == 3
    assert reader._known.used == len("first")


async def test_many_secrets_take_no_more_than_their_room(
    api_server: ApiServer, reader: SecretReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    references = [SecretReference(namespace=PROJECT, name=f"s{number}") for number in range(30)]
    await api_server.apply(*(secret(each.name, {"secret": "x" * limits.SECRET_VALUE}) for each in references))
    reader._known = Bounded(entries=10_000, size=10 * limits.SECRET_VALUE, age=60.0)
    for reference in references:
        await reader.read(reference)
    assert reader._known.used <= 10 * limits.SECRET_VALUE
    assert references[-1] in reader._known


# What goes wrong


async def test_what_was_read_before_counts_while_the_cluster_is_away(
    fault_proxy: FaultProxy, reader: SecretReader, clock: Clock
) -> None:
    await reader.read(REFERENCE)
    assert not (await reader.read(REFERENCE)).stale
    clock.now += 24 * 3600
    fault_proxy.reset(times=None)
    found = await reader.read(REFERENCE)
    assert found.data == {"secret": b"first"}
    assert found.stale


async def test_what_was_read_before_counts_while_the_cluster_hangs(
    fault_proxy: FaultProxy, reader: SecretReader, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "SECRET_WAIT", 0.05)
    await reader.read(REFERENCE)
    clock.now += 60
    fault_proxy.hang()
    found = await reader.read(REFERENCE)
    assert found.data == {"secret": b"first"}
    assert found.stale


async def test_a_cluster_that_is_known_to_be_away_is_not_asked(
    fault_proxy: FaultProxy, reader: SecretReader, clock: Clock, availability: Availability
) -> None:
    await reader.read(REFERENCE)
    fault_proxy.reset(times=None)
    availability.suspect()
    await found_away(availability)
    clock.now += 60
    assert (await reader.read(REFERENCE)).data == {"secret": b"first"}
    with pytest.raises(AwayError):
        await reader.read(SecretReference(namespace=PROJECT, name="never-read"))
    assert len(fault_proxy.sent("GET", "/secrets/")) == 1


async def test_a_read_that_fails_finds_the_cluster_away(
    fault_proxy: FaultProxy, reader: SecretReader, availability: Availability
) -> None:
    fault_proxy.reset(times=None)
    with pytest.raises(UnreachableError):
        await reader.read(REFERENCE)
    await found_away(availability)


async def test_a_server_that_is_away_is_told_when_nothing_was_read_before(
    fault_proxy: FaultProxy, reader: SecretReader
) -> None:
    fault_proxy.reset(times=None)
    with pytest.raises(UnreachableError):
        await reader.read(REFERENCE)
    fault_proxy.clear()
    assert (await reader.read(REFERENCE)).data == {"secret": b"first"}


async def test_an_error_of_the_server_is_not_a_missing_secret(fault_proxy: FaultProxy, reader: SecretReader) -> None:
    fault_proxy.answer(500)
    with pytest.raises(RefusedError) as refused:
        await reader.read(REFERENCE)
    assert refused.value.status == 500


@pytest.mark.parametrize(
    "body",
    [
        b'{"data": {"secret": "not base64!"}}',
        b'{"data": {"secret": "YWJj\xc3\xa9"}}',
        b'{"data": {"secret": 7}}',
        b'{"data": ["secret"]}',
        b'{"data": {"secret": "\xff"}}',
        b"<html>",
        b"",
    ],
)
async def test_an_answer_that_is_no_secret_is_told_and_not_quoted(body: bytes) -> None:
    class Garbling:
        async def get(self, *_: object, **__: object) -> bytes:
            return body

    api: Any = Garbling()
    reader = SecretReader(api, Availability(api))
    with pytest.raises(UnreachableError) as told:
        await reader.read(REFERENCE)
    assert str(told.value) == "a Secret cannot be read: the answer is not what an API server sends"


NAMES = [
    "",
    ".",
    "..",
    "...",
    "../other/secrets/x",
    "%2e%2e",
    "x?watch=1",
    "x#y",
    "a b",
    "ü",
    "Upper",
    "-x",
    "x-",
    "x\n",
]
TOO_LONG = "x" * 1_100_000  # the API server would answer 431


@pytest.mark.parametrize("name", [*NAMES, "x" * 254, TOO_LONG], ids=lambda name: name[:12])
@pytest.mark.parametrize(
    "namespace", ["", ".", "..", "../../../apis", "x" * 64, "with.dot", PROJECT], ids=lambda name: name[:12]
)
async def test_a_reference_that_no_object_can_have_asks_for_nothing(
    fault_proxy: FaultProxy, reader: SecretReader, namespace: str, name: str
) -> None:
    assert await reader.read(SecretReference(namespace=namespace, name=name)) == Secret()
    assert fault_proxy.requests == []


@pytest.mark.parametrize("name", ["x", "a.b-c.d", "1", "x" * 253], ids=lambda name: name[:12])
async def test_a_name_that_kubernetes_allows_is_asked_for(
    fault_proxy: FaultProxy, reader: SecretReader, name: str
) -> None:
    assert await reader.read(SecretReference(namespace=PROJECT, name=name)) == Secret()
    (request,) = fault_proxy.requests
    assert request.path == f"/api/v1/namespaces/{PROJECT}/secrets/{name}"


async def test_closing_stops_reads_under_way(fault_proxy: FaultProxy, reader: SecretReader) -> None:
    fault_proxy.hang()
    read = asyncio.create_task(reader.read(REFERENCE))
    await fault_proxy.wait_for(1)
    await reader.close()
    await asyncio.wait([read])
    assert read.cancelled()


# Rights


async def test_secrets_are_readable_where_a_role_binding_says_so_and_nowhere_else(real_api_server: ApiServer) -> None:
    await real_api_server.apply(secret("quay-secret"), secret("quay-secret", namespace="elsewhere"))
    await real_api_server.allow_secrets(PROJECT)
    async with FaultProxy(real_api_server.url, ca_file=real_api_server.ca_file) as proxy:
        api = connect(real_api_server, proxy.url)
        reader = SecretReader(api, Availability(api))
        assert (await reader.read(REFERENCE)).data == {"secret": SECRET.encode()}
        assert await reader.read(SecretReference(namespace="elsewhere", name="quay-secret")) == Secret(forbidden=True)
        await reader.close()
        await api.close()


@pytest.mark.parametrize(("limit", "value"), [("SECRETS_KEPT", 3), ("SECRETS_BYTES", 3 * len("value"))])
async def test_no_more_secrets_are_kept_than_the_limits(
    api_server: ApiServer, api: Api, monkeypatch: pytest.MonkeyPatch, limit: str, value: int
) -> None:
    monkeypatch.setattr(limits, limit, value)
    references = [SecretReference(namespace=PROJECT, name=f"secret-{number}") for number in range(6)]
    await api_server.apply(*(secret(each.name, {"secret": "value"}) for each in references))
    await api_server.allow_secrets(PROJECT)
    reader = SecretReader(api, Availability(api))
    for each in references:
        await reader.read(each)
    assert [each in reader._known for each in references] == [False] * 3 + [True] * 3
    await reader.close()


async def test_a_secret_vouches_for_three_days_at_most(
    reader: SecretReader, clock: Clock, fault_proxy: FaultProxy
) -> None:
    await reader.read(REFERENCE)
    fault_proxy.reset(times=None, path="/secrets/")
    clock.now += 3 * 24 * 3600.0
    assert (await reader.read(REFERENCE)).stale
    clock.now += 1
    with pytest.raises(UnreachableError):
        await reader.read(REFERENCE)
