"""A receiver's URL."""

import hashlib

import pytest

from receivers import go_url
from receivers.kargo import paths

TOKEN = "571b0e35550136585f653a70460974d32f85879142300ecb361eff423ac62cd4"


def test_the_token_is_the_hash_of_name_and_secret_in_the_clusters_scope() -> None:
    assert paths.token(project=None, name="r", secrets=[b"s"]) == TOKEN


def test_the_token_is_the_hash_of_project_name_and_secrets_put_together() -> None:
    wanted = hashlib.sha256(b"kargo-demoacrone\ntwo").hexdigest()
    assert paths.token(project="kargo-demo", name="acr", secrets=[b"one\n", b"two"]) == wanted


def test_a_trailing_newline_of_the_secret_counts() -> None:
    assert paths.token(project="p", name="r", secrets=[b"s\n"]) != paths.token(project="p", name="r", secrets=[b"s"])


@pytest.mark.parametrize(
    ("base", "path"),
    [
        ("", f"/azure/{TOKEN}"),
        ("/", f"/azure/{TOKEN}"),
        ("/webhook", f"/webhook/azure/{TOKEN}"),
        ("/webhook/", f"/webhook/azure/{TOKEN}"),
        ("/a/../b//c/.", f"/b/c/azure/{TOKEN}"),
    ],
)
def test_the_path_lies_below_the_base_path(base: str, path: str) -> None:
    assert paths.path(base, "azure", TOKEN) == path


@pytest.mark.parametrize(
    ("base", "url"),
    [
        ("https://k.example.com", f"https://k.example.com/azure/{TOKEN}"),
        ("https://k.example.com/", f"https://k.example.com/azure/{TOKEN}"),
        ("https://k.example.com:8443/webhook/", f"https://k.example.com:8443/webhook/azure/{TOKEN}"),
        ("https://u:p@k.example.com/x?code=1#f", f"https://u:p@k.example.com/x/azure/{TOKEN}?code=1#f"),
        ("https://k.example.com/a b", f"https://k.example.com/a%2520b/azure/{TOKEN}"),  # escaped twice, as by Kargo
    ],
)
def test_the_url_keeps_what_the_base_url_has_beside_the_path(base: str, url: str) -> None:
    assert paths.url(base, "azure", TOKEN) == url


def test_a_base_url_that_cannot_be_parsed_is_refused() -> None:
    with pytest.raises(go_url.InvalidUrl):
        paths.url("https://k.exa mple.com", "azure", TOKEN)


@pytest.mark.parametrize("text", [TOKEN, "0" * 64])
def test_a_token_is_64_lower_case_hex_digits(text: str) -> None:
    assert paths.is_token(text)


@pytest.mark.parametrize("text", ["", TOKEN[1:], TOKEN + "0", TOKEN.upper(), "g" * 64, f"{TOKEN}\n", "\u0660" * 64])
def test_anything_else_is_no_token(text: str) -> None:
    assert not paths.is_token(text)
