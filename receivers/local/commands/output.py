"""What a command prints on stdout."""

import json
import sys
from collections.abc import Iterable
from typing import Any


def show(form: str, *, lines: Iterable[str], document: Any) -> None:  # noqa: ANN401 - any JSON
    """Print the lines; or one JSON document, when ``form`` is ``json``."""
    print(json.dumps(document, indent=2) if form == "json" else "\n".join(lines))


def declined(command: str, why: Exception) -> int:
    """Say on stderr why a service did not do as asked. Returns the exit code."""
    print(f"kargo-receivers {command}: {why}", file=sys.stderr)
    return 1
