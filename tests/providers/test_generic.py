"""The generic receiver: any JSON, and what the receiver's actions say of it."""

import json
from dataclasses import replace

import pytest

from receivers.events import Authenticated, Event, Faulty, Ignored, Malformed, Push, Selected, Selection, Target
from receivers.providers.generic import GENERIC
from tests.providers.proofs import receiver, request
from tests.providers.tellings import NOW

ACTION = {"action": "Refresh", "targetSelectionCriteria": [{"kind": "Warehouse", "name": "app"}]}


def told(body: bytes, when: str = "true", **headers: str) -> list[Event]:
    configuration = json.dumps({"actions": [ACTION | {"whenExpression": when}]}).encode()
    configured = replace(receiver("generic"), configuration=configuration)
    return GENERIC.events(Authenticated(request=request(body, **headers), receiver=configured))


@pytest.mark.parametrize(
    ("body", "when"),
    [
        (b"", "request.body == nil"),
        (b"null", "request.body == nil"),
        (b'"text"', 'request.body == "text"'),
        (b"5", "request.body == 5.0"),
        (b"[1, 2]", "request.body[1] == 2"),
        (b'{"a": 1, "a": 2}', "request.body.a == 2"),
        (b'{"a": true, "b": [{"c": null}]}', "request.body.a and request.body.b[0].c == nil"),
        (b'{"A": 1}', "request.body.a == nil"),
    ],
)
def test_a_body_is_decoded_as_go_does(body: bytes, when: str) -> None:
    (event,) = told(body, when)
    assert isinstance(event, Selected), event


@pytest.mark.parametrize("body", [b"x", b"{", b'{"a": 1} x', b"\xef\xbb\xbf{}", b"NaN", b"[" * 990 + b"]" * 990])
def test_a_body_that_is_not_json_is_malformed(body: bytes) -> None:
    with pytest.raises(Malformed, match="invalid request body"):
        told(body)


def test_headers_are_seen_by_the_expression() -> None:
    assert isinstance(told(b"{}", 'request.header("X-Event") == "x"', x_event="x")[0], Selected)
    assert isinstance(told(b"{}", 'request.header("X-Event") == "x"')[0], Ignored)


def test_the_results_are_those_of_the_actions_in_order() -> None:
    configured = replace(receiver("generic"), configuration=json.dumps({"actions": [ACTION, ACTION]}).encode())
    assert GENERIC.results is not None
    ended: list[tuple[Event, list[tuple[Target, bool]]]] = [
        (Selected(selections=()), [(Target("p", "app"), True)]),
        (Faulty("x"), []),
    ]
    first, second = GENERIC.results(configured, ended)
    assert (first["result"], second["result"]) == ("Success", "Error")
    assert GENERIC.results(replace(configured, configuration=b"x"), ended) == []


def test_faults_of_the_configuration_can_be_seen() -> None:
    assert GENERIC.faults is not None
    assert list(GENERIC.faults(replace(receiver("generic"), configuration=b"x")))
    assert not list(GENERIC.faults(receiver("generic")))


def test_its_example_is_json_of_an_image_or_of_commits() -> None:
    assert "image" in json.loads(GENERIC.example(Push(repository="r.example.com/a", tag="1"), NOW).body)
    assert "ref" in json.loads(
        GENERIC.example(Push(repository="https://g.example.com/a", ref="refs/heads/m"), NOW).body
    )


def test_what_its_actions_may_select_is_known_before_anything_is_posted() -> None:
    configuration = json.dumps({"actions": [ACTION]}).encode()
    assert GENERIC.selects is not None
    assert list(GENERIC.selects(replace(receiver("generic"), configuration=configuration))) == [Selection(name="app")]
