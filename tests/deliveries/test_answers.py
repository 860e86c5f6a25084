"""The bytes that a sender gets."""

import json

import pytest

from receivers.deliveries import answers
from receivers.deliveries.answers import Answer
from receivers.events import Handshake, Ignored, Malformed, TooLarge, Unauthenticated, UnknownReceiver


@pytest.mark.parametrize(
    ("answer", "status", "body"),
    [
        (answers.refreshed(2), 200, '{"msg":"refreshed 2 warehouse(s)"}'),
        (answers.failed(1, 3), 503, '{"error":"failed to refresh 1 of 3 warehouses"}'),
        (answers.ping(), 200, '{"msg":"ping event received, webhook is configured correctly"}'),
        (answers.ignored(Ignored("not a push")), 200, '{"msg":"ignored: not a push"}'),
        (answers.handshake(Handshake(body={"validationResponse": "x"})), 200, '{"validationResponse":"x"}'),
        (answers.refused(Malformed("invalid request body")), 400, '{"error":"invalid request body"}'),
        (answers.refused(Unauthenticated()), 401, "{}"),
        (answers.refused(UnknownReceiver()), 404, "{}"),
        (answers.refused(TooLarge("too large")), 413, '{"error":"too large"}'),
        (answers.unavailable(), 503, '{"error":"the cluster cannot be reached, try again later"}'),
        (answers.busy(), 503, '{"error":"busy with other large requests, try again later"}'),
        (answers.defect(), 500, "{}"),
    ],
)
def test_a_body_is_one_object_and_a_newline(answer: Answer, status: int, body: str) -> None:
    assert (answer.status, answer.encoded()) == (status, f"{body}\n".encode())


@pytest.mark.parametrize("answer", [answers.unavailable(), answers.unproven(), answers.busy(), answers.failed(1, 1)])
def test_a_sender_is_told_when_to_try_again(answer: Answer) -> None:
    assert answer.status == 503
    assert int(answer.headers["Retry-After"]) > 0


@pytest.mark.parametrize(
    ("text", "encoded"),
    [
        ("<script>&", r"\u003cscript\u003e\u0026"),
        ("\u2028\u2029", r"\u2028\u2029"),
        ('"\\\n\t', r"\"\\\n\t"),
        ("größer 💩", "größer 💩"),
    ],
)
def test_text_is_escaped_as_go_escapes_it(text: str, encoded: str) -> None:
    content = Answer(status=200, body={"msg": text}).encoded()
    assert content == f'{{"msg":"{encoded}"}}\n'.encode()
    assert json.loads(content) == {"msg": text}


def test_an_id_is_added_and_nothing_else_changes() -> None:
    answer = answers.unavailable().identified("0193")
    assert answer.headers == {**answers.unavailable().headers, "X-Delivery-Id": "0193"}
    assert answer.encoded() == answers.unavailable().encoded()
