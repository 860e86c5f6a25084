"""Filters by a name that nobody knows: neither the cluster nor the journal. A list that is empty for that says so."""

import asyncio
from collections.abc import Iterable
from itertools import islice

from receivers import limits
from receivers.journal.hours import Whose
from receivers.journal.journal import Filter, Reach
from receivers.nearest import nearest
from receivers.runtime import Runtime
from receivers.storage.account import StorageError
from receivers.text import clipped, printable

COMPARED = 2_000  # names, of which one may be meant


async def note(service: Runtime, *, project: str = "", receiver: str = "", warehouse: str = "") -> str:
    """``no receiver of that name is known: acrr; acr may be meant``, of the first name that is not known.

    Empty where each is known, or nobody can tell.
    """
    if not _is_cluster_known(service):
        return ""
    counted = await _counted(service)
    namespace, slash, _ = warehouse.partition("/")
    for kind, name, only, known in (
        ("project", project, Filter(project=project), _projects(service, counted)),
        ("receiver", receiver, Filter(receiver=receiver), _receivers(service, counted)),
        ("Warehouse", warehouse, Filter(warehouse=warehouse), _warehouses(service, namespace)),
    ):
        if name and name not in known and not await _is_recorded(service, only):
            meant = await asyncio.to_thread(nearest, name, list(islice(known, COMPARED)))
            told = printable(clipped(name, limits.NAME_SHOWN))
            form = "" if kind != "Warehouse" or slash else "; it is written as project/name"
            return f"no {kind} of that name is known: {told}{f'; {meant} may be meant' if meant else form}"
    return ""


def _is_cluster_known(service: Runtime) -> bool:
    return service.mirror.receivers_trusted and all(each.synced or each.denied for each in service.mirror.health())


async def _counted(service: Runtime) -> Iterable[Whose]:
    """Whose deliveries the journal has counted within 30 days."""
    try:
        return (await service.hours.figures()).receivers if service.hours else ()
    except StorageError:
        return ()


def _projects(service: Runtime, counted: Iterable[Whose]) -> set[str]:
    configured = {each.project or "" for each in service.directory.receivers()}
    return configured.union(service.mirror.index.projects(), (each.project for each in counted)) - {""}


def _receivers(service: Runtime, counted: Iterable[Whose]) -> set[str]:
    return {each.name for each in service.directory.receivers()}.union(each.receiver for each in counted)


def _warehouses(service: Runtime, project: str) -> set[str]:
    """Those of a project, or of the one that may be meant by it."""
    index = service.mirror.index
    known = project if index.count(project) else nearest(project, islice(index.projects(), COMPARED))
    return set(map(str, index.targets(known))) if known else set()


async def _is_recorded(service: Runtime, only: Filter) -> bool:
    """Whether the journal has such a row, or may have one where it was not looked through to its end."""
    if service.journal is None:
        return False
    reach = Reach()
    async for _ in service.journal.rows(only, reach=reach):
        return True
    return bool(reach.until)
