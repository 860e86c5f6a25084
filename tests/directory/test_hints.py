"""Where to look for the receiver of a URL."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from receivers import limits
from receivers.directory.hints import Hints, key_of
from receivers.events import Receiver, SecretReference
from testbed.objects import Hook

A, B, C = ("a" * 64, "b" * 64, "c" * 64)


def receiver(name: str = "builds", *, published: str = "", reference: str = "s") -> Receiver:
    return Receiver(
        provider="azure",
        name=name,
        project="p",
        source="ProjectConfig p",
        secret=SecretReference(namespace="p", name=reference),
        status_path=f"/azure/{published}" if published else "",
    )


def test_a_published_path_is_a_hint_until_another_is_published() -> None:
    hints = Hints()
    hints.put(receiver(published=A))
    assert hints.candidates(A) == [receiver(published=A)]
    hints.put(receiver(published=B))
    assert (hints.candidates(A), hints.candidates(B)) == ([], [receiver(published=B)])


def test_what_was_computed_last_is_a_hint_and_nothing_from_before() -> None:
    hints = Hints()
    hints.put(receiver())
    hints.computed(receiver(), frozenset({A, B}))
    hints.computed(receiver(), frozenset({B, C}))
    assert [bool(hints.candidates(token)) for token in (A, B, C)] == [False, True, True]


def test_with_another_secret_nothing_is_left_of_what_was_computed() -> None:
    hints = Hints()
    hints.put(receiver())
    hints.computed(receiver(), frozenset({A}))
    hints.put(receiver(published=B))
    assert hints.candidates(A)
    hints.put(receiver(published=B, reference="another"))
    assert not hints.candidates(A)


def test_nothing_is_computed_for_a_receiver_that_is_gone() -> None:
    hints = Hints()
    hints.put(receiver(published=A))
    hints.remove(key_of(receiver()))
    hints.remove(key_of(receiver()))
    hints.computed(receiver(), frozenset({B}))
    assert hints.candidates(A) == hints.candidates(B) == []
    assert hints.get(key_of(receiver())) is None


def test_who_proved_a_token_comes_before_who_is_published_with_it_and_few_are_looked_at() -> None:
    hints = Hints()
    for number in range(100):
        hints.put(replace(receiver("thief", published=A), source=f"ProjectConfig {number}"))
    hints.put(receiver())
    hints.computed(receiver(), frozenset({A}))
    candidates = hints.candidates(A)
    assert candidates[0] == receiver()
    assert len(candidates) == limits.CANDIDATES


def test_one_project_that_publishes_a_path_many_times_hides_nobody_who_has_it() -> None:
    hints = Hints()
    for number in range(100):
        hints.put(replace(receiver(f"thief-{number}", published=A), source="ProjectConfig crowd"))
    hints.put(receiver(published=A))
    assert receiver(published=A) in hints.candidates(A)
    assert len(hints.candidates(A)) == 2


def test_a_published_path_that_is_none_is_no_hint() -> None:
    hints = Hints()
    for path in ("", "/azure/", "/azure/short", "/azure/" + "G" * 64, "x" * 100_000):
        hints.put(replace(receiver(), status_path=path))
        assert hints._by_published == {}
    hints.put(replace(receiver(), status_path=Hook().path))
    assert hints._by_published


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["put", "remove", "computed"]),
            st.sampled_from(["one", "two"]),
            st.sampled_from([A, B, C]),
        )
    )
)
def test_nothing_is_left_when_all_are_gone(changes: list[tuple[str, str, str]]) -> None:
    hints = Hints()
    for change, name, token in changes:
        match change:
            case "put":
                hints.put(receiver(name, published=token))
            case "remove":
                hints.remove(key_of(receiver(name)))
            case _:
                hints.computed(receiver(name), frozenset({token}))
    for name in ("one", "two"):
        hints.remove(key_of(receiver(name)))
    assert (hints._receivers, hints._computed, hints._by_computed, hints._by_published) == ({}, {}, {}, {})
