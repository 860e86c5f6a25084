"""Whatever the request, a provider gives events or refuses: never another exception, and nothing that cannot be kept.

What is tried is made of what the provider's samples and examples hold, so that it comes near to what is understood.
"""

import contextlib
import gc
import json
import os
import random
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from receivers.events import Event, Unauthenticated, WebhookError
from receivers.providers import PROVIDERS
from tests import fuzzing
from tests.providers.deliveries import deliver, sample_body, sample_json, samples
from tests.providers.proofs import receiver, request
from tests.providers.tellings import at, objects, tellings, texts, with_value

REQUESTS = int(os.environ.get("REQUESTS") or 1_000)  # of each provider, in the test of many
PROMISED = 50  # milliseconds of one core, for one request
ALLOWED = PROMISED * (5 if sys.gettrace() is not None else 2)  # a defect takes seconds

patient = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
every_sender = pytest.mark.parametrize("name", PROVIDERS)

text = st.text(st.characters(), max_size=20)  # half surrogate pairs, too
scalars = st.none() | st.booleans() | st.integers() | st.floats() | text
any_json = st.recursive(scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(text, inner, max_size=4))
methods = st.sampled_from(["POST", "POST", "POST", "OPTIONS", "GET"])


@dataclass(frozen=True)
class Known:
    """Requests that a provider understands, and what they are made of."""

    requests: list[tuple[dict[str, str], bytes]]
    words: list[str]
    keys: list[str]
    headers: list[str]


@cache
def known(name: str) -> Known:
    """Of the samples of a provider and of its own examples."""
    folders = [folder for folder in samples() if folder.parent.name in {name, *PROVIDERS[name].kinds}]
    requests = [(sample_json(folder, "headers.json"), sample_body(folder)) for folder in folders]
    examples = [telling.example() for telling in tellings() if telling.provider == name]
    requests += [({key.lower(): value for key, value in each.headers.items()}, each.body) for each in examples]
    documents = [document for _, body in requests if (document := _decoded(body)) is not None]
    words = {at(document, place) for document in documents for place in texts(document)}
    keys = {key for document in documents for place in objects(document) for key in at(document, place)}
    headers = {header for given, _ in requests for header in given}
    values = {value for given, _ in requests for value in given.values()}
    return Known(requests, sorted(words | values), sorted(keys) or ["a"], sorted(headers) or ["a"])


def _decoded(body: bytes) -> object:
    try:
        return json.loads(body)
    except ValueError:
        return None


@cache
def any_headers(name: str) -> st.SearchStrategy[dict[str, str]]:
    values = st.sampled_from(known(name).words) | text
    made_up = st.dictionaries(st.sampled_from(known(name).headers), values, max_size=4)
    return made_up | st.sampled_from([headers for headers, _ in known(name).requests])


@cache  # a strategy that was drawn from is not made ready anew
def near_json(name: str) -> st.SearchStrategy[object]:
    """JSON of the words and keys that the sender uses."""
    words, keys = st.sampled_from(known(name).words), st.sampled_from(known(name).keys)
    return st.recursive(
        words | scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=8)
    )


def strings(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        yield from strings([*value.keys(), *value.values()])
    elif isinstance(value, list | tuple | frozenset):
        for item in value:
            yield from strings(item)


def check(name: str, body: bytes, headers: Mapping[str, str] | None = None, method: str = "POST") -> None:
    try:
        events: list[Event] = deliver(name, body, headers, method=method)
    except WebhookError:
        return
    assert events
    for event in events:
        for string in strings(list(msgspec.structs.asdict(event).values())):
            string.encode()


@every_sender
@patient
@given(data=st.data(), body=st.binary(), method=methods)
def test_any_bytes(name: str, data: st.DataObject, body: bytes, method: str) -> None:
    check(name, body, data.draw(any_headers(name)), method)


@every_sender
@patient
@given(data=st.data(), document=any_json)
def test_any_json(name: str, data: st.DataObject, document: object) -> None:
    check(name, json.dumps(document).encode(), data.draw(any_headers(name)))


@every_sender
@patient
@given(data=st.data())
def test_any_json_of_the_words_that_senders_use(name: str, data: st.DataObject) -> None:
    check(name, json.dumps(data.draw(near_json(name))).encode(), data.draw(any_headers(name)))


@every_sender
@patient
@given(data=st.data())
def test_any_request_with_some_bytes_exchanged(name: str, data: st.DataObject) -> None:
    headers, sample = data.draw(st.sampled_from(known(name).requests))
    body = bytearray(sample)
    for _ in range(data.draw(st.integers(1, 3))):
        start = data.draw(st.integers(0, len(body)))
        body[start : start + data.draw(st.integers(0, 20))] = data.draw(st.binary(max_size=20))
    check(name, bytes(body), headers)


@pytest.fixture
def unswept() -> Iterator[None]:
    """No garbage collection, whose time is that of all tests before."""
    gc.disable()
    yield
    gc.enable()


@every_sender
@pytest.mark.usefixtures("unswept")
def test_many_odd_requests_take_little_time_each(name: str) -> None:
    """``REQUESTS=100000`` tries as many of each provider. The proof is tried too, with and without the secret."""
    proof = PROVIDERS[name].authentication
    for seed in range(fuzzing.SEED, fuzzing.SEED + REQUESTS):
        chance = random.Random(seed)  # noqa: S311 - to try something, not to keep a secret
        headers, body = _odd(name, chance)
        began = time.thread_time()
        with contextlib.suppress(Unauthenticated):
            proof.authenticate(request(body, **headers), receiver(), chance.choice([(), (b"",), (b"s3cret", b"old")]))
        check(name, body, headers)
        spent = (time.thread_time() - began) * 1000
        assert spent < ALLOWED, f"FUZZ_SEED={seed}: {spent:.0f} ms"


def _odd(name: str, chance: random.Random) -> tuple[dict[str, str], bytes]:
    """A request like those that the sender makes, and wrong somewhere."""
    of = known(name)
    headers, body = chance.choice(of.requests)
    headers = dict(headers)
    for _ in range(chance.randint(0, 2)):
        headers[chance.choice(of.headers)] = chance.choice(
            [chance.choice(of.words), "", "sha256=" + "0" * 64, "\ud800"]
        )
    match chance.randrange(4):
        case 0:
            return headers, fuzzing.json(chance, size=100_000)
        case 1:
            return headers, chance.randbytes(chance.choice([0, 1, 100, 10_000]))
        case 2:
            cut = chance.randrange(len(body) + 1)
            return headers, body[:cut] + chance.randbytes(chance.randrange(5)) + body[cut + chance.randrange(5) :]
        case _:
            return headers, _changed(body, of, chance)


def _changed(body: bytes, of: Known, chance: random.Random) -> bytes:
    """The document with other values in some places."""
    document = _decoded(body)
    for _ in range(chance.randint(1, 3)):
        places = [place for place in texts(document) if place]
        word = chance.choice(of.words)
        values: list[object] = [None, 0, [], {}, "", "a" * 5_000, word, [word]]
        if places:
            document = with_value(document, chance.choice(places), chance.choice(values))
    return json.dumps(document).encode()
