"""What holds for every sender alike, tried with what its provider says that it posts."""

import re

import pytest

from receivers import limits
from receivers.events import Malformed, Ping, PullRequestClosed, Pushed, WebhookError
from receivers.providers import PROVIDERS
from receivers.wire.go_json import EMPTY, INVALID
from tests.providers.deliveries import deliver
from tests.providers.tellings import NOW, Telling, at, encoded, objects, outcome, tellings, with_value

every_telling = pytest.mark.parametrize("telling", tellings(), ids=str)


def body(telling: Telling, **told: str) -> bytes:
    return encoded(telling.document(**told))


def renamed(telling: Telling, name: str) -> bytes:
    """The body of a push of another tag or branch."""
    return body(telling, **telling.as_named(name))


# Under which keys of its Secret a receiver's secret is looked for, first to last: as Kargo documents it for its own.
SECRET_KEYS = dict.fromkeys(PROVIDERS, ("secret",)) | {
    "acr": ("secret-token", "secret"),
    "artifactory": ("secret-token",),
    "gitlab": ("secret-token",),
    "harbor": ("auth-header",),
}


@pytest.mark.parametrize("name", PROVIDERS)
def test_a_provider_s_secret_is_under_its_key(name: str) -> None:
    assert PROVIDERS[name].secret_keys == SECRET_KEYS[name]


@pytest.mark.parametrize("name", PROVIDERS)
def test_a_provider_knows_its_name(name: str) -> None:
    assert PROVIDERS[name].name == name


def test_the_registry_imports_what_it_is_asked_for() -> None:
    assert len(PROVIDERS) == len(set(PROVIDERS))
    assert "azure" in PROVIDERS
    assert "nobody" not in PROVIDERS


def test_every_provider_tells_of_something_unless_its_receiver_says_what() -> None:
    assert {telling.provider for telling in tellings()} == {name for name, each in PROVIDERS.items() if each.home.kinds}


@every_telling
def test_a_push_names_repository_and_tag(telling: Telling) -> None:
    event = telling.pushed(telling.document())
    assert telling.tells_of_repository(event)
    assert event.qualifiers == (telling.named(),)
    assert event.repository
    assert event.tag


@every_telling
def test_what_decides_on_a_push_is_in_its_body(telling: Telling) -> None:
    """Otherwise the tests below try nothing."""
    assert telling.places()


@pytest.mark.parametrize("name", [name for name, each in PROVIDERS.items() if each.ping])
def test_a_ping_is_a_ping(name: str) -> None:
    write = PROVIDERS[name].ping
    assert write is not None
    headers = {header.lower(): value for header, value in write(NOW).headers.items()}
    assert deliver(name, write(NOW).body, headers) == [Ping()]


@pytest.mark.parametrize("name", [name for name, each in PROVIDERS.items() if each.pull_request])
def test_a_merged_pull_request_is_its_url(name: str) -> None:
    write, url = PROVIDERS[name].pull_request, "https://git.example.com/team/app/pull/7"
    assert write is not None
    example = write(url, NOW)
    (event,) = deliver(name, example.body, {key.lower(): value for key, value in example.headers.items()})
    assert isinstance(event, PullRequestClosed)
    assert event.url == url


@every_telling
def test_an_empty_body_is_malformed_and_the_message_says_why_it_may_be_empty(telling: Telling) -> None:
    with pytest.raises(Malformed) as refusal:
        telling.read(b"")
    assert refusal.value.message == EMPTY
    assert "Content-Length" in EMPTY


@every_telling
@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b" ", id="white space"),
        pytest.param(b"not JSON", id="not JSON"),
        pytest.param(b'{"a":', id="cut off"),
        pytest.param(b'{"a": 1} {"b": 2}', id="text behind the document"),
        pytest.param(b"\xef\xbb\xbf{}", id="byte order mark"),
        pytest.param('{"a": "b"}'.encode("utf-16"), id="UTF-16"),
        pytest.param(b'{"a": NaN}', id="NaN"),
        pytest.param(b'{"a": -Infinity}', id="Infinity"),
        pytest.param(b'{"a": "\n"}', id="line break in a string"),
        pytest.param(b'{"a": 01}', id="leading zero"),
        pytest.param(b"{'a': 1}", id="single quotes"),
        pytest.param(b'{"a": 1,}', id="trailing comma"),
        pytest.param(b'{"a":' * 500_000, id="deep objects"),
        pytest.param(b"[" * limits.BODY, id="deep lists"),
    ],
)
def test_what_is_not_json_is_malformed(telling: Telling, content: bytes) -> None:
    with pytest.raises(Malformed) as refusal:
        telling.read(content)
    assert refusal.value.message == INVALID


@every_telling
@pytest.mark.parametrize("content", [b'"text"', b"1", b"1.5", b"true", b"[]", b"[1]", b"[null]", b"[[]]", b'["a"]'])
def test_a_document_that_is_no_object_is_malformed(telling: Telling, content: bytes) -> None:
    with pytest.raises(Malformed):
        telling.read(content)


@every_telling
@pytest.mark.parametrize("value", [1, 1.5, True, ["a"], {"a": "b"}])
def test_a_field_of_the_wrong_type_is_malformed(telling: Telling, value: object) -> None:
    for place in telling.places():
        with pytest.raises(Malformed, match=INVALID):
            telling.read(encoded(with_value(telling.document(), place, value)))


@every_telling
def test_null_counts_as_absent(telling: Telling) -> None:
    for place in telling.places():
        document = telling.document()
        del at(without := with_value(document, place, None), place[:-1])[place[-1]]
        assert outcome(telling, with_value(document, place, None)) == outcome(telling, without)


@every_telling
def test_the_case_of_keys_does_not_matter(telling: Telling) -> None:
    written = body(telling)
    keys = {str(place[-1]) for place in (*telling.places(), *objects(telling.document())) if place}
    shouted = re.sub(rb'"([^"]+)":', lambda found: found[0].upper() if found[1].decode() in keys else found[0], written)
    assert shouted != written
    assert telling.read(shouted) == telling.read(written)


@every_telling
def test_of_duplicate_keys_the_last_one_wins(telling: Telling) -> None:
    first, last = renamed(telling, "0.0.1"), body(telling)
    assert telling.read(first[:-1] + b"," + last[1:]) == telling.read(last)


@every_telling
@pytest.mark.parametrize(
    "value",
    [
        pytest.param("1.417566161e+09", id="float for an integer"),
        pytest.param("1e999999", id="float beyond any"),
        pytest.param("9" * 100_000, id="integer beyond any"),
        pytest.param("-" + "9" * 19, id="integer beyond 64 bits"),
        pytest.param("[" * 900 + "]" * 900, id="nested"),
        pytest.param('"' + "# long text\\n" * 100_000 + '"', id="long text"),
        pytest.param('"\\ud800"', id="half a surrogate pair"),
        pytest.param('"\\u0000\\u001b[31m\\u202e"', id="control characters"),
        pytest.param("null", id="null"),
    ],
)
def test_what_is_not_used_does_not_matter(telling: Telling, value: str) -> None:
    document = telling.document()
    meant = telling.read(encoded(document))
    for place in objects(document):
        unused = encoded(with_value(document, (*place, "another"), "REPLACED")).replace(b'"REPLACED"', value.encode())
        assert telling.read(unused) == meant


@every_telling
@pytest.mark.parametrize("name", ["ünïcødé", "标签", "🚢", "a\tb", "\u202e"])
def test_any_unicode_is_passed_on(telling: Telling, name: str) -> None:
    event = telling.pushed(telling.document(**telling.as_named(name)))
    assert event.qualifiers == (telling.named(**telling.as_named(name)),)
    assert event.tag.isprintable()


@every_telling
def test_invalid_utf_8_in_a_string_is_replaced(telling: Telling) -> None:
    (event,) = telling.read(renamed(telling, "REPLACED").replace(b"REPLACED", b"1.\xff.3"))
    assert isinstance(event, Pushed)
    assert event.qualifiers == (telling.named(**telling.as_named("1.\ufffd.3")),)


@every_telling
def test_half_a_surrogate_pair_is_replaced(telling: Telling) -> None:
    (event,) = telling.read(renamed(telling, "REPLACED").replace(b"REPLACED", rb"\ud83d\ude80\ud800.\udc00"))
    assert isinstance(event, Pushed)
    assert event.qualifiers == (telling.named(**telling.as_named("🚀\ufffd.\ufffd")),)


@every_telling
def test_a_name_longer_than_any_registry_allows_is_malformed(telling: Telling) -> None:
    long = "a" * (limits.NAME + 1)
    for content in (body(telling, repository=f"{telling.push.repository}/{long}"), renamed(telling, long)):
        with pytest.raises(Malformed, match="longer than"):
            telling.read(content)


@every_telling
def test_a_refusal_quotes_nothing_of_the_body(telling: Telling) -> None:
    document = telling.document()
    wrong = [encoded(with_value(document, place, ["canary"])) for place in telling.places()]
    for content in (b'{"canary": canary}', b'["canary"]', *wrong):
        with pytest.raises(WebhookError) as refusal:
            telling.read(content)
        assert "canary" not in str(refusal.value)
        assert refusal.value.__cause__ is None
        assert refusal.value.__suppress_context__ or refusal.value.__context__ is None


@every_telling
def test_a_delivery_is_read_the_same_twice(telling: Telling) -> None:
    written = body(telling)
    assert telling.read(written) == telling.read(written)


@every_telling
def test_two_pushes_are_no_duplicates(telling: Telling) -> None:
    ids = set()
    for example in (telling.example(), telling.example()):
        (event,) = deliver(telling.provider, example.body, {k.lower(): v for k, v in example.headers.items()})
        assert isinstance(event, Pushed)
        ids.add(event.sender_event_id)
    assert len(ids) == 2 or ids == {""}
