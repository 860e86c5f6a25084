"""Secrets that somebody meant to replace, or that anybody would try first."""

import re

_DISTINCT = 6  # characters at least; sixteen random hex digits have fewer once in ten million times
_ROWS = ("01234567890123456789" * 4, "abcdefghijklmnopqrstuvwxyz" * 4, "0123456789abcdef" * 8)
_WORDS = re.compile(
    "a|an|and|change|changeit|changeme|default|demo|dummy|example|fixme|foo|bar|here|insert|it|key|kargo|long|me|my|"
    "placeholder|please|put|random|replace|replaceme|sample|some|string|super|supersecret|secret|test|text|that|the|"
    "this|to|todo|token|password|value|webhook|with|xxx|your"
)


def is_placeholder(secret: str) -> bool:
    """Whether it says ``change-me-please``, is in angle brackets, or is a row that anybody would try."""
    text = secret.strip().lower()
    if not text:
        return False
    if re.fullmatch(r"<.*>|\$?\{.*\}|\[.*\]", text, re.DOTALL):
        return True
    if len(set(text)) < _DISTINCT or any(text in row for row in _ROWS):
        return True
    words = re.findall("[a-z]+", text)
    return bool(words) and all(map(_WORDS.fullmatch, words))
