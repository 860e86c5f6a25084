"""What holds for every sender alike."""

import json
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from receivers import limits
from receivers.events import Event, Ignored, Malformed, Ping, Pushed
from receivers.providers import PROVIDERS
from receivers.wire.go_json import EMPTY, INVALID
from tests.providers.deliveries import deliver

Members = dict[str, object]


@dataclass(frozen=True)
class Sender:
    """How one sender says what all of them say."""

    push: Callable[[object, object], Members]  # of a repository and a tag, of whatever type
    url: str = "r.example.com/team/app"  # the repository's URL, as the event has it
    ignored: Members | None = None
    ping: Members | None = None
    unused: tuple[str, ...] = ("another",)  # the path to a member that is not looked at


def acr(repository: object, tag: object) -> Members:
    return {
        "action": "push",
        "target": {"repository": repository, "tag": tag},
        "request": {"host": "r.example.com"},
    }


AZURE = Sender(acr, ignored={"action": "delete"}, ping={"action": "ping"}, unused=("target", "size"))
SENDERS = {
    "azure": AZURE,
    "acr": AZURE,
    "quay": Sender(
        lambda repository, tag: {
            "docker_url": f"r.example.com/{repository}" if isinstance(repository, str) else repository,
            "updated_tags": [tag],
        },
        ignored={"docker_url": "r.example.com/team/app", "build_id": "7"},
        unused=("pruned_image_count",),
    ),
    "dockerhub": Sender(
        lambda repository, tag: {"repository": {"repo_name": repository}, "push_data": {"tag": tag}},
        url="team/app",
        unused=("push_data", "pushed_at"),
    ),
    "harbor": Sender(
        lambda repository, tag: {
            "type": "PUSH_ARTIFACT",
            "event_data": {
                "resources": [
                    {
                        "tag": tag,
                        "resource_url": f"r.example.com/{repository}" if isinstance(repository, str) else repository,
                    }
                ],
                "repository": {"repo_full_name": repository},
            },
        },
        ignored={"type": "PULL_ARTIFACT", "event_data": {}},
        unused=("event_data", "custom_attributes"),
    ),
    "artifactory": Sender(
        lambda repository, tag: {
            "domain": "docker",
            "event_type": "pushed",
            "jpd_origin": "https://r.example.com/artifactory",
            "data": {
                "repo_key": repository.partition("/")[0] if isinstance(repository, str) else repository,
                "path": f"{repository.partition('/')[2]}/1/manifest.json" if isinstance(repository, str) else "a/b/c",
                "tag": tag,
            },
        },
        ignored={"domain": "docker", "event_type": "deleted"},
        unused=("data", "size"),
    ),
}

every_sender = pytest.mark.parametrize("name", SENDERS)


def body(document: object) -> bytes:
    return json.dumps(document, ensure_ascii=False).encode()


def push(name: str, repository: object = "team/app", tag: object = "1.2.3") -> Members:
    return SENDERS[name].push(repository, tag)


def pushed(name: str, content: bytes) -> Pushed:
    (event,) = deliver(name, content)
    assert isinstance(event, Pushed)
    return event


def with_unused(name: str, value: str) -> bytes:
    """A push with a member that is not looked at, whose value is this JSON."""
    document = push(name)
    *parents, last = SENDERS[name].unused
    inner = document
    for parent in parents:
        inner = inner[parent]  # type: ignore[assignment]  # the path leads through objects
    inner[last] = "REPLACED"
    return body(document).replace(b'"REPLACED"', value.encode())


def test_every_provider_stands_in_this_table() -> None:
    assert SENDERS.keys() == PROVIDERS.keys()
    assert all(provider.name == name for name, provider in PROVIDERS.items())


@every_sender
def test_a_push_names_repository_and_tag(name: str) -> None:
    event = pushed(name, body(push(name)))
    assert event.repository_urls == (SENDERS[name].url,)
    assert event.qualifiers == ("1.2.3",)
    assert event.repository == "team/app"
    assert event.tag == "1.2.3"


@pytest.mark.parametrize("name", [name for name, sender in SENDERS.items() if sender.ping])
def test_a_ping_is_a_ping(name: str) -> None:
    assert deliver(name, body(SENDERS[name].ping)) == [Ping()]


@pytest.mark.parametrize("name", [name for name, sender in SENDERS.items() if sender.ignored])
def test_what_is_no_push_is_ignored_with_a_reason(name: str) -> None:
    (event,) = deliver(name, body(SENDERS[name].ignored))
    assert isinstance(event, Ignored)
    assert event.reason


@every_sender
def test_an_empty_body_is_malformed_and_the_message_says_why_it_may_be_empty(name: str) -> None:
    with pytest.raises(Malformed) as refusal:
        deliver(name, b"")
    assert refusal.value.message == EMPTY
    assert "Content-Length" in EMPTY


@every_sender
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
def test_what_is_not_json_is_malformed(name: str, content: bytes) -> None:
    with pytest.raises(Malformed) as refusal:
        deliver(name, content)
    assert refusal.value.message == INVALID


@every_sender
@pytest.mark.parametrize("content", [b'"text"', b"1", b"1.5", b"true", b"[]", b"[1]", b"[null]", b"[[]]", b'["a"]'])
def test_a_document_that_is_no_object_is_malformed(name: str, content: bytes) -> None:
    with pytest.raises(Malformed):
        deliver(name, content)


@every_sender
@pytest.mark.parametrize("value", [1, 1.5, True, ["a"], {"a": "b"}])
def test_a_field_of_the_wrong_type_is_malformed(name: str, value: object) -> None:
    with pytest.raises(Malformed, match=INVALID):
        deliver(name, body(push(name, repository=value)))
    with pytest.raises(Malformed, match=INVALID):
        deliver(name, body(push(name, tag=value)))


@every_sender
def test_null_counts_as_absent(name: str) -> None:
    assert pushed(name, body(push(name, repository=None))).repository_urls == ()


@every_sender
def test_the_case_of_keys_does_not_matter(name: str) -> None:
    document = body(push(name))
    shouted = document
    for key in ("action", "target", "repository", "request", "host", "docker_url", "updated_tags", "push_data", "data"):
        shouted = shouted.replace(f'"{key}":'.encode(), f'"{key.upper()}":'.encode())
    assert shouted != document
    assert deliver(name, shouted) == deliver(name, document)


@every_sender
def test_of_duplicate_keys_the_last_one_wins(name: str) -> None:
    first = body(push(name, repository="old/app", tag="0.0.1"))
    last = body(push(name))
    assert deliver(name, first[:-1] + b"," + last[1:]) == deliver(name, last)


@every_sender
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
def test_what_is_not_used_does_not_matter(name: str, value: str) -> None:
    assert deliver(name, with_unused(name, value)) == deliver(name, body(push(name)))


@every_sender
@pytest.mark.parametrize("tag", ["ünïcødé", "标签", "🚢", "a\tb", "\u202e"])
def test_any_unicode_is_passed_on(name: str, tag: str) -> None:
    event = pushed(name, body(push(name, tag=tag)))
    assert event.qualifiers == (tag,)
    assert event.tag.isprintable()


@every_sender
def test_invalid_utf_8_in_a_string_is_replaced(name: str) -> None:
    content = body(push(name, tag="REPLACED")).replace(b"REPLACED", b"1.\xff.3")
    assert pushed(name, content).qualifiers == ("1.\ufffd.3",)


@every_sender
def test_half_a_surrogate_pair_is_replaced(name: str) -> None:
    content = body(push(name, tag="REPLACED")).replace(b"REPLACED", rb"\ud83d\ude80\ud800.\udc00")
    assert pushed(name, content).qualifiers == ("🚀\ufffd.\ufffd",)


@every_sender
def test_a_name_longer_than_any_registry_allows_is_malformed(name: str) -> None:
    long = "a" * (limits.NAME + 1)
    for document in (push(name, repository=long), push(name, tag=long)):
        with pytest.raises(Malformed, match="longer than"):
            deliver(name, body(document))


@every_sender
def test_a_refusal_quotes_nothing_of_the_body(name: str) -> None:
    for content in (b'{"canary": canary}', body(push(name, tag=["canary"])), b'["canary"]'):
        with pytest.raises(Malformed) as refusal:
            deliver(name, content)
        assert "canary" not in str(refusal.value)
        assert refusal.value.__cause__ is None
        assert refusal.value.__suppress_context__ or refusal.value.__context__ is None


@every_sender
def test_a_delivery_is_read_the_same_twice(name: str) -> None:
    first: list[Event] = deliver(name, body(push(name)))
    assert deliver(name, body(push(name))) == first
