"""Work that is counted in advance."""

from receivers import limits
from receivers.kargo.effort import DeliveryEffort, Effort


def test_what_is_left_may_be_spent_and_no_more() -> None:
    effort = Effort(10)
    assert effort.spend(7)
    assert not effort.spend(4)
    assert effort.spend(3)
    assert not effort.spend(1)


def test_what_is_spent_of_a_part_is_spent_of_the_whole() -> None:
    whole = Effort(10)
    one, two = Effort(8, within=whole), Effort(8, within=whole)
    assert one.spend(8)
    assert not two.spend(3)
    assert two.spend(2)
    assert not whole.spend(1)


def test_what_is_owed_ends_all_spending() -> None:
    whole = Effort(10)
    part = Effort(5, within=whole)
    part.owe(11)
    assert not part.spend(0)
    assert not whole.spend(0)


def test_a_project_has_its_share_of_a_delivery() -> None:
    delivery = DeliveryEffort()
    greedy = 0
    while delivery.decision("greedy").spend(limits.DECISION_EFFORT):
        greedy += limits.DECISION_EFFORT
    assert greedy == limits.PROJECT_EFFORT
    assert delivery.decision("modest").spend(limits.DECISION_EFFORT)
