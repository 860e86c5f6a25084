"""What tests that try anything share: how long they try, and JSON that nobody would write."""

import os
import random
import time
from collections.abc import Callable, Iterator

SECONDS = float(os.environ.get("FUZZ_SECONDS") or 3)
SEED = int(
    os.environ.get("FUZZ_SEED") or time.time_ns() % 10**9
)  # the first of a run; a failure tells which one failed


def seeds() -> Iterator[int]:
    """One seed after another, until the time is over; one at least."""
    until = time.monotonic() + SECONDS
    seed = SEED
    yield seed
    while time.monotonic() < until:
        seed += 1
        yield seed


def json(chance: random.Random, *, size: int) -> bytes:
    """JSON of about so many bytes at most, or something that is nearly JSON."""
    return chance.choice(_KINDS)(chance, max(1, chance.choice([3, 30, 300, size])))


def _text(chance: random.Random, size: int) -> bytes:
    pieces = [
        b"a",
        b"\\u0000",
        b"\\ud800",
        b"\\ud83d\\ude00",
        "é".encode(),
        b"\xff",
        b"\\n",
        b"/",
        b"..",
        b":",
        b"<",
        b'\\"',
    ]
    usual = chance.choice(
        [pieces, [b"a"], [b"\\u0000", b"a"], [b"[{"], ['"metadata":{"name":"x"}'.replace('"', '\\"').encode()]]
    )
    return b'"' + b"".join(chance.choices(usual, k=max(1, min(size // 4, 5_000)))) * max(1, size // 20_000) + b'"'


def _number(chance: random.Random, size: int) -> bytes:
    return chance.choice(
        [b"0", b"-1", b"1.5", b"1e999", b"-0.0", b"9" * min(size, 10_000), b"1.5e300", b"18446744073709551616"]
    )


def _word(chance: random.Random, size: int) -> bytes:
    return chance.choice(
        [b"null", b"true", b"false", b"NaN", b"{}", b"[]", b"", b"}", b"]", b'"', b"{", b"[", b",", b" \t\n null"]
    )


def _deep(chance: random.Random, size: int) -> bytes:
    begin, end = chance.choice([(b"[", b"]"), (b'{"a":', b"}"), (b'[{"image":', b"}]")])
    depth = min(size // len(begin + end), chance.choice([10, 900, 9_990, 12_000, 200_000]))
    return begin * depth + b"0" + end * depth


def _wide(chance: random.Random, size: int) -> bytes:
    part = chance.choice(
        [
            b"0",
            b"1.5e300",
            b"[]",
            b"{}",
            b'""',
            b'{"image":{"repoURL":"r.example.com/app","constraint":"^1.0.0"}}',
            b'{"image":{"repoURL":"r.example.com/app","allowTagsRegexes":["^a","("]}}',
            b'{"chart":{"repoURL":"oci://r.example.com/app"}}',
            b'{"name":"hook","azure":{"secretRef":{"name":"s"}}}',
            b'{"name":"hook","path":"/azure/1"}',
        ]
    )
    return b"[" + b",".join([part] * (size // (len(part) + 1))) + b"]"


def _members(chance: random.Random, size: int) -> bytes:
    names = [
        b"image",
        b"chart",
        b"name",
        b"repoURL",
        b"constraint",
        b"allowTagsRegexes",
        b"secretRef",
        b"azure",
        b"path",
    ]
    if chance.random() < 0.3:
        return b"{" + b",".join(b'"member-%d":0' % number for number in range(size // 14)) + b"}"
    chosen = chance.choices(names, k=chance.randint(1, 4))
    return b"{" + b",".join(b'"' + name + b'":' + json(chance, size=size // 4) for name in chosen) + b"}"


def _list(chance: random.Random, size: int) -> bytes:
    return b"[" + b",".join(json(chance, size=size // 4) for _ in range(chance.randint(1, 4))) + b"]"


_KINDS: list[Callable[[random.Random, int], bytes]] = [_text, _number, _word, _deep, _wide, _members, _list]
