"""How receivers' URLs are shown."""

import pytest

from receivers.local.addresses import masked


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
