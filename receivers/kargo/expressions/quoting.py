"""The functions that Kargo's templates have in addition: they put quotes around what shall stay text."""

from receivers.kargo.effort import Effort
from receivers.kargo.expressions import printing, yaml


def quote(effort: Effort, value: object) -> str:
    """A text as Go quotes it; anything else as JSON in quotes."""
    return printing.quoted(value, effort) if isinstance(value, str) else unsafe_quote(effort, value)


def unsafe_quote(effort: Effort, value: object) -> str:
    """JSON in quotes, whatever quotes are in it."""
    return f'"{printing.to_json(value, effort)}"'


def as_yaml(effort: Effort, value: object) -> str:
    """YAML in quotes, its last line's end too."""
    return f'"{yaml.to_yaml(value, effort)}"'


def as_json(effort: Effort, value: object) -> str:
    """Indented JSON, and a line's end, in quotes."""
    return f'"{printing.to_json(value, effort, indent="  ")}\n"'
