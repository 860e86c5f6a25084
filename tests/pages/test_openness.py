"""Where pages without a key are open."""

import pytest

from receivers.pages import openness


def test_nobody_listens_so_they_are_closed() -> None:
    assert not openness.on_loopback_alone()


@pytest.mark.parametrize("url", ["http://127.0.0.1:7071", "http://[::1]:80", "http://127.1.2.3:1"])
def test_they_are_open_while_this_process_listens_on_loopback(url: str) -> None:
    with openness.listening_on(url):
        assert openness.on_loopback_alone()
    assert not openness.on_loopback_alone()


@pytest.mark.parametrize(
    "url", ["http://0.0.0.0:7071", "http://[::]:7071", "http://10.0.0.1:7071", "http://localhost", ""]
)
def test_they_are_closed_where_it_can_be_reached_from_elsewhere_too(url: str) -> None:
    with openness.listening_on(url), openness.listening_on("http://127.0.0.1:7071"):
        assert not openness.on_loopback_alone()
