"""OCI layouts as skopeo reads them, written by hand: https://github.com/opencontainers/image-spec."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
IMAGE_CONFIG, IMAGE_LAYER = "application/vnd.oci.image.config.v1+json", "application/vnd.oci.image.layer.v1.tar"
CHART_CONFIG = "application/vnd.cncf.helm.config.v1+json"
CHART_LAYER = "application/vnd.cncf.helm.chart.content.v1.tar+gzip"

type Descriptor = dict[str, object]


def image(folder: Path) -> Path:
    """An image of one layer."""
    return _layout(folder, _image(folder, "amd64"))


def index(folder: Path) -> Path:
    """An index of two images, each for another architecture."""
    children = [
        _image(folder, each) | {"platform": {"os": "linux", "architecture": each}} for each in ("amd64", "arm64")
    ]
    return _layout(folder, _json(folder, INDEX, {"schemaVersion": 2, "mediaType": INDEX, "manifests": children}))


def chart(folder: Path) -> Path:
    """A Helm chart."""
    config = _json(folder, CHART_CONFIG, {"apiVersion": "v2", "name": "app", "version": "1.2.3"})
    return _layout(folder, _manifest(folder, config, _blob(folder, CHART_LAYER, b"the chart, packed")))


def _image(folder: Path, architecture: str) -> Descriptor:
    layer = _blob(folder, IMAGE_LAYER, f"a layer for {architecture}".encode())
    rootfs = {"type": "layers", "diff_ids": [layer["digest"]]}
    config = _json(folder, IMAGE_CONFIG, {"architecture": architecture, "os": "linux", "rootfs": rootfs})
    return _manifest(folder, config, layer)


def _manifest(folder: Path, config: Descriptor, layer: Descriptor) -> Descriptor:
    document = {"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": [layer]}
    return _json(folder, MANIFEST, document)


def _layout(folder: Path, content: Descriptor) -> Path:
    (folder / "oci-layout").write_text(json.dumps({"imageLayoutVersion": "1.0.0"}))
    (folder / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [content]}))
    return folder


def _json(folder: Path, media_type: str, document: Mapping[str, object]) -> Descriptor:
    return _blob(folder, media_type, json.dumps(document).encode())


def _blob(folder: Path, media_type: str, content: bytes) -> Descriptor:
    digest = hashlib.sha256(content).hexdigest()
    blobs = folder / "blobs" / "sha256"
    blobs.mkdir(parents=True, exist_ok=True)
    (blobs / digest).write_bytes(content)
    return {"mediaType": media_type, "digest": f"sha256:{digest}", "size": len(content)}
