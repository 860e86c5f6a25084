"""What delivering again would refresh, as the Warehouses are now. Nothing is refreshed for it."""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from receivers.cluster.api import ClusterError
from receivers.deliveries import explaining
from receivers.events import Target
from receivers.journal.journal import Row
from receivers.runtime import Runtime

PATIENCE = 1.0  # seconds that a page waits for it
NAMED = 5  # of what would be refreshed; the rest is counted


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """What would be refreshed now."""

    targets: Sequence[Target] = ()
    fault: str = ""  # why that is not known

    @property
    def says(self) -> str:
        """In words: ``it would refresh kargo-demo/app``."""
        if self.fault:
            return f"what it would refresh is not known at the moment: {self.fault}"
        named = ", ".join(map(str, self.targets[:NAMED])) or "nothing"
        more = len(self.targets) - NAMED
        return f"it would refresh {named}{f' and {more} more' if more > 0 else ''}"

    @property
    def document(self) -> dict[str, Any]:
        """As JSON."""
        told = [{"kind": each.kind, "project": each.namespace, "name": each.name} for each in self.targets]
        return {"wouldRefresh": None if self.fault else told, "says": self.says}


async def preview(service: Runtime, rows: Iterable[Row]) -> Preview:
    """What delivering these again would refresh, all together."""
    targets: set[Target] = set()
    try:
        async with asyncio.timeout(PATIENCE):
            for row in rows:
                explanation = await explaining.explain(service.mirror, row.events, project=row.project or None)
                targets.update(each.target for each in explanation.decisions if each.refresh)
    except (ClusterError, TimeoutError) as error:
        return Preview(fault=str(error) or "it takes too long")
    return Preview(targets=sorted(targets))
