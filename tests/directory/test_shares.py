"""Which project has the most rows and which row is its oldest, whatever comes and goes."""

from collections import Counter
from random import Random

from receivers.directory.shares import Shares


def test_the_largest_and_the_oldest_are_told_after_any_changes() -> None:
    random, shares = Random(1), Shares[int]()  # noqa: S311 - to be repeated
    kept: dict[tuple[str, int], float] = {}
    for at in range(3_000):
        project, key = random.choice("abcde"), random.randrange(30)
        shares.remove(project, key)
        kept.pop((project, key), None)
        if random.random() < 0.6:
            shares.add(project, key, -at)
            kept[project, key] = -at
        counts = Counter(project for project, _ in kept)
        assert len(shares) == len(counts)
        assert not counts or counts[str(shares.largest())] == max(counts.values())
        for each in counts:
            assert (each, shares.oldest(each)) == min((row for row in kept if row[0] == each), key=kept.__getitem__)


def test_a_project_without_rows_takes_no_room() -> None:
    shares = Shares[int]()
    shares.add(None, 1, 0)
    shares.remove(None, 1)
    shares.remove("another", 1)
    assert (len(shares), shares.count(None)) == (0, 0)
    assert not shares._sized
