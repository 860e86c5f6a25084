"""Secrets that anybody would try first."""

import secrets

import pytest

from receivers.local.doctor.placeholders import is_placeholder


@pytest.mark.parametrize(
    "secret",
    [
        "change-me-change-me",
        "CHANGEME_PLEASE_CHANGE",
        "replace-this-with-a-long-random-string",
        "your-webhook-secret",
        "super secret password 123",
        "<openssl rand -hex 32>",
        "${WEBHOOK_SECRET_OF_ACR}",
        "0000000000000000",
        "1234567890123456",
        "abcdefghijklmnop",
        "xyxyxyxyxyxyxyxyxyxy",
        "\u2026" * 20,
    ],
)
def test_what_was_to_be_replaced_or_is_a_row_is_a_placeholder(secret: str) -> None:
    assert is_placeholder(secret)


def test_what_is_random_or_somebody_s_own_is_none() -> None:
    assert not is_placeholder("")
    assert not is_placeholder("sample-secret-of-the-acr-receiver")
    for _ in range(200):
        assert not is_placeholder(secrets.token_hex(16))
        assert not is_placeholder(secrets.token_urlsafe(16))
