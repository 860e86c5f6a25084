"""A real Gitea with an organisation, a user and a repository; and somebody who listens to its webhooks.

Configuration: https://docs.gitea.com/administration/config-cheat-sheet. API: https://docs.gitea.com/development/api-usage
"""

import base64
import hashlib
import json
import os
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, override

from receivers.events import WebhookRequest
from testbed.processes import Process, free_port

HOW_TO_GET_GITEA = "needs Gitea, which `make gitea` builds"
USER, PASSWORD, TEAM = "dev", "a-password-of-tests", "team"
PATIENCE = 60.0  # seconds; what is waited for takes one
_SETTINGS = """
WORK_PATH = {folder}
I_AM_BEING_UNSAFE_RUNNING_AS_ROOT = true
[server]
HTTP_ADDR = 127.0.0.1
HTTP_PORT = {port}
ROOT_URL = http://127.0.0.1:{port}/
STATIC_ROOT_PATH = {static}
DISABLE_SSH = true
[database]
DB_TYPE = sqlite3
[security]
INSTALL_LOCK = true
PASSWORD_HASH_ALGO = pbkdf2_v2
[webhook]
ALLOWED_HOST_LIST = loopback
[cron]
ENABLED = false
[log]
MODE = file
"""


def program() -> Path | None:
    """The folder with Gitea, or None."""
    build = Path(__file__).with_name("build")
    found = subprocess.run([build, "--where"], capture_output=True, text=True, check=False)
    return Path(found.stdout.strip()) if found.returncode == 0 else None


@dataclass
class Listener:
    """Takes whatever is posted, and keeps it."""

    url: str
    requests: list[WebhookRequest] = field(default_factory=list)

    def wait_for(self, wanted: Callable[[WebhookRequest], bool]) -> WebhookRequest:
        """The first such request, which may be yet to come."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            for each in list(self.requests):
                if wanted(each):
                    return each
            time.sleep(0.05)
        names = [(each.path, each.header("x-gitea-event"), each.body[:80]) for each in self.requests]
        raise AssertionError(f"it was not posted: {names}")


@contextmanager
def listening() -> Iterator[Listener]:
    """Somebody who listens on a port of 127.0.0.1."""
    heard = Listener("")

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            heard.requests.append(
                WebhookRequest(
                    method="POST", path=self.path, headers=headers, query={}, body=body, received_at=datetime.now(UTC)
                )
            )
            self.send_response(200)
            self.end_headers()

        @override
        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    heard.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield heard
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@dataclass(frozen=True)
class Gitea:
    """A running Gitea."""

    folder: Path
    port: int

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.port}"

    def call(
        self, method: str, path: str, body: object = None, *, headers: Mapping[str, str] | None = None
    ) -> tuple[bytes, Mapping[str, str]]:
        """One request as the user: bytes as they are, anything else as JSON. The answer's body and headers."""
        content = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        given = {"Content-Type": "application/json", "Authorization": _basic(), **(headers or {})}
        request = urllib.request.Request(f"{self.url}{path}", content, given, method=method)  # noqa: S310 - of loopback
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:  # noqa: S310
            return answer.read(), dict(answer.headers)

    def api(self, method: str, path: str, body: object = None) -> Any:  # noqa: ANN401 - any JSON
        """A call of its API."""
        answer, _ = self.call(method, f"/api/v1{path}", body)
        return json.loads(answer) if answer else None

    def git(self, *arguments: str, folder: Path | None = None) -> str:
        """git as the user, in a folder of its own."""
        environment = {
            **os.environ,
            "HOME": str(self.folder),
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_TERMINAL_PROMPT": "0",
            **{f"GIT_{who}_NAME": "dev" for who in ("AUTHOR", "COMMITTER")},
            **{f"GIT_{who}_EMAIL": "dev@example.com" for who in ("AUTHOR", "COMMITTER")},
        }
        done = subprocess.run(
            ["git", *arguments], cwd=folder or self.folder, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def clone(self, repository: str, folder: Path) -> Path:
        """A clone, from which can be pushed."""
        self.git("clone", f"http://{USER}:{PASSWORD}@127.0.0.1:{self.port}/{repository}.git", str(folder))
        return folder

    def push_image(self, repository: str, tag: str) -> None:
        """An image of one empty layer, by the registry's own protocol: https://distribution.github.io/distribution."""
        token = json.loads(self.call("GET", "/v2/token?service=container_registry&scope=*")[0])["token"]
        bearer = {"Authorization": f"Bearer {token}"}
        config, layer = b"{}", b"a layer"
        for blob in (config, layer):
            headers = {**bearer, "Content-Type": "application/octet-stream"}
            self.call("POST", f"/v2/{repository}/blobs/uploads/?digest={_digest(blob)}", blob, headers=headers)
        manifest = {
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": _descriptor(config, "application/vnd.oci.image.config.v1+json"),
            "layers": [_descriptor(layer, "application/vnd.oci.image.layer.v1.tar")],
        }
        headers = {**bearer, "Content-Type": manifest["mediaType"]}  # type: ignore[dict-item]  # it is a text
        self.call("PUT", f"/v2/{repository}/manifests/{tag}", json.dumps(manifest).encode(), headers=headers)


def _basic() -> str:
    return "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()


def _digest(blob: bytes) -> str:
    return f"sha256:{hashlib.sha256(blob).hexdigest()}"


def _descriptor(blob: bytes, media_type: str) -> dict[str, object]:
    return {"mediaType": media_type, "digest": _digest(blob), "size": len(blob)}


@contextmanager
def running(folder: Path, where: Path) -> Iterator[Gitea]:
    """A Gitea of its own in a folder, with its user."""
    gitea = Gitea(folder, free_port())
    settings = folder / "app.ini"
    settings.write_text(_SETTINGS.format(folder=folder, port=gitea.port, static=where / "static"))
    command: list[str | Path] = [where / "gitea", "--config", settings]
    environment = {"HOME": str(folder), "USER": "root"}
    user = ["--username", USER, "--password", PASSWORD, "--email", "dev@example.com", "--must-change-password=false"]
    for arguments in (["migrate"], ["admin", "user", "create", "--admin", *user]):
        subprocess.run([*command, *arguments], env={**os.environ, **environment}, capture_output=True, check=True)
    process = Process([*command, "web"], log=folder / "gitea.log", folder=folder, environment=environment)
    process.start()
    try:
        _wait_until_ready(gitea)
        yield gitea
    finally:
        process.kill()


def _wait_until_ready(gitea: Gitea) -> None:
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            gitea.api("GET", "/version")
        except (urllib.error.URLError, ConnectionError):
            assert time.monotonic() < deadline, (gitea.folder / "gitea.log").read_text()
            time.sleep(0.1)
        else:
            return
