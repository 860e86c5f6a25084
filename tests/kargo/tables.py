"""What the Go libraries behind Kargo's rules answer. vectors/README.md says how the tables are made."""

import json
from pathlib import Path
from typing import Any

_FOLDER = Path(__file__).parent / "vectors"


def rows(name: str) -> list[Any]:
    """One table, a JSON value a line."""
    lines = (_FOLDER / f"{name}.jsonl").read_text(encoding="utf-8").split("\n")
    return [json.loads(line) for line in lines if line]
