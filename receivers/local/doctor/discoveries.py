"""Whether Kargo has found what was pushed lately, as far as the journal tells."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from receivers.events import Target
from receivers.journal.journal import Filter, Finding
from receivers.local.doctor import findings
from receivers.local.doctor.findings import Severity
from receivers.pages import wording
from receivers.runtime import Runtime
from receivers.storage.account import StorageError

LATELY = timedelta(days=1)
READ = 500  # deliveries
NAMED = 20  # Warehouses


async def check(service: Runtime) -> Sequence[findings.Finding]:
    """The Warehouses for which Kargo did not find what was pushed within a day, each with the latest push."""
    if service.journal is None:
        return []
    missed: dict[Target, findings.Finding] = {}
    only = Filter(finding=Finding.MISSING.value, since=datetime.now(UTC) - LATELY)
    read = 0
    try:
        async for row in service.journal.rows(only):
            for each in row.warehouses:
                if each.searched is not None and each.searched.finding == Finding.MISSING:
                    missed.setdefault(each.target, _finding(each.target, wording.artifact(row), each.searched.reason))
            read += 1
            if read == READ or len(missed) >= NAMED:
                break
    except StorageError:
        return []  # which is told elsewhere
    return list(missed.values())


def _finding(target: Target, artifact: str, reason: str) -> findings.Finding:
    return findings.Finding(
        severity=Severity.WARNING,
        subject=f"Warehouse {target}",
        problem=f"Kargo did not find {artifact}: {reason}",
        remedy='see docs/troubleshooting.md, "Kargo did not find it"',
    )
