"""How long the next try waits."""

from receivers import limits
from receivers.cluster.backoff import Backoff


def longest() -> Backoff:
    return Backoff(jitter=lambda: 1.0)


def test_the_span_doubles_up_to_the_last_one() -> None:
    backoff = longest()
    spans = [backoff.next() for _ in range(9)]
    assert spans == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, limits.BACKOFF_LAST, limits.BACKOFF_LAST]


def test_what_happens_to_many_at_once_has_a_longer_span() -> None:
    backoff = longest()
    assert backoff.next(spread=5.0) == 5.0
    assert backoff.next(2.0, spread=5.0) == 7.0
    assert backoff.next(spread=0.3) == 0.4


def test_many_failures_do_not_overflow() -> None:
    backoff = longest()
    assert {backoff.next() for _ in range(5000)} >= {limits.BACKOFF_LAST}


def test_a_success_starts_it_over() -> None:
    backoff = longest()
    backoff.next()
    backoff.next()
    backoff.reset()
    assert backoff.next() == limits.BACKOFF_FIRST


def test_the_wait_is_a_random_share_of_the_span() -> None:
    shares = iter([0.0, 0.5, 0.25])
    backoff = Backoff(jitter=lambda: next(shares))
    assert [backoff.next(), backoff.next(), backoff.next()] == [0.0, 0.1, 0.1]


def test_waiters_do_not_return_at_once() -> None:
    assert len({Backoff().next() for _ in range(100)}) > 90


def test_what_the_server_asked_for_is_waited_at_least() -> None:
    assert Backoff(jitter=lambda: 0.0).next(3.0) == 3.0
    assert longest().next(3.0) == 3.1


def test_a_server_that_asks_for_too_much_is_asked_again_all_the_same() -> None:
    assert Backoff(jitter=lambda: 0.0).next(float("inf")) == limits.RETRY_AFTER_MAXIMUM


def test_the_last_span_can_be_chosen() -> None:
    backoff = Backoff(last=0.15, jitter=lambda: 1.0)
    assert [backoff.next(), backoff.next()] == [0.1, 0.15]
