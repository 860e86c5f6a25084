"""What events would do, Warehouse by Warehouse, and why. Nothing is refreshed and nothing recorded."""

import heapq
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from difflib import SequenceMatcher

from receivers import limits
from receivers.cluster.mirror import Mirror
from receivers.cluster.turns import Turns
from receivers.deliveries import matching, report
from receivers.directory import coverage
from receivers.directory.addresses import name_of
from receivers.directory.coverage import Tellers
from receivers.events import Decision, Event, PullRequestClosed, Pushed, Receiver, Selected, Target
from receivers.kargo import aliases, repositories, words

_ALIKE = 0.75  # of two names: a letter or a host more or less; half a name is nothing alike
_SHOWN = 3  # names that are alike


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """What events mean to the Warehouses in scope, and what else may have been meant."""

    events: Sequence[Event]
    decisions: Sequence[Decision] = ()  # by Warehouse
    others: int = 0  # Warehouses that subscribe to other repositories
    alike: Sequence[str] = ()  # where nobody subscribes to what was pushed: the closest that somebody does
    triggers: bool = False  # one of the events can refresh something
    told_by: dict[Target, list[Receiver]] = field(default_factory=dict)  # of what would be refreshed, where asked for

    @property
    def refreshes(self) -> bool:
        """Whether anything would be refreshed."""
        return any(decision.refresh for decision in self.decisions)


async def explain(
    mirror: Mirror, events: Sequence[Event], *, project: str | None, tellers: Tellers | None = None
) -> Explanation:
    """Decide as a delivery of these events would, to a receiver of a project, or of the cluster.

    With ``tellers`` it also says which of these can tell of what would be refreshed. Raises ClusterError when too
    little is known of the cluster.
    """
    triggers = [event for event in events if isinstance(event, Pushed | PullRequestClosed | Selected)]
    if not triggers:
        return Explanation(events=events)
    match = await matching.match(mirror, triggers, project=project)
    pushed = [event for event in triggers if isinstance(event, Pushed)]
    return Explanation(
        events=events,
        decisions=match.decisions,
        others=match.others,
        alike=[] if match.decisions else await _alike(mirror, pushed, project),
        triggers=True,
        told_by=await _told_by(mirror, match.targets, pushed, tellers) if tellers else {},
    )


async def _alike(mirror: Mirror, pushed: Sequence[Pushed], project: str | None) -> list[str]:
    """The repositories in scope whose names are most like that of the first push, the closest first."""
    wanted = next((url for event in pushed for url in repositories.of(event).urls), "")
    matcher = SequenceMatcher(autojunk=False)
    matcher.set_seq2(wanted[: limits.ALIKE_NAME])
    found: list[tuple[float, str]] = []
    turns, began = Turns(), time.perf_counter()
    for url in mirror.index.urls(project) if wanted else ():
        matcher.set_seq1(url[: limits.ALIKE_NAME])
        if min(matcher.real_quick_ratio(), matcher.quick_ratio()) >= _ALIKE and (how := matcher.ratio()) >= _ALIKE:
            found.append((how, url))
        await turns.take()
        if time.perf_counter() - began > limits.ALIKE_PATIENCE:
            break
    return [words.repository(url) for _, url in heapq.nlargest(_SHOWN, found)]


async def _told_by(
    mirror: Mirror, targets: Sequence[Target], pushed: Sequence[Pushed], tellers: Tellers
) -> dict[Target, list[Receiver]]:
    """Of each Warehouse the receivers that can tell of one of these pushes."""
    urls = {url for event in pushed for url in repositories.of(event).urls}
    found: dict[Target, list[Receiver]] = {}
    turns = Turns()
    for target in targets:
        seen = coverage.look(mirror, tellers, target)
        telling = [by for subscription, by in seen.told if aliases.canonical(subscription.url) in urls]
        found[target] = list({id(receiver): receiver for by in telling for receiver in by}.values())
        await turns.take()
    return found


def document(explanation: Explanation, *, at_most: int | None = None) -> dict[str, object]:
    """As JSON, with the first decisions."""
    return {
        "refreshes": explanation.refreshes,
        "events": [{"kind": type(event).__name__, "told": report.described(event)} for event in explanation.events],
        "decisions": [_decided(explanation, each) for each in explanation.decisions[:at_most]],
        "count": len(explanation.decisions),
        "others": explanation.others,
        "alike": list(explanation.alike),
    }


def _decided(explanation: Explanation, decision: Decision) -> dict[str, object]:
    target = decision.target
    decided = {
        "kind": target.kind,
        "project": target.namespace,
        "name": target.name,
        "refresh": decision.refresh,
        "reason": decision.reason,
    }
    by = explanation.told_by.get(target)
    return decided if by is None else decided | {"toldBy": list(map(name_of, by))}
