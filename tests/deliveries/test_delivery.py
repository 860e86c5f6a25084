"""Deliveries: their ids, and what is left to do."""

import re
from datetime import UTC, datetime, timedelta

from receivers.deliveries.delivery import Delivery, new_id

NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)


def test_ids_sort_by_time() -> None:
    times = [NOW + timedelta(milliseconds=milliseconds) for milliseconds in (0, 1, 999, 1000, 10**12)]
    ids = [new_id(time) for time in times]
    assert ids == sorted(ids)
    assert all(re.fullmatch("[0-9a-f]{24}", each) for each in ids)


def test_ids_of_one_moment_differ() -> None:
    assert len({new_id(NOW) for _ in range(1000)}) == 1000


def test_a_delivery_begins_with_nothing() -> None:
    delivery = Delivery(id=new_id(NOW), received_at=NOW, provider="azure")
    assert delivery.voucher == delivery.duplicate_of == delivery.redelivery_of == delivery.error == ""
    assert not any((delivery.events, delivery.matched, delivery.others, delivery.queued, delivery.test))
