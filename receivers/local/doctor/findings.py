"""What the doctor finds."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """Something that was looked at, and what was found."""

    name: str
    sound: str  # what there is to say where nothing was found
    findings: Sequence[Finding] = field(default_factory=tuple)

    @property
    def result(self) -> str:
        """``ok``, or how bad the worst of it is."""
        severities = {finding.severity for finding in self.findings}
        return next((str(each) for each in Severity if each in severities), "ok")

    @property
    def text(self) -> str:
        """What was found, in a few words."""
        if not self.findings:
            return self.sound
        counted = [
            f"{number} {severity}(s)"
            for severity in Severity
            if (number := sum(each.severity is severity for each in self.findings))
        ]
        return ", ".join(counted)

    @property
    def document(self) -> dict[str, str]:
        """As JSON."""
        return {"check": self.name, "result": self.result, "text": self.text}
