"""What senders post does not stay: the whole service, in its own process, is posted the largest bodies there are."""

import asyncio
import os
import re
import secrets
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from subprocess import Popen

import pytest

from receivers import limits
from receivers.local.azurite import Azurite
from testbed.host import running_process
from testbed.objects import PROJECT, Hook, project_config, secret_of, warehouse
from testbed.servers import ApiServer
from tests.local.host.wire import ask
from tests.service import AMPLE, ROOT, UNCONFIGURED, until

AZURE, QUAY = Hook(provider="azure", name="acr"), Hook(provider="quay", name="quay")
MOST = 200 * limits.MIB  # resident, at any moment; an instance in Azure has 512 MiB
POSTS = int(os.environ.get("MEMORY_POSTS", "200"))  # of each kind; 120 known ones took the process to 318 MiB once
AT_ONCE = 2  # as many as two cores can be busy with: what is under way takes memory, of course


@dataclass(frozen=True, slots=True)
class Process:
    """The service in a process of its own."""

    url: str
    process: Popen[str]

    @property
    def peak(self) -> int:
        """The most memory that it ever had, in bytes."""
        status = Path(f"/proc/{self.process.pid}/status").read_text(encoding="utf-8")
        found = re.search(r"^VmHWM:\s+(\d+) kB$", status, re.MULTILINE)
        assert found is not None
        return int(found[1]) * 1024

    async def post(self, path: str, body: bytes) -> int:
        return (await ask(self.url, "POST", path, body=body)).status

    async def is_ready(self) -> bool:
        """Whether the cluster is known."""
        return (await ask(self.url, "GET", "/readyz")).status == 200

    async def flood(self, post: Callable[[int], Awaitable[None]], *, times: int) -> None:
        """Post so many times, a few at once."""
        numbers = iter(range(times))

        async def sender() -> None:
            for number in numbers:
                await post(number)

        await asyncio.gather(*(sender() for _ in range(AT_ONCE)))


@pytest.fixture
async def cluster(embedded_api_server: ApiServer) -> ApiServer:
    """Two receivers and a Warehouse."""
    objects = [project_config([AZURE, QUAY]), warehouse("app", constraint="^1.0.0")]
    await embedded_api_server.apply(*objects, *(secret_of(hook) for hook in (AZURE, QUAY)))
    await embedded_api_server.allow_secrets(PROJECT)
    return embedded_api_server


@pytest.fixture
def process(cluster: ApiServer, azurite: Azurite) -> Iterator[Process]:
    settings = {
        "ANSWER_BUDGET_SECONDS": AMPLE,
        "KUBECONFIG": str(cluster.kubeconfig("kargo-receivers")),
        "AzureWebJobsStorage": azurite.connection_string,
    }
    with running_process(ROOT, {**UNCONFIGURED, **settings}) as (url, running):
        yield Process(url, running)


def largest(number: int) -> bytes:
    """A push to Quay of as many tags as are matched one by one, as long as 2 MiB allow, none of which another names."""
    head, tail = b'{"docker_url":"quay.io/team/app","updated_tags":["1.0.0"', b"]}"
    length = (limits.BODY - len(head) - len(tail)) // (limits.QUALIFIERS - 1) - len(',""')
    assert length <= limits.NAME
    names = (f"{number}-{tag}-".ljust(length, "x") for tag in range(limits.QUALIFIERS - 1))
    return head + b"".join(b',"%s"' % name.encode() for name in names) + tail


async def test_the_largest_bodies_leave_nothing_behind(process: Process) -> None:
    """At URLs that are known, with tags that are all different, and at random ones."""
    rubbish = b" " * limits.BODY

    async def known(number: int) -> None:
        assert await process.post(QUAY.path, largest(number)) == 200

    async def unknown(_: int) -> None:
        assert await process.post(f"/azure/{secrets.token_hex(32)}", rubbish) == 404

    await until(process.is_ready)
    await process.flood(known, times=POSTS)
    await process.flood(unknown, times=POSTS)
    assert process.peak < MOST
