"""The receiver that names its Warehouses."""

import pytest

from receivers.events import Event, Ignored, Requirement, Selected, Selection
from receivers.providers.refresh import REFRESH
from tests.providers.deliveries import deliver
from tests.providers.proofs import receiver
from tests.providers.tellings import IMAGE, NOW


def told(body: bytes = b"", **options: str) -> Event:
    (event,) = deliver("refresh", body, options=options)
    return event


@pytest.mark.parametrize("body", [b"", b"anything", b"{", b"\xff"])
def test_whatever_is_posted_the_named_warehouses_are_meant(body: bytes) -> None:
    expected = Selected(selections=(Selection(name="app"), Selection(name="other")))
    assert told(body, warehouses="app, other,") == expected


@pytest.mark.parametrize(
    ("labels", "requirements"),
    [
        ("team=a", (Requirement("team", "In", ("a",)),)),
        ("team == a", (Requirement("team", "In", ("a",)),)),
        ("team!=a", (Requirement("team", "NotIn", ("a",)),)),
        ("team", (Requirement("team", "Exists"),)),
        ("!team, tier=b", (Requirement("team", "DoesNotExist"), Requirement("tier", "In", ("b",)))),
        ("team=", (Requirement("team", "In", ("",)),)),
    ],
)
def test_labels_are_as_kubectl_has_them(labels: str, requirements: tuple[Requirement, ...]) -> None:
    assert told(labels=labels) == Selected(selections=(Selection(labels=requirements),))


def test_both_have_to_be_met() -> None:
    assert told(warehouses="app", labels="team") == Selected(
        selections=(Selection(name="app", labels=(Requirement("team", "Exists"),)),)
    )


@pytest.mark.parametrize("options", [{}, {"warehouses": " , "}, {"labels": ""}])
def test_with_neither_nothing_is_meant_and_the_fault_can_be_seen(options: dict[str, str]) -> None:
    assert told(b"", **options) == Ignored("the receiver has neither warehouses nor labels")
    assert REFRESH.faults is not None
    assert list(REFRESH.faults(receiver("refresh")))
    assert not list(REFRESH.faults(receiver("refresh", warehouses="app")))


def test_its_example_is_as_good_as_any() -> None:
    assert isinstance(told(REFRESH.example(IMAGE, NOW).body, warehouses="app"), Selected)
