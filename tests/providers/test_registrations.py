"""How a receiver's URL is registered at each sender."""

from pathlib import Path

import pytest

from receivers.events import Registration
from receivers.providers import PROVIDERS

URL = "https://hooks.example.com/quay/0123"
DOCS = Path(__file__).parents[2] / "docs" / "senders"


@pytest.mark.parametrize("name", PROVIDERS)
def test_every_sender_has_steps_with_a_place_for_the_url_and_a_page(name: str) -> None:
    registration = PROVIDERS[name].registration
    filled = registration.of(URL)
    assert len(filled.steps) == len(registration.steps) > 0
    assert any(URL in step for step in filled.steps) or URL in filled.command
    assert "$URL" not in filled.command
    assert (DOCS / f"{registration.page or name}.md").is_file()


def test_the_url_of_something_else_stays() -> None:
    assert Registration(steps=("Take the URL of a repository.",)).of(URL).steps == ("Take the URL of a repository.",)


@pytest.mark.parametrize("odd", ['"', "$", "`", "\\"])
def test_a_url_that_a_shell_would_change_stays_out_of_the_command(odd: str) -> None:
    assert Registration(steps=(), command='curl "$URL"').of(URL + odd).command == 'curl "$URL"'
