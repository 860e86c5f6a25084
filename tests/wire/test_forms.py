"""JSON in a form's field, as Git hosts may post it."""

from time import thread_time
from urllib.parse import quote, urlencode

import pytest

from receivers import limits
from receivers.wire import forms
from tests.providers.proofs import request

FORM = "application/x-www-form-urlencoded"
JSON = '{"ref": "refs/heads/a+b & c=d", "names": ["ü", "%41"]}'.encode()


@pytest.mark.parametrize("content_type", [FORM, f"{FORM}; charset=utf-8", " Application/X-WWW-Form-URLencoded "])
def test_a_form_s_payload_is_what_was_posted(content_type: str) -> None:
    body = urlencode({"payload": JSON, "other": "payload=1"}).encode()
    assert forms.payload(request(body, content_type=content_type)) == JSON


def test_a_space_may_be_a_plus_or_an_escape() -> None:
    assert forms.payload(request(b"payload=a+b%20c%2B", content_type=FORM)) == b"a b c+"


def test_of_several_payloads_the_first_counts() -> None:
    assert forms.payload(request(b"payload=1&payload=2", content_type=FORM)) == b"1"


@pytest.mark.parametrize("body", [b"other=1&payload=2", b"payload=%zz", b"payload=%", b"payload=1%2"])
def test_what_begins_with_another_field_or_has_a_bad_escape_is_no_form(body: bytes) -> None:
    assert forms.payload(request(body, content_type=FORM)) == body


@pytest.mark.parametrize("body", [b"%", b"%41", b"&", b"+", b"%z"])
def test_the_largest_form_takes_no_time_to_speak_of(body: bytes) -> None:
    largest = request(b"payload=" + body * (limits.BODY // len(body)), content_type=FORM)

    def time_to_read() -> float:
        began = thread_time()
        forms.payload(largest)
        return thread_time() - began

    assert min(time_to_read() for _ in range(3)) < 1.0  # it took 1.3 s and more


@pytest.mark.parametrize("content_type", ["application/json", "", "text/plain"])
def test_without_a_form_the_body_is_the_payload(content_type: str) -> None:
    body = f"payload={quote(JSON)}".encode()
    assert forms.payload(request(body, content_type=content_type)) == body


def test_a_form_without_a_payload_is_taken_as_it_is() -> None:
    assert forms.payload(request(JSON, content_type=FORM)) == JSON


@pytest.mark.parametrize("body", [b"", b"payload", b"payload=", b"payload=%", b"payload=%zz%e", b"&&=&\xff\x00"])
def test_any_bytes_have_a_payload(body: bytes) -> None:
    assert isinstance(forms.payload(request(body, content_type=FORM)), bytes)
