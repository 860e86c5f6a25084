"""What a drill found: every delivery and its refreshes, which promises were broken, and the tables."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from bench.drill.annotations import Annotations
from bench.drill.plan import Fault
from bench.drill.scene import Interval
from bench.drill.traffic import Post
from bench.figures import percentile
from receivers import limits
from testbed.fault_proxy import Request

SLOWEST = 3.0  # seconds that no answer may exceed
HEADINGS = ("", "sent", "200", "202", "other", "no answer", "slowest answer", "refreshed within: p50", "p99", "max")
WAVE = 2.0  # seconds after a recovery in which a stampede would come
OUTAGES = (Fault.FROZEN, Fault.KILLED, Fault.BROKEN)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wave:
    """The patches that came first after the cluster was back."""

    after: Fault
    patches: int
    warehouses: int
    asked: int  # refreshes that deliveries asked for meanwhile, or so shortly before that their next try asks again

    @property
    def stampede(self) -> bool:
        """Whether there were more than one for each Warehouse, and one for each that was asked for since."""
        return self.patches > self.warehouses + self.asked


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One drill, over."""

    posts: Sequence[Post]
    annotations: Annotations
    patches: Sequence[Request]  # as the proxy saw them
    most_at_once: int  # patches
    host_dead: Sequence[Interval]
    recovered: Sequence[tuple[Fault, float]]
    log: Sequence[str]  # of the service
    waiting: int  # deliveries in the retry queue at the end
    poisoned: int
    drained: float  # seconds from the last delivery until all was done

    def broken(self) -> list[str]:
        """Every promise that was not kept: which delivery, and what is known of it."""
        faults = [*self.lost(), *(fault for post in self.posts for fault in self._amiss(post))]
        if self.most_at_once > limits.PATCHES_IN_FLIGHT:
            faults.append(f"{self.most_at_once} patches at once; {limits.PATCHES_IN_FLIGHT} is the limit")
        return faults + [f"a stampede: {wave}" for wave in self.waves() if wave.stampede]

    def lost(self) -> list[str]:
        """The promise that no clock decides: what was accepted is refreshed, and nothing waits any more."""
        faults = [fault for post in self.posts if post.accepted for fault in self._unrefreshed(post)]
        if self.waiting or self.poisoned:
            faults.append(f"at the end {self.waiting} deliveries wait in the retry queue, {self.poisoned} are poisoned")
        return faults

    def _unrefreshed(self, post: Post) -> Iterable[str]:
        for target in self.annotations.missing(post):
            began = [f"{refresh.began:%H:%M:%S.%f}" for refresh in self.annotations.of(target)[-3:]]
            yield (
                f"{_told(post)}: answered {post.status} {post.body.strip()}, and {target} was not refreshed "
                f"after {post.arrival:%H:%M:%S.%f}; its last refreshes began {', '.join(began) or 'never'}"
                f"{self._logged(post)}"
            )

    def _amiss(self, post: Post) -> Iterable[str]:
        """What its sender would complain of."""
        if not post.status:
            if not any(killed <= post.ended and post.sent <= alive for killed, alive in self.host_dead):
                yield f"{_told(post)}: no answer, though the host lived: {post.error}"
            return
        if not post.accepted:
            yield f"{_told(post)}: answered {post.status} {post.body.strip()}{self._logged(post)}"
        if (latency := self._latency(post)) > SLOWEST:
            yield f"{_told(post)}: answered {post.status} after {latency:.1f} s"

    def _logged(self, post: Post) -> str:
        """The log's lines about a delivery."""
        return "".join(f"\n    {line}" for line in self.log if post.delivery_id and post.delivery_id in line)

    def _latency(self, post: Post) -> float:
        """Seconds until the answer, for as long as there was a host that could give one."""
        alive = [until for killed, until in self.host_dead if killed <= post.sent < until]
        return post.ended - max(post.sent, *alive) if alive else post.latency

    def waves(self) -> list[Wave]:
        """What came at the API server when it was back, after each outage."""
        return [self._wave(fault, at) for fault, at in self.recovered if fault in OUTAGES]

    def _wave(self, fault: Fault, at: float) -> Wave:
        paths = [patch.path for patch in self.patches if at <= patch.began < at + WAVE]
        since = at - limits.CLOCK_SKEW  # a try does not trust two clocks that a patch began after an arrival since then
        asked = sum(len(post.image.targets) for post in self.posts if since <= post.sent < at + WAVE)
        return Wave(after=fault, patches=len(paths), warehouses=len(set(paths)), asked=asked)

    def patches_of_one(self) -> list[int]:
        """How many patches each Warehouse got, answered or not."""
        paths = [patch.path for patch in self.patches]
        return [paths.count(path) for path in set(paths)]

    def rows(self) -> list[list[str]]:
        """The table of counts: by what was broken, by sender, and all."""
        return [
            *self._grouped(lambda post: post.phase),
            *self._grouped(lambda post: post.image.sender.name),
            self._row("all", self.posts),
        ]

    def _grouped(self, key: Callable[[Post], str]) -> list[list[str]]:
        names = dict.fromkeys(key(post) for post in self.posts)
        return [self._row(name, [post for post in self.posts if key(post) == name]) for name in names]

    def _row(self, name: str, posts: Sequence[Post]) -> list[str]:
        statuses = [post.status for post in posts]
        other = sum(status not in {0, 200, 202} for status in statuses)
        counts = [len(posts), statuses.count(200), statuses.count(202), other, statuses.count(0)]
        latencies = [post.latency for post in posts if post.status]
        slowest = f"{max(latencies):.2f} s" if latencies else ""
        within = [seconds for post in posts if post.accepted and (seconds := self.annotations.within(post)) is not None]
        shares = [f"{percentile(within, share):.1f} s" for share in (0.5, 0.99, 1.0)] if within else ["", "", ""]
        return [name, *map(str, counts), slowest, *shares]

    def summary(self) -> list[str]:
        """What the table does not tell."""
        each = self.patches_of_one()
        return [
            f"{len(self.patches)} patches, {min(each)} to {max(each)} of one Warehouse; {self.most_at_once} at once",
            *(
                f"within {WAVE:.0f} s after '{wave.after}': {wave.patches} patches of {wave.warehouses} Warehouses, "
                f"when deliveries had just asked for {wave.asked}"
                for wave in self.waves()
            ),
            f"all was done {self.drained:.0f} s after the last delivery",
        ]


def table(rows: Sequence[Sequence[str]]) -> str:
    """For the terminal, and for a page."""
    lines = [HEADINGS, ["---", *["--:"] * (len(HEADINGS) - 1)], *rows]
    return "\n".join(f"| {' | '.join(row)} |" for row in lines)


def _told(post: Post) -> str:
    return f"delivery {post.number} {post.delivery_id} of {post.image.sender.name}, sent while {post.phase}"
