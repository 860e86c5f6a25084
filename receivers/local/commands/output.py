"""What a command prints on stdout."""

import json
from collections.abc import Iterable
from typing import Any


def show(form: str, *, lines: Iterable[str], document: Any) -> None:  # noqa: ANN401 - any JSON
    """Print the lines; or one JSON document, when ``form`` is ``json``."""
    print(json.dumps(document, indent=2) if form == "json" else "\n".join(lines))
