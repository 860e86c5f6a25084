"""What is read of a large cluster stays, so that Python's collector of garbage need not look through it.

It looks for cycles, of which there are none here, and would hold the event loop for a second with 100,000 Warehouses.
What it does not look through is freed all the same once nothing refers to it.
"""

import gc

OBJECTS = 1_000  # of the cluster, after which what was made for them is set apart; fewer make little to look through
YOUNG = 1  # the generations of what was made lately: what is garbage among it goes before the rest is set apart


class Settling:
    """Counts the objects of one list that were put into a store."""

    def __init__(self) -> None:
        self._count = 0

    def count(self) -> None:
        """One more."""
        self._count += 1
        if self._count % OBJECTS == 0:
            _set_apart()

    def end(self) -> None:
        """There are no more."""
        if self._count >= OBJECTS:
            _set_apart()


def _set_apart() -> None:
    gc.collect(YOUNG)
    gc.freeze()
