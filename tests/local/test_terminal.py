"""What is printed, whoever said it."""

import ast
import json
import logging
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest

from receivers.local import terminal
from receivers.local.cli import main
from tests.local.commands.running import NOTHING_SET

RECEIVERS = Path(__file__).parents[2] / "receivers"
EVIL = "\x1b[2J\x1b]0;title\x07\x9b31m\u202e\r\x08\x00\u2028\x7f\nerror: forged"
ID = "0123456789abcdef01234567"
ROW: dict[str, Any] = {
    "id": EVIL,
    "receivedAt": EVIL,
    "state": EVIL,
    "summary": EVIL,
    "artifact": EVIL,
    "provider": EVIL,
    "project": EVIL,
    "receiver": EVIL,
    "event": EVIL,
    "digest": EVIL,
    "mediaType": EVIL,
    "senderEventId": EVIL,
    "status": EVIL,
    "answer": EVIL,
    "duplicateOf": EVIL,
    "redeliveryOf": EVIL,
    "redeliveredAs": EVIL,
    "handledAt": None,
    "handledAfter": None,
    "foundAt": None,
    "foundAfter": None,
    "finding": EVIL,
    "others": 1,
    "warehouses": [
        {"project": EVIL, "name": EVIL, "state": EVIL, "error": EVIL, "reason": EVIL, "searched": {"reason": EVIL}}
    ],
    "attempts": [{"at": EVIL, "error": EVIL, "refreshed": 0}],
}
MESSAGE = {"delivery": EVIL, "provider": EVIL, "project": EVIL, "receiver": EVIL, "tries": 1}
DOCUMENTS: dict[str, dict[str, Any]] = {
    "/deliveries": {"deliveries": [ROW]},
    f"/deliveries/{ID}": {"delivery": ROW},
    f"/deliveries/{ID}/redeliver": {"redelivered": [{"id": EVIL, "status": 200}]},
    "/queue": {
        "waiting": EVIL,
        "due": [MESSAGE],
        "poisoned": 1,
        "poison": [{"poisoned": {"message": MESSAGE, "reason": EVIL}}],
    },
    "/overview": {
        "level": EVIL,
        "checks": [{"name": EVIL, "level": EVIL, "says": EVIL, "remedy": EVIL}],
        "next": {"name": EVIL, "remedy": EVIL},
        "figures": {"total": EVIL, "outcomes": {EVIL: 1}},
        "refusedRequests": {"reasons": [{"lastDay": 1}]},
    },
    "/readyz": {"ready": False, "missing": [EVIL]},
}
STATUS = {"kind": "Status", "status": "Failure", "message": EVIL, "reason": EVIL, "code": 403}


class Evil(BaseHTTPRequestHandler):
    """A service, and an API server, that say what a terminal must not be told."""

    refusing: ClassVar[bool] = False

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        found = {"error": EVIL} if self.refusing else DOCUMENTS.get(path, STATUS)
        body = json.dumps(found).encode() if path != "/azure/x" else EVIL.encode()
        self.send_response(403 if self.refusing or path not in DOCUMENTS else 200)
        self.send_header("Content-Type", "application/json")
        self.send_header("X-Delivery-Id", "\x1b[31m\x9b")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.do_GET()

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - as it is there
        pass


class Server(ThreadingHTTPServer):
    """Clients may go away as they like."""

    def handle_error(self, *_: object) -> None:
        pass


@pytest.fixture
def evil(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Its URL; commands take it for their service and for their cluster."""
    for variable, nothing in NOTHING_SET.items():
        monkeypatch.setenv(variable, nothing)
    server = Server(("127.0.0.1", 0), Evil)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    url = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setenv("EXTERNAL_WEBHOOK_SERVER_BASE_URL", url)
    monkeypatch.setenv("CLUSTER_SERVER", url)
    monkeypatch.setenv("CLUSTER_TOKEN", "none")
    yield url
    server.shutdown()
    thread.join()
    server.server_close()


COMMANDS = (
    ("deliveries",),
    ("show", ID),
    ("redeliver", ID),
    ("queue",),
    ("ping",),
    ("status",),
    ("doctor",),
    ("urls",),
    ("send", "azure", "--url", "{url}/azure/x"),
    ("send", "azure"),
)


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
@pytest.mark.parametrize("output", ["text", "json"])
@pytest.mark.parametrize("refusing", [False, True], ids=["answers", "refusals"])
def test_no_command_prints_what_moves_the_cursor_or_forges_a_line(  # noqa: PLR0917 - one for each side of the table
    evil: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    command: tuple[str, ...],
    output: str,
    refusing: bool,
) -> None:
    monkeypatch.setattr(Evil, "refusing", refusing)
    main([*(part.format(url=evil) for part in command), "--output", output])
    told = capsys.readouterr()
    for text in (told.out, told.err):
        assert all(each.isprintable() or each == "\n" for each in text)
        assert not any(line.startswith("error: forged") for line in text.split("\n"))
    assert told.out + told.err
    if output == "json" and told.out:
        assert json.loads(told.out)


def test_what_does_not_show_as_itself_is_spelled_out() -> None:
    assert terminal.printable("größer, 日本 …") == "größer, 日本 …"
    assert terminal.printable("\x1b[31m\x9b\u202e\n\ud800\x7f") == r"\x1b[31m\x9b\u202e\n\ud800\x7f"
    assert terminal.indented("<html>\r\n<b>") == "<html>\n    <b>"


def test_a_log_line_stays_one_whatever_is_in_it() -> None:
    record = logging.LogRecord("a", logging.INFO, __file__, 1, "fault: %s", (EVIL,), None)
    first, second = terminal.Formatter("%(message)s").format(record).split("\n")
    assert first.startswith(r"fault: \x1b[2J")
    assert second == "    error: forged"


def test_nothing_else_prints() -> None:
    printing = {
        str(file.relative_to(RECEIVERS))
        for file in RECEIVERS.rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if (isinstance(node, ast.Name) and node.id == "print")
        or (isinstance(node, ast.Attribute) and node.attr == "write" and "std" in ast.unparse(node.value))
    }
    assert printing == {"local/terminal.py"}
