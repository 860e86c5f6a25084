"""What the cluster would show of a refresh."""

from datetime import datetime
from typing import Any

from bench.drill.annotations import Annotations
from bench.drill.senders import Image
from receivers.cluster.refresher import ANNOTATION, unique_value


def refreshed(image: Image, *, at: datetime) -> Annotations:
    """Both Warehouses of an image were refreshed once, by patches that began then."""
    nobody: Any = None
    annotations = Annotations(nobody)
    for target in image.targets:
        metadata = {"namespace": target.namespace, "name": target.name, "annotations": {ANNOTATION: unique_value(at)}}
        annotations._note(metadata)
    return annotations
