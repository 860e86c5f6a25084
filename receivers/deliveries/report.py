"""A delivery in one line, for who watches the log: what came, what was refreshed, and why the rest was not."""

import logging
from collections.abc import Sequence

from receivers import limits
from receivers.cluster.refresher import Result
from receivers.deliveries.delivery import Delivery
from receivers.events import (
    Event,
    Faulty,
    Handshake,
    Ignored,
    Ping,
    PullRequestClosed,
    Pushed,
    Selected,
    Target,
    TargetKind,
)
from receivers.text import clipped, printable

logger = logging.getLogger(__name__)

NAMED = 5  # as many refused Warehouses are named; the rest is counted


def log(delivery: Delivery) -> None:
    """Write the line. It holds no token, no URL of a receiver and nothing of the body but names."""
    level = logging.INFO if delivery.answer and delivery.answer.status < 500 else logging.WARNING  # noqa: PLR2004
    logger.log(level, "%s", line(delivery))


def line(delivery: Delivery) -> str:
    """``azure kargo-demo/acr: myregistry.azurecr.io/app:1.2.3 -> 200 refreshed kargo-demo/app; … [4 ms, 0193…]``."""
    receiver = delivery.receiver or (delivery.former.former if delivery.former else None)
    where = f"{receiver.project or '(cluster)'}/{receiver.name}" if receiver else "(no receiver)"
    status = delivery.answer.status if delivery.answer else 0
    what = ", ".join(dict.fromkeys(described(event) for event in delivery.events[:NAMED])) or delivery.error
    became = "; ".join(_became(delivery))
    milliseconds = round(delivery.duration * 1000)
    text = f"{delivery.provider} {where}: {what} -> {status}{' ' if became else ''}{became}"
    return f"{printable(text)} [{milliseconds} ms, {delivery.id}]"


def described(event: Event) -> str:  # noqa: PLR0911 - one for each kind of event
    """An event in a few words: ``quay.io/team/app:1.2.3``."""
    match event:
        case Pushed():
            pushed = (
                clipped(event.repository_urls[0], limits.NAME_SHOWN) if event.repository_urls else "(no repository)"
            )
            return (
                f"{pushed}:{clipped(event.qualifiers[0], limits.NAME_SHOWN)}"
                if event.qualifiers
                else f"{pushed} (untagged)"
            )
        case PullRequestClosed():
            return f"pull request {clipped(event.url, limits.NAME_SHOWN)}"
        case Selected():
            return "selected by the receiver"
        case Ping():
            return "ping"
        case Handshake():
            return "handshake"
        case Ignored():
            return f"ignored, {event.reason}"
        case Faulty():
            return event.reason


def _became(delivery: Delivery) -> list[str]:
    if not delivery.triggers:
        return []
    if delivery.error:
        return [delivery.error]
    outcomes = delivery.refreshes.outcomes
    refreshed = [target for target, outcome in outcomes.items() if outcome.result == Result.REFRESHED]
    gone = [target for target, outcome in outcomes.items() if outcome.result == Result.GONE]
    unfinished = delivery.unfinished
    refused = [decision for decision in delivery.decisions if not decision.refresh]
    parts = [f"refreshed {_names(refreshed)}" if refreshed else "refreshed nothing"]
    if unfinished:
        parts.append(f"not yet {_names(unfinished)}{_why(delivery)}")
    if gone:
        parts.append(f"gone {_names(gone)}")
    if refused:
        parts.append("not " + _names([f"{decision.target} ({decision.reason})" for decision in refused]))
    if not delivery.decisions and delivery.kind is TargetKind.PROMOTION:
        parts.append("no Promotion waits for it")
    if delivery.others and not refreshed:
        parts.append(f"{delivery.others} Warehouse(s) subscribe to other repositories")
    return parts


def _why(delivery: Delivery) -> str:
    errors = {outcome.error for outcome in delivery.refreshes.outcomes.values() if outcome.error}
    return f" ({'; '.join(sorted(errors))})" if errors else ""


def _names(things: Sequence[Target | str]) -> str:
    named = ", ".join(map(_shown, things[:NAMED]))
    return named if len(things) <= NAMED else f"{named} and {len(things) - NAMED} more"


def _shown(thing: Target | str) -> str:
    """A Warehouse by its name alone, since most are; a Promotion as one."""
    is_promotion = isinstance(thing, Target) and thing.kind is TargetKind.PROMOTION
    return f"Promotion {thing}" if is_promotion else str(thing)


def _name(text: str) -> str:
    return clipped(text, limits.NAME_SHOWN)
