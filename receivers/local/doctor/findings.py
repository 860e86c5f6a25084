"""What the doctor finds."""

from dataclasses import asdict, dataclass
from enum import StrEnum


class Severity(StrEnum):
    """An error loses deliveries; a warning may, or says what else is odd."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One fault. No secret and no token is in it."""

    severity: Severity = Severity.ERROR
    subject: str
    problem: str
    remedy: str  # what to do

    @property
    def document(self) -> dict[str, str]:
        """As JSON."""
        return asdict(self)
