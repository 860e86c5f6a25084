"""What a siege found: the aims, whether they were met, and what else the table tells."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from bench.figures import Chapter, Figure, milliseconds, percentile
from bench.siege import attackers, tenants
from bench.siege.attackers import OWN, Tally
from bench.siege.audit import counted
from bench.siege.load import LONGEST_HOLD, Load
from bench.siege.plan import Plan
from bench.siege.watched import NOTED
from receivers import limits

SLOWER = 3.0  # times the p99 of the same deliveries alone; or as many as a bare client's calls are, if that is more
PEAK = 200.0  # MB; an instance has 512
CALM = 0.5  # seconds; a machine on which the p99 of the deliveries alone is above this is too busy with others
CALLS = 1_000  # to the API server, for what no delivery asked for: to start, to list again, to renew watches
OWN_WAREHOUSES = 4  # of a hostile tenant, that a push to its own receiver refreshes
NOT_NOTED = f"below {milliseconds(NOTED)}"
ROWS = 100  # of the journal, beyond one for each delivery whose receiver is known


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """Both loads."""

    plan: Plan
    calm: Load
    siege: Load
    refusals: Sequence[str]  # objects that the API server did not take

    def missed(self) -> list[str]:
        """Each aim that was missed, in a line."""
        return [f"{each.what}: {each.value}, not {each.aim}" for each in self.aims() if each.met is False]

    @property
    def telling(self) -> bool:
        """Whether the machine could bear the honest deliveries alone, so that the siege is what hurt them."""
        calm = self.calm
        return calm.accepted == len(calm.posts) and percentile(calm.latencies, 0.99) <= CALM

    def certain(self) -> list[str]:
        """As :meth:`missed`, without what depends on how busy the machine is."""
        timed = {figure.what for figure in self._times()}
        return [line for line in self.missed() if line.partition(":")[0] not in timed]

    def chapters(self) -> list[Chapter]:
        """The table."""
        return [
            Chapter("Aims", self.aims()),
            Chapter("Honest deliveries", self._honest()),
            Chapter("Calls to the API server", self._calls()),
            Chapter("What the hostile ones did", self._hostile()),
        ]

    def aims(self) -> list[Figure]:
        """What is promised."""
        siege = self.siege
        refreshed, rows, allowed_rows = siege.refreshed, siege.rows, self._rows_allowed()
        return [
            _all("honest deliveries answered 2xx", siege.accepted, len(siege.posts)),
            _all("their Warehouses refreshed, by a patch that began after the arrival", refreshed, siege.owed),
            *self._times(),
            Figure(
                "peak of the service's memory",
                f"{siege.peak:.0f} MB; {self.calm.peak:.0f} MB without the siege",
                f"below {PEAK:.0f} MB",
                siege.alive and siege.peak < PEAK,
            ),
            Figure(
                "calls to the API server",
                f"{len(siege.calls):,}",
                f"at most {self._calls_allowed():,}",
                len(siege.calls) <= self._calls_allowed(),
            ),
            _all("honest deliveries that have a row in the journal", siege.rows_of, len(siege.posts)),
            Figure("rows of the journal", f"{rows:,}", f"at most {allowed_rows:,}", rows <= allowed_rows),
        ]

    def _times(self) -> list[Figure]:
        return [self._slower(), self._held()]

    def _slower(self) -> Figure:
        """No answer can be sooner than the API server's, which the tenants make slower for everybody."""
        before, after = (percentile(load.latencies, 0.99) for load in (self.calm, self.siege))
        bare_before, bare_after = (percentile(load.bare, 0.99) for load in (self.calm, self.siege))
        allowed = max(SLOWER, bare_after / bare_before)
        of_bare = "" if allowed == SLOWER else ", as the bare client's"
        return Figure(
            "p99 of the honest answers, beside that without the siege",
            f"{after / before:.1f} times: {milliseconds(after)} for {milliseconds(before)}",
            f"at most {allowed:.1f} times{of_bare}",
            after <= allowed * before,
        )

    def _held(self) -> Figure:
        hold = self.siege.longest
        return Figure(
            "longest hold of the service's event loop",
            f"{milliseconds(hold.held)} ({milliseconds(hold.late)} by the clock)" if hold.held else NOT_NOTED,
            f"at most {milliseconds(LONGEST_HOLD)}",
            hold.held <= LONGEST_HOLD,
        )

    def _calls_allowed(self) -> int:
        """What deliveries with a good URL may cost, and the constant."""
        receivers = len({post.image.path for post in self.siege.posts}) + len(tenants.hostile(self.plan))
        secrets = receivers * (int((self.plan.warmth + self.plan.seconds) / limits.SECRET_FRESH) + 1)
        return self.siege.owed + self._accepted(OWN) * OWN_WAREHOUSES + secrets + CALLS

    def _rows_allowed(self) -> int:
        return len(self.siege.posts) + sum(self._tallies.get(OWN, Tally()).outcomes.values()) + ROWS

    def _accepted(self, kind: str) -> int:
        outcomes = self._tallies.get(kind, Tally()).outcomes
        return sum(count for outcome, count in outcomes.items() if outcome.startswith("2"))

    @property
    def _tallies(self) -> Mapping[str, Tally]:
        return self.siege.report.requests if self.siege.report else {}

    def _honest(self) -> list[Figure]:
        rate = f"{self.plan.rate:g} a second"
        pairs: list[tuple[str, Callable[[Load], str]]] = [
            (f"answers, at {rate}", lambda load: _counts(Counter(str(post.status or "none") for post in load.posts))),
            ("answered: p50, p99, at most", lambda load: _spread(load.latencies)),
            (
                "a bare client's Secret read and two patches: p50, p99, at most",
                lambda load: _spread(load.bare),
            ),
            ("refreshed: p50, p99, at most", lambda load: _spread(load.within)),
            ("ready after the start", lambda load: "never" if load.ready is None else f"{load.ready:.1f} s"),
            (f"holds of the event loop over {milliseconds(LONGEST_HOLD)}", lambda load: str(load.long_holds)),
        ]
        return [_beside(what, of(self.siege), of(self.calm)) for what, of in pairs]

    def _calls(self) -> list[Figure]:
        alone, besieged = counted(self.calm.calls), counted(self.siege.calls)
        kinds = sorted({*alone, *besieged}, key=lambda kind: -besieged[kind])
        return [_beside(kind, f"{besieged[kind]:,}", f"{alone[kind]:,}") for kind in kinds]

    def _hostile(self) -> list[Figure]:
        tried = attackers.tried(self.plan) | {
            "small": f"{self.plan.edits:g} a second",
            "large": f"{self.plan.heavy_edits:g} a second",
        }
        rows = [
            Figure(f"{kind}, {tried[kind]}", f"{_counts(tally.outcomes)}; {_spread(tally.latencies)}")
            for kind, tally in self._tallies.items()
        ]
        edits = self.siege.report.edits if self.siege.report else {}
        return rows + [
            Figure(f"edits of {size} objects, {tried[size]}", _counts({str(key): each[key] for key in each}))
            for size, each in edits.items()
        ]


def _all(what: str, found: int, expected: int) -> Figure:
    return Figure(what, f"{found:,} of {expected:,}", "all", found == expected)


def _beside(what: str, besieged: str, alone: str) -> Figure:
    return Figure(what, f"{besieged} (without the siege {alone})")


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count:,} x {status}" for status, count in sorted(counts.items())) or "none"


def _spread(seconds: Sequence[float]) -> str:
    if not seconds:
        return "no answer"
    return "after " + ", ".join(milliseconds(percentile(seconds, share)) for share in (0.5, 0.99, 1.0))
