"""What Go's values do that Python's do not."""

import pytest

from receivers.kargo.effort import TooMuch
from receivers.kargo.expressions import Refused
from tests.kargo.expressions.answers import value


@pytest.mark.parametrize(
    "source",
    [
        "first(request.body.action)",
        "request.body.action[0]",
        "get(request.body.action, 1)",
        "request.body.accents[2:3]",
        "int(1e300 * request.body.n)",
        "groupBy(toPairs({a: 1}), #)",
        "groupBy([request.body.zero / request.body.zero], #)",
        "toJSON(reduce(1..100, [#acc], 1))",
        "map(request.body.action, #)",
    ],
)
def test_what_go_has_and_python_has_not_is_refused(source: str) -> None:
    with pytest.raises(Refused):
        value(source)


def test_a_value_costs_what_it_takes_to_build() -> None:
    assert value("len(1..1600)", 200) == 1600
    with pytest.raises(TooMuch):
        value("len(1..1600)", 100)
