"""Which project has the most rows, whatever comes and goes."""

from collections import Counter
from random import Random

from receivers.directory.shares import Shares


def test_the_largest_is_told_after_any_changes() -> None:
    random, shares, kept = Random(1), Shares[int](), set[tuple[str, int]]()  # noqa: S311  # no secret
    for _ in range(3_000):
        project, key = random.choice("abcde"), random.randrange(30)
        if random.random() < 0.6:
            shares.add(project, key)
            kept.add((project, key))
        else:
            shares.remove(project, key)
            kept.discard((project, key))
        counts = Counter(project for project, _ in kept)
        assert len(shares) == len(counts)
        assert not counts or counts[str(shares.largest())] == max(counts.values())
        assert set(shares.of(project)) == {each for owner, each in kept if owner == project}


def test_a_project_without_rows_takes_no_room() -> None:
    shares = Shares[int]()
    shares.add(None, 1)
    shares.remove(None, 1)
    shares.remove("another", 1)
    assert (len(shares), shares.count(None), list(shares.of(None))) == (0, 0, [])
    assert not shares._sized
