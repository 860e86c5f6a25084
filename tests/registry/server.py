"""A real CNCF Distribution that posts its events to the tests, and skopeo, which pushes to it.

Configuration: https://distribution.github.io/distribution/about/configuration/
"""

import asyncio
import json
import os
import re
import shutil
import subprocess
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from testbed.processes import Process, free_port
from tests.service import until

HOW_TO_GET_IT = "needs CNCF Distribution and skopeo, which `make registry` installs"
PROGRAMS = ("docker-registry", "skopeo")
PATIENCE = 60.0  # seconds; what is waited for takes less than one
PAGE = Path(__file__).parents[2] / "docs" / "senders" / "distribution.md"


def is_there() -> bool:
    """Whether both programs are."""
    return all(map(shutil.which, PROGRAMS))


def page_s_endpoint() -> dict[str, Any]:
    """The notification endpoint that the sender's page tells its readers to configure."""
    (block,) = re.findall(r"```yaml\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    (endpoint,) = yaml.safe_load(block)["notifications"]["endpoints"]
    found: dict[str, Any] = endpoint
    return found


@dataclass(frozen=True)
class Queue:
    """What the registry says of the events for its endpoint: how many wait, and how the posts of others ended."""

    pending: int
    successes: int
    failures: int  # posts that were answered with no success
    errors: int  # posts that were not answered
    statuses: Mapping[str, int]


@dataclass(frozen=True)
class Registry:
    """A running registry. Images are named without it: ``team/app:1.2.3``."""

    folder: Path
    port: int
    debug_port: int

    @property
    def host(self) -> str:
        """The name by which skopeo pushes to it."""
        return f"127.0.0.1:{self.port}"

    async def push(self, layout: Path, image: str) -> None:
        """Push what an OCI layout holds: all of an index."""
        await self._skopeo("copy", "--all", "--dest-tls-verify=false", f"oci:{layout}", self._url(image))

    async def tag(self, image: str, another: str) -> None:
        """Give an image another tag, by copying it to where it is."""
        insecure = ("--src-tls-verify=false", "--dest-tls-verify=false")
        await self._skopeo("copy", "--all", *insecure, self._url(image), self._url(another))

    async def delete(self, image: str) -> None:
        """Delete the manifest that has a tag, and so all its tags."""
        await self._skopeo("delete", "--tls-verify=false", self._url(image))

    async def tags(self, repository: str) -> list[str]:
        """The tags of a repository; none of one that is not there."""
        try:
            answer = await asyncio.to_thread(self._get, self.port, f"/v2/{repository}/tags/list")
        except urllib.error.HTTPError as error:
            error.close()
            return []
        return list(json.loads(answer)["tags"] or [])

    async def queue(self) -> Queue:
        """The queue of its only endpoint, now."""
        variables = await asyncio.to_thread(self._get, self.debug_port, "/debug/vars")
        (endpoint,) = json.loads(variables)["registry"]["notifications"]["endpoints"]
        told = endpoint["Metrics"]
        return Queue(told["Pending"], told["Successes"], told["Failures"], told["Errors"], told["Statuses"])

    async def answers(self) -> bool:
        """Whether it has started."""
        try:
            await asyncio.to_thread(self._get, self.port, "/v2/")
            await asyncio.to_thread(self._get, self.debug_port, "/debug/vars")
        except (urllib.error.URLError, ConnectionError):
            return False
        return True

    def _get(self, port: int, path: str) -> bytes:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=PATIENCE) as answer:
            content: bytes = answer.read()
            return content

    def _url(self, image: str) -> str:
        return f"docker://{self.host}/{image}"

    async def _skopeo(self, *arguments: str) -> None:
        """Run it with a home of its own, where nobody has signed in to a registry."""
        command = ["skopeo", "--insecure-policy", *arguments]
        environment = {**os.environ, "HOME": str(self.folder), "XDG_RUNTIME_DIR": str(self.folder)}
        done = await asyncio.to_thread(
            subprocess.run, command, env=environment, capture_output=True, text=True, timeout=PATIENCE, check=False
        )
        assert done.returncode == 0, done.stderr


@asynccontextmanager
async def running(folder: Path, endpoint: Mapping[str, Any]) -> AsyncIterator[Registry]:
    """A registry of its own in a folder, with this notification endpoint."""
    registry = Registry(folder, free_port(), free_port())
    configuration = {
        "version": 0.1,
        "storage": {"filesystem": {"rootdirectory": str(folder / "data")}, "delete": {"enabled": True}},
        "http": {"addr": registry.host, "debug": {"addr": f"127.0.0.1:{registry.debug_port}"}},
        "notifications": {"endpoints": [dict(endpoint)]},
    }
    file = folder / "config.yml"
    file.write_text(yaml.safe_dump(configuration))
    process = Process(["docker-registry", "serve", file], log=folder / "registry.log", folder=folder)
    process.start()

    async def started() -> bool:
        assert process.alive, process.last_lines()
        return await registry.answers()

    try:
        await until(started)
        yield registry
    finally:
        process.kill()
