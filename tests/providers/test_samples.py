"""Every recorded delivery means what stands beside it."""

from pathlib import Path

import pytest

from receivers.providers import PROVIDERS
from tests.providers.deliveries import SAMPLES, as_json, deliver, sample_body, sample_json, samples


@pytest.mark.parametrize("folder", samples(), ids=lambda folder: f"{folder.parent.name}/{folder.name}")
def test_a_sample_means_its_events(folder: Path) -> None:
    events = deliver(
        folder.parent.name,
        sample_body(folder),
        sample_json(folder, "headers.json"),
        options=sample_json(folder, "options.json"),
        configuration=sample_json(folder, "configuration.json"),
    )
    assert [as_json(event) for event in events] == sample_json(folder, "event.json")


@pytest.mark.parametrize("folder", sorted((SAMPLES / "azure").glob("*")), ids=lambda folder: folder.name)
def test_acr_is_another_name_for_azure(folder: Path) -> None:
    body, headers = sample_body(folder), sample_json(folder, "headers.json")
    assert deliver("acr", body, headers) == deliver("azure", body, headers)


def test_every_provider_has_samples() -> None:
    assert {folder.parent.name for folder in samples()} | {"acr"} == set(PROVIDERS)
