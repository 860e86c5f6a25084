"""How a delivery becomes a row of the journal, and how the row follows what happens later."""

from collections.abc import Sequence

import msgspec

from receivers import limits
from receivers.cluster.refresher import Outcome, Result
from receivers.deliveries.delivery import Delivery
from receivers.deliveries.matching import Match, Refreshes
from receivers.events import (
    Decision,
    Event,
    Faulty,
    Handshake,
    Ignored,
    Ping,
    PullRequestClosed,
    Pushed,
    Selected,
    Trigger,
)
from receivers.journal.journal import Finding, Row, Searched, State, WarehouseRow
from receivers.retries import messages
from receivers.retries.messages import Message
from receivers.text import clipped

DISCARDED = "discarded by hand"
_WORST = (Finding.MISSING, Finding.SOUGHT, Finding.FOUND)


def row_of(delivery: Delivery) -> Row:
    """A finished delivery as a row."""
    receiver = delivery.receiver or (delivery.former.former if delivery.former else None)
    told = _told(next(iter(delivery.triggers), None), ignored=delivery.events)
    status = delivery.answer.status if delivery.answer else 0
    events = _kept(delivery.triggers)
    return Row(
        id=delivery.id,
        received_at=delivery.received_at,
        provider=delivery.provider,
        receiver=receiver.name if receiver else "",
        project=(receiver.project or "") if receiver else "",
        voucher=delivery.voucher,
        source=delivery.receiver.source if delivery.receiver and delivery.voucher else "",
        event=_event(delivery.triggers or delivery.events),
        registry=told.registry,
        repository=told.repository,
        tag=told.tag,
        digest=told.digest,
        media_type=told.media_type,
        sender_event_id=told.sender_event_id,
        state=state_of(delivery),
        reason=clipped(_reason(delivery)),
        status=status,
        answer=clipped(delivery.answer.text if delivery.answer else ""),
        duration=delivery.duration,
        warehouses=[
            warehouse_row(decision, delivery.refreshes.outcomes.get(decision.target), queued=delivery.queued)
            for decision in delivery.decisions
        ],
        others=delivery.others,
        duplicate_of=delivery.duplicate_of,
        redelivery_of=delivery.redelivery_of,
        test=delivery.test,
        events=events,
        unkept=len(delivery.triggers) - len(events),
    )


def row_of_message(message: Message) -> Row:
    """A row for a delivery of the retry queue that has none: its process was stopped before it wrote one."""
    told = _told(next(iter(message.events), None))
    events = _kept(message.events)
    return Row(
        id=message.delivery,
        received_at=message.received_at,
        provider=message.provider,
        receiver=message.receiver,
        project=message.project or "",
        voucher=message.voucher,
        source=message.source,
        event=_event(message.events),
        registry=told.registry,
        repository=told.repository,
        tag=told.tag,
        digest=told.digest,
        media_type=told.media_type,
        sender_event_id=told.sender_event_id,
        state=State.QUEUED,
        status=0,
        events=events,
        unkept=len(message.events) - len(events),
    )


def _told(first: Trigger | None, *, ignored: Sequence[Event] = ()) -> Pushed:
    """What a row says of the first event, in a push's fields; of ignored ones where there is none."""
    match first:
        case Pushed():
            return first
        case PullRequestClosed():
            url = clipped(first.url, limits.NAME_SHOWN)
            return Pushed(repository_urls=(), repository=url, sender_event_id=first.sender_event_id)
        case Selected():
            return Pushed(repository_urls=(), sender_event_id=first.sender_event_id)
        case None:
            named = (event.repository for event in ignored if isinstance(event, Ignored) and event.repository)
            return Pushed(repository_urls=(), repository=next(named, ""))


def _event(events: Sequence[Event]) -> str:  # noqa: PLR0911 - one for each kind of event
    match next(iter(events), None):
        case Pushed():
            return "push"
        case PullRequestClosed():
            return "pull request"
        case Selected():
            return "selection"
        case Ping():
            return "ping"
        case Handshake():
            return "handshake"
        case Ignored():
            return "ignored"
        case Faulty():
            return "faulty"
        case None:
            return ""


def state_of(delivery: Delivery) -> State:
    """What became of a delivery, as its answer tells it."""
    status = delivery.answer.status if delivery.answer else 0
    if delivery.queued:
        return State.QUEUED
    if 400 <= status < 500 and not delivery.triggers:  # noqa: PLR2004 - the sender's fault, in HTTP
        return State.REFUSED
    if status >= 500:  # noqa: PLR2004
        return State.FAILED
    if delivery.triggers:
        return State.REFRESHED if delivery.wanted else State.NOTHING
    return State.IGNORED if _event(delivery.events) == "ignored" else State.PING


def _reason(delivery: Delivery) -> str:
    reasons = [event.reason for event in delivery.events if isinstance(event, Faulty)]
    reasons += [event.reason for event in delivery.events if isinstance(event, Ignored)]
    return delivery.error or next(iter(reasons), "")


def warehouse_row(decision: Decision, outcome: Outcome | None, *, queued: bool) -> WarehouseRow:
    """The decision on one Warehouse and how its refresh ended, if it has."""
    row = WarehouseRow(
        project=decision.target.namespace,
        name=decision.target.name,
        kind=decision.target.kind,
        refresh=decision.refresh,
        reason=clipped(decision.reason),
    )
    if decision.refresh:
        settle(row, outcome, queued=queued)
    return row


def settle(row: WarehouseRow, outcome: Outcome | None, *, queued: bool) -> None:
    """Note how a refresh ended, or that it has not."""
    match outcome.result if outcome else None:
        case Result.REFRESHED:
            row.state = State.REFRESHED
        case Result.GONE:
            row.state = State.GONE
        case _:
            row.state = State.QUEUED if queued else State.FAILED
    if outcome:
        row.value, row.error = outcome.value, clipped(outcome.error)


def note_try(row: Row, message: Message, match: Match | None, refreshes: Refreshes, *, given_up: bool) -> None:
    """Note a try of the retry queue: what was decided anew, and how far its refreshes came."""
    row.attempts = message.attempts
    if match is not None:
        decided = [
            warehouse_row(decision, refreshes.outcomes.get(decision.target), queued=not given_up)
            for decision in match.decisions
        ]
        row.warehouses = _merged(row.warehouses, decided, whole=message.parts == 1)
        row.others = match.others
    error = message.attempts[-1].error
    wanted = [warehouse.state for warehouse in row.warehouses if warehouse.refresh]
    if given_up:
        row.state, row.reason = State.FAILED, error
    elif error or State.QUEUED in wanted:  # of another part
        row.state = State.QUEUED
    else:
        row.state, row.reason = State.REFRESHED if State.REFRESHED in wanted else State.NOTHING, ""


def discarded(reason: str) -> str:
    """Why a delivery failed that somebody discarded after it was given up."""
    return clipped(f"{DISCARDED}: {reason}" if reason and not reason.startswith(DISCARDED) else reason or DISCARDED)


def _merged(before: list[WarehouseRow], decided: list[WarehouseRow], *, whole: bool) -> list[WarehouseRow]:
    """What was decided last. Of a delivery in parts, one part that wants a Warehouse refreshed is enough."""
    known = {each.target: each for each in before}
    merged = {} if whole else dict(known)
    for each in decided:
        earlier = known.get(each.target)
        if earlier is not None and each.refresh and earlier.state == State.REFRESHED:
            _keep_refresh(each, earlier)
        if whole or each.refresh or earlier is None or not earlier.refresh:
            merged[each.target] = each
    return [merged[key] for key in sorted(merged)]


def _keep_refresh(decided: WarehouseRow, earlier: WarehouseRow) -> None:
    """What was refreshed since the delivery arrived stays so, and was when it was, whatever a later try comes to."""
    decided.state, decided.value, decided.error = earlier.state, earlier.value, earlier.error
    decided.handled_at, decided.searched = earlier.handled_at, earlier.searched


def conclude(row: Row) -> None:
    """Derive a delivery's state from its Warehouses, once a queued or failed one has got further."""
    wanted = [warehouse for warehouse in row.warehouses if warehouse.refresh]
    states = {warehouse.state for warehouse in wanted}
    if row.state in {State.QUEUED, State.FAILED} and states and states <= {State.REFRESHED, State.GONE}:
        row.state, row.reason = State.REFRESHED, ""
    refreshed = [warehouse for warehouse in wanted if warehouse.state == State.REFRESHED]
    if row.state == State.REFRESHED and refreshed and all(warehouse.handled_at for warehouse in refreshed):
        row.handled_at = max(warehouse.handled_at for warehouse in refreshed if warehouse.handled_at)
    conclude_search(row)


def conclude_search(row: Row) -> None:
    """Derive from its Warehouses whether Kargo has found what a delivery told of."""
    searched = [each.searched for each in row.warehouses if each.refresh and each.searched]
    row.finding = next((each for each in _WORST if any(each == one.finding for one in searched)), None)
    if row.finding == Finding.FOUND:
        row.found_at = max(each.at for each in searched)


def note_searched(warehouse: WarehouseRow, searched: Searched | None) -> None:
    """Note what became of the search for what was pushed. What was found stays found."""
    if warehouse.searched is None or warehouse.searched.finding != Finding.FOUND:
        warehouse.searched = searched


def _kept(events: list[Trigger]) -> list[Trigger]:
    """As many events as fit, each small enough."""
    kept: list[Trigger] = []
    room = limits.JOURNAL_EVENTS
    for event in events:
        fitting = messages.slim(event, size=room)
        room -= len(msgspec.json.encode(fitting))
        if room < 0:
            break
        kept.append(fitting)
    return kept
