"""How receivers' URLs are shown."""

import pytest

from receivers.local.addresses import base_url, masked
from receivers.local.errors import Unable
from receivers.settings import Settings


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://hooks.example.com/azure/1f0c55aa", "https://hooks.example.com/azure/1f0c…"),
        ("https://hooks.example.com/base/azure/1f0c55aa/", "https://hooks.example.com/base/azure/1f0c…"),
        ("https://hooks.example.com/azure/1f0c55aa?code=key#part", "https://hooks.example.com/azure/1f0c…"),
        ("1f0c55aa", "1f0c…"),
        ("", ""),
    ],
)
def test_of_a_url_the_token_and_the_query_are_hidden(url: str, shown: str) -> None:
    assert masked(url) == shown


@pytest.mark.parametrize("url", ["ftp://example.com", "example.com", "nonsense", "file:///etc/passwd"])
def test_a_base_url_that_nothing_can_be_sent_to_is_told(url: str) -> None:
    with pytest.raises(Unable, match=r"^the base URL must start with https:// or http://$"):
        base_url(Settings(), url)


def test_whatever_case_its_scheme_has_a_base_url_is_one() -> None:
    assert base_url(Settings(), "HTTPS://example.com/base/") == "HTTPS://example.com/base"
