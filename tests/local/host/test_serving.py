"""Serving, and stopping so that nothing is left."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import urlsplit

import pytest

from receivers.local.host import FunctionHost, serve, serving
from receivers.local.host import __main__ as command
from receivers.local.host.errors import AddressUnavailable
from receivers.local.host.serving import listen, url_of
from testbed.gate import GATE
from testbed.host import SHAPES, SHAPES_SETTINGS, TRIVIAL, running_host, running_process, served, stop
from tests.local.host.wire import ask


def interrupt(_url: str) -> None:
    os.kill(os.getpid(), signal.SIGINT)


def test_a_port_that_is_taken_is_known_before_the_app_is_loaded() -> None:
    with listen("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(AddressUnavailable, match=f"port {port}: Address already in use"):
            serve(FunctionHost(Path("no-such-app")), address="127.0.0.1", port=port)


def test_an_address_of_another_machine_cannot_be_listened_on() -> None:
    with pytest.raises(AddressUnavailable, match=r"192\.0\.2\.1"):
        listen("192.0.2.1", 0)


@pytest.mark.parametrize(
    ("name", "url"), [(("127.0.0.1", 80), "http://127.0.0.1:80"), (("::1", 80, 0, 0), "http://[::1]:80")]
)
def test_the_url_of_a_listener(name: tuple[object, ...], url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert url_of(SimpleNamespace(getsockname=lambda: name)) == url  # type: ignore[arg-type]  # all that is asked of it


def test_a_signal_ends_serving_without_an_exception(shapes_host: FunctionHost) -> None:
    ready: list[str] = []

    def on_ready(url: str) -> None:
        ready.append(url)
        interrupt(url)

    serve(shapes_host, address="127.0.0.1", port=0, on_ready=on_ready)
    assert urlsplit(ready[0]).hostname == "127.0.0.1"


async def test_a_request_under_way_is_answered_before_the_host_stops(shapes_host: FunctionHost) -> None:
    GATE.close()
    async with served(shapes_host) as url:
        asked = asyncio.create_task(ask(url, "GET", "/api/gate"))
        async with asyncio.timeout(10):
            await GATE.reached.wait()
        asyncio.get_running_loop().call_soon(GATE.opened.set)
    assert (await asked).body == b"passed"


async def test_a_request_that_hangs_does_not_keep_the_host_running(
    shapes_host: FunctionHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serving, "LAST_ANSWERS", 0)
    GATE.close()
    async with served(shapes_host) as url:
        asked = asyncio.create_task(ask(url, "GET", "/api/gate"))
        async with asyncio.timeout(10):
            await GATE.reached.wait()
    assert (await asked).status == 500


async def test_a_second_signal_does_not_wait_for_what_is_under_way(
    shapes_host: FunctionHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serving, "LAST_ANSWERS", 3600)
    GATE.close()
    async with asyncio.timeout(20):
        async with served(shapes_host) as url:
            asked = asyncio.create_task(ask(url, "GET", "/api/gate"))
            await GATE.reached.wait()
            interrupt(url)
        assert (await asked).status == 500
    assert not GATE.passed.is_set()


def test_the_command_serves_until_a_signal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHON_SCRIPT_FILE_NAME", SHAPES_SETTINGS["PYTHON_SCRIPT_FILE_NAME"])
    monkeypatch.setattr(command, "announce", interrupt)
    assert command.main(["--root", str(SHAPES), "--port", "0"]) == 0


def test_the_command_says_why_it_cannot_start(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["--root", str(tmp_path), "--port", "0"]) == 1
    assert "host.json is missing" in capsys.readouterr().err


def test_the_ready_line_tells_the_url(capsys: pytest.CaptureFixture[str]) -> None:
    command.announce("http://127.0.0.1:7071")
    assert capsys.readouterr().out == "listening on http://127.0.0.1:7071\n"


async def test_any_folder_runs_in_a_process_of_its_own() -> None:
    with running_host(TRIVIAL) as url:
        response = await ask(url, "GET", "/hello")
    assert (response.status, response.body) == (200, b"hello")


async def test_the_environment_reaches_the_process() -> None:
    with running_host(TRIVIAL, {"AzureFunctionsJobHost__extensions__http__routePrefix": "v1"}) as url:
        assert (await ask(url, "GET", "/v1/hello")).status == 200


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_signal_leaves_no_process_and_no_listener(number: signal.Signals) -> None:
    with running_process(TRIVIAL) as (url, process):
        await ask(url, "GET", "/hello")
        process.send_signal(number)
        assert process.wait(timeout=20) == 0
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((urlsplit(url).hostname, urlsplit(url).port))


async def test_an_idle_connection_does_not_keep_the_host_running() -> None:
    with running_process(TRIVIAL) as (url, process):
        address = urlsplit(url)
        with socket.create_connection((address.hostname, address.port)) as idle:
            idle.sendall(b"GET /hello HTTP/1.1\r\nHost: x\r\n\r\n")
            assert idle.recv(12) == b"HTTP/1.1 200"
            stop(process)
        assert process.returncode == 0


def test_a_process_that_cannot_start_prints_the_apps_traceback_and_fails(tmp_path: Path) -> None:
    (tmp_path / "host.json").write_text("{}")
    (tmp_path / "function_app.py").write_text("raise RuntimeError('bad luck')")
    command_line = [sys.executable, "-m", "receivers.local.host", "--root", str(tmp_path), "--port", "0"]
    result = subprocess.run(command_line, capture_output=True, text=True, check=False, timeout=60)
    assert (result.returncode, result.stdout) == (1, "")
    assert "RuntimeError: bad luck" in result.stderr
    with pytest.raises(RuntimeError, match="bad luck"), running_host(tmp_path):
        pass
