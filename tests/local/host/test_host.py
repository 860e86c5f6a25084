"""Starting and stopping the host."""

import logging
import os
import sys
from collections.abc import Iterator, MutableMapping
from pathlib import Path
from typing import Any

import pytest

from receivers.local.host import FunctionHost
from receivers.local.host.errors import IndexingFailed, UnusableConfiguration, UnusableRoute
from testbed.gate import GATE
from testbed.host import SHAPES, SHAPES_SETTINGS, served
from tests.local.host.wire import ask


def app_folder(root: Path, script: str, code: str | None) -> FunctionHost:
    """A host for an app of the given code, under a module name that no other test uses."""
    (root / "host.json").write_text("{}")
    if code is not None:
        (root / script).write_text("import azure.functions as func\n" + code)
    return FunctionHost(root, settings={"PYTHON_SCRIPT_FILE_NAME": script})


async def test_functions_are_listed_with_trigger_route_methods_and_level(shapes_host: FunctionHost) -> None:
    await shapes_host.start()
    await shapes_host.stop()
    listed = {function.name: function for function in shapes_host.functions}
    assert listed["write_item"].trigger == "httpTrigger"
    assert listed["write_item"].route == "items/{id}"
    assert listed["write_item"].methods == frozenset({"POST", "PUT"})
    assert listed["write_item"].auth_level == "ANONYMOUS"
    assert listed["files"].auth_level == "FUNCTION"
    assert listed["echo"].methods is None
    assert listed["unrouted"].route == "unrouted"
    assert (listed["on_message"].trigger, listed["on_message"].route) == ("queueTrigger", None)
    assert listed["on_message"].binding["queueName"] == "work"
    assert (listed["nightly"].trigger, listed["nightly"].parameter) == ("timerTrigger", "timer")


async def test_what_the_host_does_not_run_is_said(shapes_host: FunctionHost, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "receivers"):
        await shapes_host.start()
        await shapes_host.stop()
    assert [record.getMessage() for record in caplog.records] == [
        "nightly: the local host drops what is written to its queue binding",
        "AzureWebJobsStorage is not set, so no queue is polled for on_message",
        "on_event: the local host does not run a eventHubTrigger",
    ]


async def test_settings_are_the_environment_while_the_host_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHADOWED", "outer")
    monkeypatch.delenv("ADDED", raising=False)
    settings = SHAPES_SETTINGS | {"SHADOWED": "inner", "ADDED": "inner"}
    host = FunctionHost(SHAPES, settings=settings)
    await host.start()
    assert (os.environ["SHADOWED"], os.environ["ADDED"]) == ("inner", "inner")
    await host.stop()
    assert (os.environ["SHADOWED"], os.environ.get("ADDED")) == ("outer", None)


async def test_stopping_gives_the_module_path_back(shapes_host: FunctionHost) -> None:
    before = list(sys.path)
    await shapes_host.start()
    await shapes_host.stop()
    assert sys.path == before


async def test_app_settings_set_the_prefix_and_switch_the_home_page_off() -> None:
    settings = {
        "AzureFunctionsJobHost__extensions__http__routePrefix": "",
        "AzureWebJobsDisableHomepage": "true",
    }
    async with served(FunctionHost(SHAPES, settings=SHAPES_SETTINGS | settings)) as url:
        assert (await ask(url, "GET", "/echo")).status == 200
        assert (await ask(url, "GET", "/api/echo")).status == 404
        home = await ask(url, "GET", "/")
        assert (home.status, home.body) == (204, b"")


async def test_a_request_cut_short_reaches_no_function(shapes_host: FunctionHost) -> None:
    sent: list[MutableMapping[str, Any]] = []
    messages: Iterator[dict[str, Any]] = iter(
        [{"type": "http.request", "body": b"{", "more_body": True}, {"type": "http.disconnect"}]
    )

    async def receive() -> dict[str, Any]:
        return next(messages)

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "POST",
        "scheme": "http",
        "raw_path": b"/api/gate",
        "query_string": b"",
        "headers": [(b"content-length", b"7")],
    }
    GATE.close()
    await shapes_host.start()
    await shapes_host(scope, receive, send)
    await shapes_host.stop()
    assert sent == []
    assert not GATE.reached.is_set()


@pytest.mark.parametrize(
    ("script", "code", "complaint"),
    [
        ("raises_app.py", "1 / 0", r"raises_app\.py cannot be indexed"),
        ("raises_more_app.py", "def broken():\n    1 / 0\nbroken()", "in broken(.|\n)*ZeroDivisionError"),
        ("imports_app.py", "import no_such_module", "No module named 'no_such_module'"),
        ("syntax_app.py", "def", "SyntaxError"),
        ("no_app.py", "", "function app instances"),
        ("empty_app.py", "app = func.FunctionApp()", "missing or has no functions"),
        ("missing_app.py", None, "missing or has no functions"),
        (
            "mistyped_app.py",
            "app = func.FunctionApp()\n@app.route('x')\ndef x(req: int) -> str: return ''",
            "does not match its Python annotation",
        ),
    ],
)
async def test_an_app_that_cannot_be_indexed_says_why(
    tmp_path: Path, script: str, code: str | None, complaint: str
) -> None:
    before = (list(sys.path), dict(os.environ))
    with pytest.raises(IndexingFailed, match=complaint):
        await app_folder(tmp_path, script, code).start()
    assert (sys.path, dict(os.environ)) == before


async def test_a_route_that_azure_refuses_is_refused(tmp_path: Path) -> None:
    code = "app = func.FunctionApp()\n@app.route('admin/x')\ndef x(req: func.HttpRequest) -> str: return ''"
    with pytest.raises(UnusableRoute, match="admin/x"):
        await app_folder(tmp_path, "reserved_app.py", code).start()


async def test_a_folder_without_host_json_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnusableConfiguration, match=r"host\.json is missing"):
        await FunctionHost(tmp_path).start()


async def test_a_second_app_of_the_same_module_name_is_refused(tmp_path: Path, shapes_host: FunctionHost) -> None:
    await shapes_host.start()
    with pytest.raises(IndexingFailed, match=r"already imported .*shapes/shapes_app\.py"):
        await app_folder(tmp_path, "shapes_app.py", "").start()
    await shapes_host.stop()


async def test_a_host_can_be_started_again(shapes_host: FunctionHost) -> None:
    await shapes_host.start()
    first = shapes_host.functions
    await shapes_host.stop()
    await shapes_host.start()
    await shapes_host.stop()
    assert shapes_host.functions == first
