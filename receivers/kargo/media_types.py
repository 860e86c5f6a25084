"""What a media type says about the artifact: Kargo's rule."""

from receivers.events import Kind

_HELM = "application/vnd.cncf.helm"
_IMAGES = frozenset(
    {
        "application/vnd.oci.image.index.v1+json",
        "application/vnd.docker.distribution.manifest.list.v2+json",
        "application/vnd.docker.distribution.manifest.v2+json",
        "application/vnd.oci.image.config.v1+json",
        "application/vnd.docker.container.image.v1+json",
    }
)


def kinds(media_type: str) -> tuple[Kind, ...]:
    """What was pushed. An OCI manifest may be either, and so may anything unknown."""
    if media_type.startswith(_HELM):
        return (Kind.CHART,)
    if media_type in _IMAGES:
        return (Kind.IMAGE,)
    return (Kind.IMAGE, Kind.CHART)
