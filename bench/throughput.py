"""Deliveries per second, beside the trivial function: rounds in turn, so that a noisy moment meets both."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from bench import load
from bench.figures import milliseconds, percentile, say
from bench.service import Service
from bench.size import Size

OK = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """What one round of load gave."""

    rate: float  # answers a second
    half: float  # seconds; the latency of the median
    most: float  # seconds; the latency of all but one in a hundred
    cpu: float  # seconds of the service's processor time for each answer
    others: int  # answers that were not 200


@dataclass(frozen=True, slots=True)
class Contestant:
    """A service, and what is sent to it."""

    service: Service
    requests: list[bytes]
    ca_file: str = ""  # where it speaks TLS

    def take(self, *, connections: int, seconds: float) -> Round:
        """Measure one round."""
        before = self.service.cpu
        plan = load.Plan(
            url=self.service.url,
            requests=self.requests,
            connections=connections,
            seconds=seconds,
            ca_file=self.ca_file,
        )
        run = load.drive(plan)
        latencies = [exchange.latency for exchange in run.exchanges]
        return Round(
            rate=run.rate,
            half=median(latencies),
            most=percentile(latencies, 0.99),
            cpu=(self.service.cpu - before) / len(latencies),
            others=len(latencies) - run.statuses[OK],
        )


@dataclass(frozen=True, slots=True)
class Rounds:
    """All rounds of a contestant at one concurrency; what is told is the median of the rounds."""

    taken: Sequence[Round]

    @property
    def rate(self) -> float:
        return median(each.rate for each in self.taken)

    @property
    def most(self) -> float:
        return median(each.most for each in self.taken)

    def ratio(self, other: "Rounds") -> float:
        """The median of this rate in parts of the other's, round by round."""
        return median(mine.rate / theirs.rate for mine, theirs in zip(self.taken, other.taken, strict=True))

    def __str__(self) -> str:
        half, cpu = median(each.half for each in self.taken), median(each.cpu for each in self.taken)
        others = sum(each.others for each in self.taken)
        text = f"{self.rate:,.0f}/s, p50 {milliseconds(half)}, p99 {milliseconds(self.most)}, {cpu * 1e6:.0f} µs CPU"
        return f"{text}; {others} not refreshed in time" if others else text


def compete(contestants: Mapping[str, Contestant], *, connections: int, size: Size) -> dict[str, Rounds]:
    """Measure each in turn, as often as the size says, after a first round that does not count."""
    taken: dict[str, list[Round]] = {name: [] for name in contestants}
    for name, contestant in contestants.items():
        contestant.take(connections=connections, seconds=size.seconds / 3)
        say(f"  {connections} connections: {name} is warm")
    for number in range(size.rounds):
        for name, contestant in contestants.items():
            taken[name].append(contestant.take(connections=connections, seconds=size.seconds))
        rates = ", ".join(f"{name} {rounds[-1].rate:,.0f}/s" for name, rounds in taken.items())
        say(f"  {connections} connections, round {number + 1} of {size.rounds}: {rates}")
    return {name: Rounds(rounds) for name, rounds in taken.items()}
