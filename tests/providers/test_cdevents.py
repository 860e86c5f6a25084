"""CDEvents: artifacts by their package URLs."""

import json

import pytest

from receivers.events import Event, Ignored, Kind, Pushed
from tests.providers.deliveries import deliver

PUBLISHED = "dev.cdevents.artifact.published.0.3.0"
DIGEST = "sha256%3A5"
ARTIFACTS = (Kind.IMAGE, Kind.CHART)


def told(package: str, kind: str = PUBLISHED, *, structured: bool = False) -> Event:
    event = {"context": {"id": "7", "type": kind}, "subject": {"id": package}}
    if structured:
        (found,) = deliver("cdevents", json.dumps({"specversion": "1.0", "type": kind, "data": event}).encode())
    else:
        (found,) = deliver("cdevents", json.dumps(event).encode(), {"ce-type": kind})
    return found


@pytest.mark.parametrize(
    ("package", "url", "qualifiers", "kinds"),
    [
        (f"pkg:oci/app@{DIGEST}?repository_url=r.example.com/team/app", "r.example.com/team/app", (), ARTIFACTS),
        (f"pkg:oci/app@{DIGEST}?repository_url=r.example.com%2Fteam%2Fapp&tag=1.2.3&arch=amd64",
         "r.example.com/team/app", ("1.2.3",), ARTIFACTS),
        (f"pkg:oci/app@{DIGEST}?tag=1.2.3&repository_url=r.example.com/team", "r.example.com/team/app", ("1.2.3",),
         ARTIFACTS),
        ("pkg:oci/app?repository_url=r.example.com/app#sub/path", "r.example.com/app", (), ARTIFACTS),
        ("pkg:docker/team/app@1.2.3?repository_url=r.example.com", "r.example.com/team/app", ("1.2.3",), (Kind.IMAGE,)),
        (f"pkg:docker/team/app@{DIGEST}?repository_url=r.example.com", "r.example.com/team/app", (), (Kind.IMAGE,)),
        ("pkg:helm/app@1.2.3?repository_url=https://charts.example.com", "https://charts.example.com", ("1.2.3",),
         (Kind.CHART,)),
    ],
)  # fmt: skip
@pytest.mark.parametrize("structured", [False, True])
def test_the_package_names_repository_and_maybe_a_tag(
    package: str, url: str, qualifiers: tuple[str, ...], kinds: tuple[Kind, ...], structured: bool
) -> None:
    event = told(package, structured=structured)
    assert isinstance(event, Pushed)
    assert event.repository_urls[0] == url
    assert (event.qualifiers, event.kinds, event.sender_event_id) == (qualifiers, kinds, "7")


@pytest.mark.parametrize(
    "package",
    [
        "",
        "no package",
        "pkg:oci/app",
        "pkg:oci/?repository_url=r.example.com",
        "pkg:npm/app@1.2.3?repository_url=r.example.com",
        "oci/app?repository_url=r.example.com",
    ],
)
def test_what_is_no_image_or_names_no_repository_is_ignored(package: str) -> None:
    event = told(package)
    assert event == Ignored("what was published is no image and no chart, or names no repository")


@pytest.mark.parametrize("kind", ["dev.cdevents.artifact.packaged.0.2.0", "dev.cdevents.artifact.deleted.0.1.0", ""])
def test_other_events_are_ignored(kind: str) -> None:
    assert isinstance(told("pkg:oci/app?repository_url=r.example.com/app", kind), Ignored)
