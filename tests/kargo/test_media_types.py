"""What a media type says about the artifact."""

import pytest

from receivers.events import Kind
from receivers.kargo import media_types


@pytest.mark.parametrize(
    "media_type",
    [
        "application/vnd.oci.image.index.v1+json",
        "application/vnd.docker.distribution.manifest.list.v2+json",
        "application/vnd.docker.distribution.manifest.v2+json",
        "application/vnd.oci.image.config.v1+json",
        "application/vnd.docker.container.image.v1+json",
    ],
)
def test_an_image(media_type: str) -> None:
    assert media_types.kinds(media_type) == (Kind.IMAGE,)


@pytest.mark.parametrize("media_type", ["application/vnd.cncf.helm.config.v1+json", "application/vnd.cncf.helm"])
def test_a_chart(media_type: str) -> None:
    assert media_types.kinds(media_type) == (Kind.CHART,)


@pytest.mark.parametrize(
    "media_type",
    [
        "",
        "application/vnd.oci.image.manifest.v1+json",
        "application/vnd.oci.image.index.v1+json; charset=utf-8",
        "Application/vnd.cncf.helm.config.v1+json",
        "text/plain",
    ],
)
def test_either(media_type: str) -> None:
    assert media_types.kinds(media_type) == (Kind.IMAGE, Kind.CHART)
