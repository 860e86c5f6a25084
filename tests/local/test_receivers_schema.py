"""The JSON schema of ``RECEIVERS``: published as it is, and true of what the service takes."""

import json
from pathlib import Path

import msgspec
import pytest

from receivers.local.cli import main
from receivers.local.receivers_schema import entries
from receivers.providers import PROVIDERS

PUBLISHED = Path(__file__).parents[2] / "docs" / "receivers.schema.json"


def test_what_is_published_is_what_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["schema"]) == 0
    assert PUBLISHED.read_text() == capsys.readouterr().out, "make providers writes it"


@pytest.mark.parametrize("name", PROVIDERS)
def test_an_entry_with_all_that_its_sender_takes_fits(name: str) -> None:
    options = {option: (each.choices or ("text",))[0] for option, each in PROVIDERS[name].takes.items()}
    least = {option: options[option] for option in PROVIDERS[name].requires}
    entry = {"provider": name, "name": "builds", "secret": "a-secret-of-16-chars"}
    whole = {**entry, **options, "project": "kargo-demo", "previousSecret": "a-secret-of-16-chars"}
    for each in (entry | least, whole, whole | {"project": None, "previousSecret": ""}):
        msgspec.convert([each], entries())


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"secret": "short"}, "$[0].secret"),
        ({"previousSecret": "short"}, "$[0].previousSecret"),
        ({"authentication": "heder"}, "$[0].authentication"),
        ({"authentification": "header"}, "$[0]"),
        ({"provider": "quai"}, "$[0].provider"),
    ],
)
def test_faults_do_not_fit(changes: dict[str, str], path: str) -> None:
    entry = {"provider": "azure", "name": "builds", "secret": "a-secret-of-16-chars"}
    with pytest.raises(msgspec.ValidationError) as refused:
        msgspec.convert([entry | changes], entries())
    assert f"`{path}`" in str(refused.value)


def test_it_is_a_schema_that_names_its_dialect() -> None:
    document = json.loads(PUBLISHED.read_text())
    assert document["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert document["type"] == "array"
