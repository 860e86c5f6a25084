"""JSON of tenants, read no deeper and no wider than it counts."""

import msgspec
import pytest

from receivers.kargo import shallow


def raw(text: bytes) -> msgspec.Raw:
    return msgspec.Raw(text)


def test_of_a_list_the_first_elements_are_taken() -> None:
    found = shallow.elements(raw(b'[1,"a",[2],{},null]'), at_most=3)
    assert found == ([raw(b"1"), raw(b'"a"'), raw(b"[2]")], True)
    assert shallow.elements(raw(b"[1,2,3]"), at_most=3) == ([raw(b"1"), raw(b"2"), raw(b"3")], False)
    assert shallow.elements(raw(b"[]"), at_most=3) == ([], False)


@pytest.mark.parametrize("at_most", [1, 7, 8, 9, 30])
@pytest.mark.parametrize("count", [0, 1, 6, 7, 8, 9, 10, 31])
def test_few_elements_and_many_are_taken_alike(count: int, at_most: int) -> None:
    elements = [str(number).encode() for number in range(count)]
    found = shallow.elements(raw(b"[%s]" % b",".join(elements)), at_most=at_most)
    assert found == ([raw(each) for each in elements[:at_most]], count > at_most)


@pytest.mark.parametrize("text", [b"", b"7", b"{}", b"null", b'"a"', b"[", b"[1,"])
def test_what_is_no_list_has_no_elements(text: bytes) -> None:
    assert shallow.elements(raw(text), at_most=3) is None


def test_members_stay_undecoded() -> None:
    assert shallow.members(raw(b'{"a":[1.5],"b":{}}')) == {"a": raw(b"[1.5]"), "b": raw(b"{}")}
    assert shallow.members(raw(b"[]")) is None
    assert shallow.members(raw(b'{"\xff":1}')) is None


@pytest.mark.parametrize(
    ("text", "value"),
    [(b'"a"', "a"), (b"true", True), (b"false", False), (b"null", None), (b'["a","b"]', ["a", "b"]), (b"[]", [])],
)
def test_what_counts_is_read_as_it_is(text: bytes, value: object) -> None:
    assert shallow.value(raw(text)) == value


@pytest.mark.parametrize(
    "text", [b"1", b"1.5e300", b"{}", b"[1]", b'["a",[]]', b"", b'"\xff"', b'"\\ud800"', b"nonsense"]
)
def test_everything_else_is_other(text: bytes) -> None:
    assert shallow.value(raw(text)) is shallow.OTHER
