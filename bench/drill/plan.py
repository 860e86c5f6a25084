"""What happens in a drill, and when."""

from dataclasses import dataclass
from enum import StrEnum


class Fault(StrEnum):
    """What is done to the service, in the words of the table."""

    FROZEN = "API server frozen"  # SIGSTOP: connections are accepted, and nothing answers
    KILLED = "API server killed"  # SIGKILL; it is started again at the end, which takes seconds
    SLOW = "patches slow"  # each reaches the API server 3 s late
    THROTTLED = "429 to everything"  # with Retry-After: 1
    BROKEN = "500 to everything"
    HOST = "host killed"  # SIGKILL, and started again; over when it answers
    AZURITE = "Azurite restarted"


@dataclass(frozen=True, slots=True)
class Blow:
    """A fault, in seconds since the first delivery."""

    fault: Fault
    at: float
    lasts: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """So many deliveries at a steady rate, which do not wait for each other's answers.

    Every second one is the only push of its image: no later delivery makes good for it when it is lost. The others
    are of a few busy images.
    """

    deliveries: int
    rate: float  # a second
    busy: int  # images that are pushed again and again
    blows: tuple[Blow, ...]
    patience: float  # seconds until the retry queue is empty, after the last delivery

    @property
    def images(self) -> int:
        """How many images there are."""
        return self.busy + self.deliveries // 2

    def image(self, number: int) -> int:
        """The number of the image that a delivery is for."""
        return self.busy + number // 2 if number % 2 else number // 2 % self.busy


FULL = Plan(
    deliveries=2_000,
    rate=25.0,
    busy=50,
    blows=(
        Blow(Fault.FROZEN, at=6, lasts=15),
        Blow(Fault.HOST, at=12, lasts=1),  # it starts while the cluster is away
        Blow(Fault.KILLED, at=26, lasts=4),
        Blow(Fault.SLOW, at=38, lasts=6),
        Blow(Fault.HOST, at=42, lasts=1),  # with patches under way and deliveries in the queue
        Blow(Fault.AZURITE, at=50, lasts=1),
        Blow(Fault.THROTTLED, at=56, lasts=5),
        Blow(Fault.BROKEN, at=65, lasts=5),
        Blow(Fault.HOST, at=67, lasts=1),
    ),
    patience=300.0,
)
SHORT = Plan(
    deliveries=300,
    rate=20.0,
    busy=20,
    blows=(
        Blow(Fault.FROZEN, at=2, lasts=4),
        Blow(Fault.HOST, at=4.5, lasts=0.5),
        Blow(Fault.AZURITE, at=11, lasts=0.5),
    ),
    patience=120.0,
)
