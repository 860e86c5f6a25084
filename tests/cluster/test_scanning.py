"""Which object it is that cannot be decoded, found in time that grows with its length and no faster."""

import pytest

from receivers.cluster import scanning
from receivers.cluster.records import Identity, Key
from tests.loop_lag import HELD, loop_lag

LONG = 400_000  # bytes; time that grew with the square of it would be half a minute


def cut(begun: str) -> bytes:
    """An object whose annotations are cut off, or no JSON from there on."""
    head = '{"apiVersion": "v1", "metadata": {"name": "odd", "namespace": "shop", "annotations": {"a": '
    return f"{head}{begun}".encode()


@pytest.mark.parametrize(
    "begun",
    [
        pytest.param('"' + "x" * LONG, id="in a text"),
        pytest.param('"' + '\\"' * (LONG // 2), id="in a text of quotes"),
        pytest.param("1" * LONG, id="in a number"),
        pytest.param('"a",' * (LONG // 4), id="between texts"),
        pytest.param("[" * LONG, id="in brackets"),
        pytest.param('"b": "c"} "\\' + "x" * LONG, id="behind what is no JSON"),
    ],
)
async def test_what_is_cut_holds_the_loop_for_no_longer_than_its_length_takes(begun: str) -> None:
    async with loop_lag() as lag:
        identity = await scanning.of_object(cut(begun))
    assert identity == Identity(Key("shop", "odd"), "")
    assert lag.longest_computing < HELD


@pytest.mark.parametrize(
    ("metadata", "identity"),
    [
        ('"resourceVersion": 7, "name": "odd", "namespace": "shop"', Identity(Key("shop", "odd"), "")),
        ('"name": "odd", "resourceVersion": "7"', Identity(Key("", "odd"), "7")),
        ('"namespace": "shop"', Identity(None, "")),
        ('"name": "odd", "namespace": "no/namespace"', Identity(None, "")),
        ('"name": "\xff", "namespace": "shop"', Identity(None, "")),
    ],
    ids=["a version that is no text", "of no namespace", "no name", "no namespace", "no UTF-8"],
)
async def test_an_object_is_known_by_its_name_and_namespace(metadata: str, identity: Identity) -> None:
    assert await scanning.of_object(f'{{"metadata": {{{metadata}}}}}'.encode("latin-1")) == identity
