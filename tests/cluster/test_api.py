"""The few calls to a cluster, answered well, badly and not at all."""

import asyncio
import contextlib
import functools
import json
import ssl
import tracemalloc
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from receivers import limits
from receivers.cluster.api import KARGO, Api, ClusterError, RefusedError, TooLargeError, UnreachableError
from receivers.cluster.credentials import Connection, CredentialsError, FixedHeader
from testbed.fault_proxy import FaultProxy
from testbed.objects import PROJECT, warehouse
from testbed.processes import free_port
from testbed.servers import ApiServer, RealServer

CANARY = "canary-token"
WAREHOUSES = f"{KARGO}/warehouses"
TIMEOUT = 10.0  # seconds, for calls that are answered


def api_at(url: str, *, tls: ssl.SSLContext | None = None, name: str | None = None) -> Api:
    return Api(Connection(server=url, tls=tls, authorization=FixedHeader(f"Bearer {CANARY}"), tls_server_name=name))


async def failure(call: Awaitable[object]) -> ClusterError:
    """What the call fails with, which tells no address and no token."""
    with pytest.raises(ClusterError) as failed:
        await call
    text = str(failed.value)
    assert not [each for each in ("127.0.0.1", "http", CANARY, "Bearer", "token-of") if each in text], text
    assert len(text) <= limits.FREE_TEXT + 4
    return failed.value


@contextlib.asynccontextmanager
async def speaking(answer: bytes, *, then_closes: bool = True) -> AsyncIterator[Api]:
    """An API whose server sends these bytes, whatever it is asked."""

    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(answer)
            await writer.drain()
            if not then_closes:
                await reader.read()
        writer.close()

    server = await asyncio.start_server(speak, "127.0.0.1", 0)
    api = api_at(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
    try:
        yield api
    finally:
        await api.close()
        server.close()
        await server.wait_closed()


def http(status: str, body: bytes = b"", *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Connection: close", *headers]
    return "\r\n".join([*lines, "", ""]).encode() + body


async def lines_of(api: Api, *, silence: float = TIMEOUT) -> list[bytes]:
    """What a watch yields until it ends."""
    return [line async for line in api.watch(WAREHOUSES, params={"watch": "1"}, silence=silence)]


# Answered well


async def test_a_list_is_read_page_by_page_as_it_is_asked_for(api: Api, api_server: ApiServer) -> None:
    await api_server.apply(*(warehouse(name) for name in ("a", "b", "c")))
    page = json.loads(await api.get(WAREHOUSES, params={"limit": "2"}, timeout=TIMEOUT))
    rest = {"limit": "2", "continue": page["metadata"]["continue"]}
    last = json.loads(await api.get(WAREHOUSES, params=rest, timeout=TIMEOUT))
    assert [each["metadata"]["name"] for each in page["items"] + last["items"]] == ["a", "b", "c"]


async def test_an_object_is_patched(api: Api, api_server: ApiServer) -> None:
    await api_server.apply(warehouse("guestbook"))
    path = f"{KARGO}/namespaces/{PROJECT}/warehouses/guestbook"
    await api.merge_patch(path, b'{"metadata":{"annotations":{"a":"b"}}}', timeout=TIMEOUT)
    found = await api_server.get("Warehouse", "guestbook", PROJECT)
    assert found is not None
    assert found["metadata"]["annotations"] == {"a": "b"}


async def test_a_question_about_rights_is_posted(api: Api) -> None:
    attributes = {"verb": "patch", "group": "kargo.akuity.io", "resource": "warehouses"}
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": attributes},
    }
    path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
    answer = json.loads(await api.post(path, json.dumps(review).encode(), timeout=TIMEOUT))
    assert answer["status"]["allowed"] is True


async def test_a_watch_yields_an_empty_line_once_it_stands_and_then_its_events(api: Api, api_server: ApiServer) -> None:
    await api_server.apply(warehouse("guestbook"))
    watch = api.watch(WAREHOUSES, params={"watch": "1"}, silence=TIMEOUT)
    async with contextlib.aclosing(watch) as lines:
        assert await anext(lines) == b""
        event = json.loads(await anext(lines))
    assert (event["type"], event["object"]["metadata"]["name"]) == ("ADDED", "guestbook")


async def test_a_watch_that_its_reader_leaves_is_closed(
    api: Api, api_server: ApiServer, fault_proxy: FaultProxy
) -> None:
    await api_server.apply(warehouse("guestbook"))
    async with contextlib.aclosing(api.watch(WAREHOUSES, params={"watch": "1"}, silence=TIMEOUT)) as lines:
        await anext(lines)
        assert len(fault_proxy.watches) == 1
    # The proxy learns of it when it next writes.
    await api_server.apply(warehouse("other"))
    async with asyncio.timeout(TIMEOUT):
        while fault_proxy.watches:  # noqa: ASYNC110 - the proxy tells of what begins, not of what ends
            await asyncio.sleep(0.01)


def open_descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


async def test_a_watch_over_tls_leaves_no_connection_open(real_api_server: RealServer) -> None:
    tls = ssl.create_default_context(cafile=real_api_server.ca_file)
    admin = FixedHeader(f"Bearer {real_api_server.token('admin')}")
    api = Api(Connection(server=real_api_server.url, tls=tls, authorization=admin))
    before = open_descriptors()
    async with contextlib.aclosing(api.watch(WAREHOUSES, params={"watch": "1"}, silence=TIMEOUT)) as lines:
        await anext(lines)
        assert open_descriptors() > before
    await api.close()
    await asyncio.sleep(0)
    assert open_descriptors() == before


@pytest.mark.parametrize("cut", [1, 3, 7, 64])
async def test_lines_come_whole_however_the_network_cuts_them(cut: int) -> None:
    body = b'{"a":1}\n\n{"b":"' + b"x" * 100 + b'"}\n{"cut off'
    pieces = [body[at : at + cut] for at in range(0, len(body), cut)]
    chunked = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"
    answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunked
    async with speaking(answer) as api:
        assert await lines_of(api) == [b"", b'{"a":1}', b'{"b":"' + b"x" * 100 + b'"}']


# Not answered


async def test_a_server_that_is_not_there() -> None:
    api = api_at(f"http://127.0.0.1:{free_port()}")
    failed = await failure(api.get(WAREHOUSES, timeout=TIMEOUT))
    assert str(failed) == "cannot connect to the API server: Connection refused"
    await api.close()


async def test_a_server_of_which_no_address_answers() -> None:
    api = api_at(f"http://localhost:{free_port()}")
    failed = await failure(api.get(WAREHOUSES, timeout=TIMEOUT))
    assert str(failed).startswith("cannot connect to the API server: ")
    await api.close()


async def test_a_name_that_does_not_exist() -> None:
    api = api_at("http://api-server.invalid:6443")
    failed = await failure(api.get(WAREHOUSES, timeout=TIMEOUT))
    assert isinstance(failed, UnreachableError)
    assert "invalid:" not in str(failed)
    await api.close()


async def test_a_connection_that_is_reset(api: Api, fault_proxy: FaultProxy) -> None:
    fault_proxy.reset(times=None)
    assert isinstance(await failure(api.get(WAREHOUSES, timeout=TIMEOUT)), UnreachableError)
    assert isinstance(await failure(api.merge_patch(WAREHOUSES, b"{}", timeout=TIMEOUT)), UnreachableError)


async def test_a_call_that_hangs_ends_with_its_time(api: Api, fault_proxy: FaultProxy) -> None:
    fault_proxy.hang()
    assert str(await failure(api.get(WAREHOUSES, timeout=0.1))) == "no answer within 0.1 s"


async def test_an_answer_that_stops_midway(api: Api, api_server: ApiServer, fault_proxy: FaultProxy) -> None:
    await api_server.apply(warehouse("guestbook"))
    fault_proxy.truncate(10)
    failed = await failure(api.get(WAREHOUSES, timeout=TIMEOUT))
    assert str(failed) == "the API server closed the connection"


async def test_an_answer_that_hangs_midway() -> None:
    async with speaking(b'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"items"', then_closes=False) as api:
        assert isinstance(await failure(api.get(WAREHOUSES, timeout=0.1)), UnreachableError)


async def test_a_watch_that_falls_silent(api: Api, fault_proxy: FaultProxy) -> None:
    assert str(await failure(lines_of(api, silence=0.1))) == "the API server did not answer in time"
    assert len(fault_proxy.sent("GET", "/warehouses")) == 1


async def test_a_watch_that_is_dropped(api: Api, fault_proxy: FaultProxy) -> None:
    watching = asyncio.create_task(lines_of(api))
    await fault_proxy.wait_for_watches(1)
    fault_proxy.drop_watches()
    assert isinstance(await failure(watching), UnreachableError)


async def test_a_watch_event_that_is_too_large_is_cut_and_the_next_one_is_whole(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(limits, "WATCH_LINE", 1000)
    body = b"x" * 500_000 + b"\n" + b"y" * 1000 + b"\n" + b"z" * 1001 + b"\n"
    async with speaking(http("200 OK", body)) as api:
        assert await lines_of(api) == [b"", b"x" * 1000, b"y" * 1000, b"z" * 1000]


async def test_a_watch_event_without_end_takes_no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + b"x" * 40_000_000
    tracemalloc.start()
    async with speaking(answer) as api:
        tracemalloc.reset_peak()
        before = tracemalloc.get_traced_memory()[0]
        assert await lines_of(api) == [b""]
        peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak - before < 3 * limits.WATCH_LINE


@pytest.mark.parametrize("surplus", [0, 1])
async def test_an_answer_that_is_too_large_is_not_read(surplus: int) -> None:
    async with speaking(http("200 OK", b"x" * (1000 + surplus))) as api:
        reading = api.get(WAREHOUSES, timeout=TIMEOUT, at_most=1000)
        if surplus:
            assert isinstance(await failure(reading), TooLargeError)
        else:
            assert len(await reading) == 1000


async def test_no_answer_is_read_without_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    endless = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + b"x" * (limits.ANSWER + 1)
    for call in (Api.get, functools.partial(Api.post, body=b"{}")):
        async with speaking(endless, then_closes=False) as api:
            assert isinstance(await failure(call(api, WAREHOUSES, timeout=TIMEOUT)), TooLargeError)


async def test_a_patch_whose_answer_is_too_large_is_made_all_the_same() -> None:
    endless = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + b"x" * (limits.ANSWER + 1)
    async with speaking(endless, then_closes=False) as api:
        await api.merge_patch(WAREHOUSES, b"{}", timeout=TIMEOUT)


async def test_of_an_answer_of_any_size_both_ends_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "PAGE_ENDS", 1000)
    body = bytes(range(256)) * 4000
    async with speaking(http("200 OK", body)) as api:
        assert await api.get_ends(WAREHOUSES, timeout=TIMEOUT, params={}) == (body[:1000], body[-1000:])
    async with speaking(http("200 OK", body[:600])) as api:
        assert await api.get_ends(WAREHOUSES, timeout=TIMEOUT, params={}) == (body[:600], body[:600])


# Answered badly


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"HTTP/1.1 abc\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        http("200 OK", b"this is no gzip", "Content-Encoding: gzip"),
    ],
)
async def test_what_is_no_http(answer: bytes) -> None:
    async with speaking(answer) as api:
        assert isinstance(await failure(api.get(WAREHOUSES, timeout=TIMEOUT)), UnreachableError)


async def test_a_redirect_is_not_followed() -> None:
    answer = http("302 Found", b"", f"Location: http://127.0.0.1/?token={CANARY}")
    async with speaking(answer) as api:
        failed = await failure(api.get(WAREHOUSES, timeout=TIMEOUT))
    assert isinstance(failed, RefusedError)
    assert str(failed) == "302 Found"


async def test_a_refusal_says_why_in_the_servers_words(api: Api) -> None:
    failed = await failure(api.get(f"{KARGO}/stages", timeout=TIMEOUT))
    assert isinstance(failed, RefusedError)
    assert failed.status in {403, 404}
    assert str(failed).startswith(f"{failed.status} ")


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b'{"message": "etcdserver: leader changed"}', "500 etcdserver: leader changed"),
        (b'{"reason": "InternalError"}', "500 InternalError"),
        (b"{}", "500 Oops"),
        (b"<html>", "500 Oops"),
        (b"\xff", "500 Oops"),
        (b'{"message": "' + b"m" * 1000 + b'"}', "500 " + "m" * (limits.FREE_TEXT - 1) + "…"),
        (b'{"message": "' + b"m" * 1_000_000 + b'"}', "500 Oops"),
    ],
)
async def test_the_text_of_a_refusal_is_short(body: bytes, text: str) -> None:
    async with speaking(http("500 Oops", body)) as api:
        assert str(await failure(api.get(WAREHOUSES, timeout=TIMEOUT))) == text


async def test_an_error_body_without_end_is_not_read() -> None:
    answer = b"HTTP/1.1 500 Oops\r\nConnection: close\r\n\r\n" + b"x" * 2 * limits.ERROR_BODY
    async with speaking(answer, then_closes=False) as api:
        assert str(await failure(api.get(WAREHOUSES, timeout=TIMEOUT))) == "500 Oops"


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("7", 7.0),
        ("0", 0.0),
        ("", None),
        ("-1", None),
        ("1.5", None),
        ("Wed, 21 Oct 2026 07:28:00 GMT", None),
        ("²", None),
    ],
)
async def test_retry_after_counts_in_whole_seconds(header: str, seconds: float | None) -> None:
    async with speaking(http("429 Too Many Requests", b"", f"Retry-After: {header}")) as api:
        failed = await failure(api.get(WAREHOUSES, timeout=TIMEOUT))
    assert isinstance(failed, RefusedError)
    assert failed.retry_after == seconds


async def test_a_watch_can_be_refused(api: Api, fault_proxy: FaultProxy) -> None:
    fault_proxy.answer(410, watch=True)
    failed = await failure(lines_of(api))
    assert isinstance(failed, RefusedError)
    assert failed.status == 410


# TLS


async def trusting(server: ApiServer, *, name: str | None = None) -> Api:
    return api_at(server.url, tls=ssl.create_default_context(cafile=server.ca_file), name=name)


async def test_a_certificate_of_an_unknown_authority(real_api_server: RealServer) -> None:
    api = api_at(real_api_server.url, tls=ssl.create_default_context())
    failed = await failure(api.get("/version", timeout=TIMEOUT))
    assert str(failed) == "the API server's certificate is not trusted, or TLS failed"
    await api.close()


async def test_a_certificate_for_another_name(real_api_server: RealServer) -> None:
    api = await trusting(real_api_server, name="kubernetes.example.com")
    failed = await failure(api.get("/version", timeout=TIMEOUT))
    assert str(failed) == "the API server's certificate is not trusted, or TLS failed"
    await api.close()


async def test_a_certificate_for_the_name_that_was_asked_for(real_api_server: RealServer) -> None:
    api = await trusting(real_api_server, name="localhost")
    failed = await failure(api.get(WAREHOUSES, timeout=TIMEOUT))
    assert isinstance(failed, RefusedError)  # reached: the canary is no token of its users
    assert failed.status == 401
    await api.close()


async def test_a_server_that_speaks_no_tls(embedded_api_server: ApiServer) -> None:
    api = api_at(embedded_api_server.url.replace("http:", "https:"), tls=ssl.create_default_context())
    assert isinstance(await failure(api.get("/version", timeout=TIMEOUT)), UnreachableError)
    await api.close()


# Credentials


class Renewing:
    """A credential that has a new token when the present one was rejected."""

    def __init__(self, *tokens: str) -> None:
        self._tokens = list(tokens)
        self.rejected: list[str] = []
        self.closed = False

    async def header(self, *, rejected: str | None = None) -> str | None:
        if rejected == f"Bearer {self._tokens[0]}" and len(self._tokens) > 1:
            self.rejected.append(self._tokens.pop(0))
        return f"Bearer {self._tokens[0]}"

    async def close(self) -> None:
        self.closed = True


type Calls = Callable[[Api], Awaitable[object]]


async def first_line(api: Api) -> bytes:
    async with contextlib.aclosing(api.watch(WAREHOUSES, params={"watch": "1"}, silence=TIMEOUT)) as lines:
        return await anext(lines)


@pytest.mark.parametrize("call", [lambda api: api.get(WAREHOUSES, timeout=TIMEOUT), first_line], ids=["get", "watch"])
async def test_a_rejected_credential_is_renewed_once(real_api_server: RealServer, call: Calls) -> None:
    async with FaultProxy(real_api_server.url, ca_file=real_api_server.ca_file) as proxy:
        credential = Renewing("expired", real_api_server.token("kargo-receivers"))
        api = Api(Connection(server=proxy.url, tls=None, authorization=credential))
        await call(api)
        assert [each.user for each in proxy.requests] == ["expired", "token-of-kargo-receivers"]
        await api.close()
        assert credential.closed


async def test_a_credential_that_is_rejected_twice_is_an_error(real_api_server: RealServer) -> None:
    async with FaultProxy(real_api_server.url, ca_file=real_api_server.ca_file) as proxy:
        api = Api(Connection(server=proxy.url, tls=None, authorization=Renewing("one", "two", "three")))
        failed = await failure(api.get(WAREHOUSES, timeout=TIMEOUT))
        assert isinstance(failed, RefusedError)
        assert failed.status == 401
        assert [each.user for each in proxy.requests] == ["one", "two"]
        await api.close()


async def test_a_connection_without_a_credential_sends_none(fault_proxy: FaultProxy) -> None:
    fault_proxy.answer(401)
    api = Api(Connection(server=fault_proxy.url, tls=None, authorization=FixedHeader(None)))
    assert isinstance(await failure(api.get(WAREHOUSES, timeout=TIMEOUT)), RefusedError)
    assert [each.user for each in fault_proxy.requests] == [""]
    await api.close()


async def test_a_missing_credential_makes_the_cluster_unreachable(fault_proxy: FaultProxy) -> None:
    class Missing(FixedHeader):
        async def header(self, **_: str | None) -> str | None:
            raise CredentialsError("no credential for the cluster: Oops")

    api = Api(Connection(server=fault_proxy.url, tls=None, authorization=Missing(None)))
    failed = await failure(api.get(WAREHOUSES, timeout=TIMEOUT))
    assert isinstance(failed, UnreachableError)
    assert str(failed) == "no credential for the cluster: Oops"
    await api.close()


async def test_a_proxy_of_the_network_is_used(fault_proxy: FaultProxy) -> None:
    # An HTTP proxy gets the whole URL; that it arrives there, for a server that does not exist, is the test.
    connection = Connection(
        server="http://api-server.invalid", tls=None, authorization=FixedHeader(None), proxy=fault_proxy.url
    )
    fault_proxy.answer(200)
    api = Api(connection)
    await api.get("/version", timeout=TIMEOUT)
    assert len(fault_proxy.requests) == 1
    await api.close()
