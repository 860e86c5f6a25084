"""How long a siege lasts, how many take part in it, and how much they do."""

from dataclasses import dataclass

from receivers import limits


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Rates are those that are tried for; who waits for an answer sends less."""

    seconds: float = 120.0
    answer_budget: float = limits.ANSWER_BUDGET
    readiness: float = 60.0  # seconds that the service has to become ready; then the siege begins all the same
    warmth: float = 3.0  # seconds of the siege before the first honest delivery
    patience: float = 60.0  # seconds until the last refresh that is owed, after the last delivery

    # Honest senders
    projects: int = 80
    images: int = 160  # each with two Warehouses
    rate: float = 20.0  # deliveries a second, of all senders together
    # Open before the first delivery: the local host accepts one a turn of its event loop, however many wait, as libuv
    # does. In Azure the platform accepts them all, and hands requests on over a channel that is open.
    connections: int = 32  # each is used every few seconds, before the host closes it

    # Hostile senders: 64 connections
    guessing: int = 32  # connections that post to random URLs
    guesses: float = 100.0  # a second
    largest: int = 16  # connections that post bodies of 2 MiB, every second one to a random URL
    bodies: float = 3.0  # a second
    slow: int = 16  # connections that begin a body of 2 MiB, and send a byte of it at a time
    drip: float = 1.0  # seconds between two bytes

    # Hostile tenants: of each kind in bench/siege/tenants.py
    of_each_kind: int = 4
    edits: float = 10.0  # small objects rewritten, a second
    heavy_edits: float = 0.5  # objects of 100 KB to 1.4 MB rewritten, a second

    @property
    def deliveries(self) -> int:
        """How many the honest senders post."""
        return int(self.seconds * self.rate)


FULL = Plan()
# A test must not fail because the machine is busy with others: it asks for less, and no answer is cut short.
SHORT = Plan(
    seconds=10.0,
    answer_budget=25.0,
    readiness=30.0,
    patience=30.0,
    projects=20,
    images=40,
    rate=10.0,
    guesses=100.0,
    bodies=4.0,
    of_each_kind=1,
    edits=5.0,
)
