"""``warehouses``: what each Warehouse wants, and who can tell of it."""

import argparse
import asyncio
from collections.abc import Iterator, Sequence

from receivers.directory import addresses
from receivers.local import cluster
from receivers.local.commands import output
from receivers.local.errors import Unable
from receivers.local.terminal import printable
from receivers.nearest import nearest
from receivers.pages import warehouses
from receivers.pages.warehouses import Entry, Part, Wanted


def run(options: argparse.Namespace) -> int:
    """List them; those that need a look come first."""
    part = asyncio.run(_part(options))
    output.show(options.output, lines=lines(part, snippets=options.snippets), document=part.document)
    return 1 if part.survey.untold else 0


async def _part(options: argparse.Namespace) -> Part:
    async with cluster.opened(cluster.environment()) as service:
        refused = next((health for health in service.mirror.health() if health.resource == "warehouses"), None)
        if refused is not None and not refused.synced:
            raise Unable(f"the Warehouses cannot be read: {refused.fault or 'this identity may not list them'}")
        _check_project(service.mirror.index.projects(), options.project)
        return await warehouses.gather(
            service, project=options.project or "", untold=options.only_uncovered, first=0, limit=options.limit
        )


def _check_project(projects: Sequence[str], project: str | None) -> None:
    """A project without any is a typing error, or else nothing that could be well."""
    if project and project not in projects:
        meant = nearest(project, projects)
        suggested = f"; {meant} may be meant" if meant else ""
        raise Unable(f"there is no Warehouse in a project {printable(project)}{suggested}")


def lines(part: Part, *, snippets: bool) -> Iterator[str]:
    """Each Warehouse with its subscriptions, and how many there are."""
    for entry in part.entries:
        yield str(entry.target)
        for position, reason in entry.faults.items():
            yield printable(f"  {position}: unreadable: {reason}")
        for wanted in entry.wanted:
            yield from _of(entry, wanted, snippets=snippets)
        if entry.unlisted:
            yield f"  and {entry.unlisted} more"
    survey, shown = part.survey, len(part.entries)
    listed = f"{part.count} Warehouse(s)" + (f", of which the first {shown} are listed" if shown < part.count else "")
    yield (
        f"{listed}; {survey.subscriptions} subscription(s), {survey.only_polled} only polled, "
        f"{survey.unreadable} unreadable"
    )


def _of(entry: Entry, wanted: Wanted, *, snippets: bool) -> Iterator[str]:
    subscription = wanted.subscription
    strategy = f" ({wanted.strategy})" if wanted.strategy else ""
    told = f"told by {addresses.named(wanted.by)}" if wanted.by else entry.polled
    yield printable(
        f"  {subscription.position}: {subscription.kind} {wanted.repository}: {wanted.wants}{strategy}; {told}"
    )
    if snippets and wanted.suggestion is not None:
        yield from (f"      {line}" for line in wanted.suggestion.yaml.splitlines())
