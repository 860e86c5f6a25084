"""How soon everything that waits is refreshed once there is a cluster again, or an instance less.

Two instances over one retry queue. In an outage the API server is gone for so long, while deliveries arrive, and one of
the instances is killed half-way and stays so. In the last case the API server has just gone, and an instance is killed
that has taken deliveries from the queue and waits with them for its return: what it held comes back without waiting for
the ten minutes for which the Functions host would hide it. All in real time.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import cycle, islice
from pathlib import Path

from bench.drill import senders, traffic
from bench.drill.annotations import Annotations
from bench.drill.drill import messages_in
from bench.drill.scene import Host
from bench.drill.senders import Image
from bench.drill.traffic import Post
from bench.figures import percentile, say
from bench.workload import SECRETS_NAMESPACE
from receivers.local.azurite import Azurite
from receivers.retries.queue import QUEUE
from testbed.servers import ApiServer

IMAGES = 100  # each has two Warehouses
RATE = 20.0  # deliveries a second, for as long as they are sent
KNOWN_AFTER = 2.0  # seconds of good times, in which each instance learns every receiver
SENT_FOR = 10.0  # seconds at most; then the outage just lasts
PROMISED = 30.0  # seconds from when the cluster answers again to the last refresh
PROMISED_KILLED = 60.0  # seconds from the kill to the last refresh
TRIED_FROM = 5.0  # seconds after which a delivery that was queued is tried
TAKEN_BY_ONE = 24  # messages that an instance works on at a time, as host.json has it
TAKEN_WITHIN = 30.0  # seconds at most; an instance looks into the queue every five
LOOK_EVERY = 0.1  # seconds
PATIENCE = 180.0  # seconds until everything is refreshed


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovery:
    """What became of the deliveries that waited."""

    what: str
    within: float  # seconds, as promised
    waited: Sequence[float]  # seconds from the return, or the kill, to the last refresh of each; 0: it came before
    missing: int  # refreshes that never came
    answers: Sequence[int]  # statuses

    @property
    def row(self) -> list[str]:
        """Of the table."""
        shares = [f"{percentile(self.waited, share):.1f} s" for share in (0.5, 0.99, 1.0)] if self.waited else [""] * 3
        return [self.what, str(len(self.waited)), *shares, f"{self.within:.0f} s"]

    def broken(self) -> list[str]:
        """Every promise that was not kept."""
        faults = self.lost()
        if self.waited and max(self.waited) > self.within:
            faults.append(f"{self.what}: the last one was refreshed after {max(self.waited):.1f} s")
        return faults

    def lost(self) -> list[str]:
        """The promises that no clock decides."""
        faults = [f"{self.what}: {self.missing} refreshes never came"] if self.missing else []
        if not self.waited:
            faults.append(f"{self.what}: nothing waited, so nothing was tried")
        return faults


def table(recoveries: Sequence[Recovery]) -> str:
    """For the terminal, and for a page."""
    headings = ["", "deliveries that waited", "refreshed after: p50", "p99", "max", "promised"]
    rows = [headings, ["---", *["--:"] * (len(headings) - 1)], *(each.row for each in recoveries)]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


async def measure(
    outages: Sequence[float], server: ApiServer, azurite: Azurite, folder: Path, *, killed: bool = True
) -> list[Recovery]:
    """Each outage in turn, of so many seconds, and the killed instance. The API server is empty; logs in ``folder``."""
    images = [senders.image(number) for number in range(IMAGES)]
    await server.apply(*senders.objects(images))
    for namespace in (SECRETS_NAMESPACE, *senders.projects(images)):
        await server.allow_secrets(namespace)
    found = []
    for number, seconds in enumerate(outages):
        say(f"  an outage of {seconds:g} s")
        async with _instances(server, azurite, folder / f"outage-{number}") as stage:
            found.append(await stage.outage(seconds, images))
    if killed:
        say("  an instance is killed")
        async with _instances(server, azurite, folder / "killed") as stage:
            found.append(await stage.killed(images))
    return found


@dataclass(frozen=True, slots=True)
class _Stage:
    server: ApiServer
    azurite: Azurite
    annotations: Annotations
    hosts: Sequence[Host]  # two

    async def outage(self, seconds: float, images: Sequence[Image]) -> Recovery:
        await self._post(images, seconds=KNOWN_AFTER)
        await self.server.stop()
        posts = await self._post(images, seconds=min(SENT_FOR, seconds / 2))
        await asyncio.sleep(max(0.0, seconds / 2 - SENT_FOR))
        self.hosts[0].kill()
        await asyncio.sleep(seconds / 2)
        await self.server.start()
        return await self._recovered(f"outage of {_duration(seconds)}", posts, datetime.now(UTC), PROMISED)

    async def killed(self, images: Sequence[Image]) -> Recovery:
        await self._post(images, seconds=KNOWN_AFTER)
        await self.server.stop()
        posts = await self._post(images, seconds=TRIED_FROM)
        await self._taken_by_both(sum(post.accepted for post in posts))
        self.hosts[0].kill()
        killed = datetime.now(UTC)
        await self.server.start()
        return await self._recovered("an instance killed at work", posts, killed, PROMISED_KILLED)

    async def _taken_by_both(self, queued: int) -> None:
        """Wait until each instance works on what was queued: whatever is worked on stands in the queue once more.

        That lasts ten seconds, for which a try waits for a cluster that has gone. One message more is the herald.
        """
        with suppress(TimeoutError):
            async with asyncio.timeout(TAKEN_WITHIN):
                while await messages_in(self.azurite, QUEUE) <= queued + TAKEN_BY_ONE + 1:  # noqa: ASYNC110 - nobody tells
                    await asyncio.sleep(LOOK_EVERY)

    async def _post(self, images: Sequence[Image], *, seconds: float) -> list[Post]:
        """Half of them to each instance."""
        pushed = list(islice(cycle(images), int(RATE * seconds)))
        halves = (pushed[::2], pushed[1::2])
        sent = await asyncio.gather(
            *(
                traffic.send(half, host.url, rate=RATE / 2, phase=lambda: "outage")
                for host, half in zip(self.hosts, halves, strict=True)
            )
        )
        return [post for posts in sent for post in posts]

    async def _recovered(self, what: str, posts: Sequence[Post], since: datetime, within: float) -> Recovery:
        accepted = [post for post in posts if post.accepted]
        await self.annotations.settled(accepted, patience=PATIENCE)
        waited = []
        for post in accepted:
            refreshes = [self.annotations.covering(target, post.arrival) for target in post.image.targets]
            seen = [refresh.seen for refresh in refreshes if refresh is not None]
            if len(seen) == len(refreshes):
                waited.append(max(0.0, (max(seen) - since).total_seconds()))
        return Recovery(
            what=what,
            within=within,
            waited=waited,
            missing=sum(len(self.annotations.missing(post)) for post in accepted),
            answers=[post.status for post in posts],
        )


@asynccontextmanager
async def _instances(server: ApiServer, azurite: Azurite, folder: Path) -> AsyncIterator[_Stage]:
    """Both run, and what is refreshed is seen."""
    environment = {
        "KUBECONFIG": str(server.kubeconfig("kargo-receivers")),
        "AzureWebJobsStorage": azurite.connection_string,
    }
    annotations = Annotations(server)
    hosts = []
    try:
        for name in ("first", "second"):  # one after the other: a host looks for a free port when it is made
            logs = folder / name
            logs.mkdir(parents=True, exist_ok=True)
            hosts.append(Host(environment, folder=logs))
            await hosts[-1].start(path="/readyz")
        async with annotations.running():
            yield _Stage(server, azurite, annotations, hosts)
    finally:
        for host in hosts:
            host.kill()


def _duration(seconds: float) -> str:
    return f"{seconds / 60:g} min" if seconds >= 60 else f"{seconds:g} s"
