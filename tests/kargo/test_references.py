"""Container image references."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from receivers.kargo import references
from tests.kargo.tables import rows

patient = settings(deadline=None)  # the machine may be busy

DIGEST = f"sha256:{'a' * 64}"


def parsed(text: str) -> tuple[str | None, str | None]:
    try:
        return references.parse(text)
    except references.InvalidReference:
        return None, None


def test_references_are_read_as_by_gos_library() -> None:
    table = rows("references")
    assert [[text, *parsed(text)] for text, _, _ in table] == table


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("ghcr.io/team/app:no tag", "the tag"),
        ("ghcr.io/team/App", "the repository"),
        ("ghcr io.com/team/app", "the registry"),
        (f"{'a.' * 150}io/team/app", "the registry"),
    ],
)
def test_a_refusal_names_the_part_that_is_wrong(text: str, message: str) -> None:
    with pytest.raises(references.InvalidReference, match=message):
        references.parse(text)


@pytest.mark.parametrize(
    "text",
    [
        "ghcr.io/app",
        "ghcr.io/team/app",
        "localhost:5000/a-b_c.d/e__f/g---h",
        "ghcr.io/team/app:1.2.3",
        f"ghcr.io/team/app@{DIGEST}",
        f"ghcr.io/team/app:1@{DIGEST}",
        f"ghcr.io/team/app@sha512:{'a' * 128}",
        "[::1]:5000/app",
    ],
)
def test_a_chart_may_be_there(text: str) -> None:
    assert references.is_oci(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ghcr.io",
        "ghcr.io/",
        "/app",
        "ghcr.io/Team/app",
        "ghcr.io/team//app",
        "ghcr.io/team/app/",
        "ghcr.io/-app",
        "ghcr.io/app..b",
        "ghcr.io/app:",
        "ghcr.io/app:-1",
        "ghcr.io/app@sha256:abc",
        "ghcr io/app",
        "u@ghcr.io/app",
        "oci://ghcr.io/app",
    ],
)
def test_no_chart_can_be_there(text: str) -> None:
    assert not references.is_oci(text)


@pytest.mark.parametrize(
    "place", ["{}", "a{}/b", "a{}.io/b", "a.io/{}", "{}:1/a", "a.io:{}/a", "a.io/b:{}", "a.io/b@{}"]
)
def test_half_a_surrogate_pair_is_read_as_go_reads_it_wherever_it_stands(place: str) -> None:
    halved, replaced = place.format("\ud800"), place.format("\ufffd")
    assert parsed(halved) == parsed(replaced)
    assert references.is_oci(halved) == references.is_oci(replaced)


@patient
@given(st.text(st.characters()))
def test_any_text_is_a_reference_or_is_refused(text: str) -> None:
    registry, name = parsed(text)
    assert (registry is None) == (name is None)
    assert references.is_oci(text) in {True, False}
