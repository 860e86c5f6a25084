"""How much is measured."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """Every benchmark takes what it needs of it."""

    starts: int  # processes started, of each kind
    holds: int  # processes whose first seconds are watched
    rounds: int  # measurements of which the median counts
    seconds: float  # of load in a round
    concurrencies: tuple[int, ...]
    warehouses: int  # that deliveries are spread over
    burst: int  # deliveries at once
    cluster: int  # Warehouses of a large cluster
    matches: int
    subscribers: int  # Warehouses that one push concerns
    large: int  # Warehouses of a very large cluster
    events: int  # of its watch
    stored: int  # Warehouses that many instances follow
    instances: tuple[int, ...]
    idle: float  # seconds for which nothing happens to them
    changes: int  # of Warehouses that they follow
    messages: int  # in the retry queue
    journal: int  # rows


FULL = Size(
    starts=9,
    holds=3,
    rounds=5,
    seconds=3.0,
    concurrencies=(1, 16, 64),
    warehouses=200,
    burst=1_000,
    cluster=10_000,
    matches=10_000,
    subscribers=1_000,
    large=100_000,
    events=5_000,
    stored=500,
    instances=(1, 5, 10, 20),
    idle=10.0,
    changes=100,
    messages=2_000,
    journal=1_000_000,
)
QUICK = Size(
    starts=3,
    holds=1,
    rounds=2,
    seconds=1.0,
    concurrencies=(1, 16, 64),
    warehouses=200,
    burst=1_000,
    cluster=2_000,
    matches=2_000,
    subscribers=200,
    large=10_000,
    events=1_000,
    stored=200,
    instances=(1, 4),
    idle=3.0,
    changes=50,
    messages=200,
    journal=20_000,
)
