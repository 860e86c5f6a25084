"""The page of the receivers: their URLs on request, their last deliveries, and a test delivery."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from receivers import examples, go_url
from receivers.directory import addresses
from receivers.directory.addresses import Address
from receivers.events import Receiver, Registration, Unprovable, WebhookRequest
from receivers.journal.journal import Filter, Journal, Row
from receivers.pages import queries
from receivers.pages.visits import Done, Refused, View, Visit
from receivers.providers import PROVIDERS
from receivers.runtime import Runtime

SHOWN = 50  # receivers on one page: rendering holds the event loop, and deliveries wait
PATIENCE = 3.0  # seconds for their Secrets
LOOKED_AT = 500  # rows of the journal, to find each receiver's last delivery

type Key = tuple[str, str, str]  # provider, project, name


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A receiver as the page shows it."""

    address: Address
    url: str  # masked, unless it was asked for; empty when there is none
    shown: bool
    last: Row | None

    @property
    def registration(self) -> Registration:
        """How it is registered at its sender, with its URL once that is shown."""
        provider = PROVIDERS.get(self.address.sender) or PROVIDERS[self.address.receiver.provider]
        registration = provider.registration
        return registration.of(self.url) if self.shown and self.url else registration

    @property
    def page(self) -> str:
        """The name of the document that tells more of its sender."""
        return self.registration.page or self.address.sender

    @property
    def document(self) -> dict[str, Any]:
        """As JSON."""
        receiver = self.address.receiver
        return {
            "provider": self.address.sender,
            "project": receiver.project,
            "name": receiver.name,
            "source": receiver.source,
            "url": self.url or None,
            "problem": self.address.problem or None,
            "registration": {"steps": list(self.registration.steps), "command": self.registration.command or None},
            "lastDelivery": {
                "id": self.last.id,
                "receivedAt": self.last.received_at.isoformat(),
                "state": self.last.state,
            }
            if self.last
            else None,
        }


async def listing(visit: Visit, service: Runtime, *, shown: Key | None = None) -> View:
    """A page of the receivers. The whole URL is told of the one that was asked for."""
    queries.refuse_unknown(visit, ("page",))
    everyone = addresses.ordered(service.directory)
    position = next((at for at, receiver in enumerate(everyone) if _key(receiver) == shown), 0)
    page = position // SHOWN + 1 if shown else max(1, visit.number("page") or 1)
    if not visit.wants_json:  # programs go on until a page is empty
        page = min(page, max(1, -(-len(everyone) // SHOWN)))
    part = everyone[(page - 1) * SHOWN : page * SHOWN]
    found = await addresses.addresses(service.directory, part, within=PATIENCE)
    last = await _last_deliveries(service.journal)
    entries = [_entry(visit, service, address, last.get(_key(address.receiver)[1:]), shown=shown) for address in found]
    return View(
        template="receivers.html",
        values={
            "entries": entries,
            "count": len(everyone),
            "page": page,
            "before": f"{visit.base}/receivers?page={page - 1}" if page > 1 else "",
            "after": f"{visit.base}/receivers?page={page + 1}" if page * SHOWN < len(everyone) else "",
            "looked_at": LOOKED_AT,
            "journal": service.journal is not None,
        },
        document={"receivers": [entry.document for entry in entries], "count": len(everyone), "page": page},
    )


async def show(visit: Visit, service: Runtime) -> View:
    """The same, with one receiver's URL. Nothing keeps this answer: not a log, not a cache, not the address bar."""
    address = await _address(visit, service)
    return await listing(visit, service, shown=_key(address.receiver))


async def test(visit: Visit, service: Runtime) -> Done:
    """Deliver to one receiver what its sender would post, in this process. It is journalled as a test."""
    address = await _address(visit, service)
    receiver = address.receiver
    if not address.token:
        raise Refused(409, "Nothing was sent", f"{address.name} cannot be reached: {address.problem}.")
    provider = PROVIDERS[receiver.provider]
    sender = provider.of(receiver)
    now = datetime.now(UTC)
    push = examples.push(sender, service.mirror.index.subscriptions(receiver.project), receiver=receiver)
    try:
        example = sender.proven(sender.example(push, now), receiver, address.secret)
    except Unprovable as error:
        raise Refused(409, "Nothing was sent", f"{address.name} cannot be tried from here: {error}.") from None
    answer = await service.pipeline.deliver(
        WebhookRequest(
            method="POST",
            path=f"/{receiver.provider}/{address.token}",
            headers=example.headers,
            query={},
            body=example.body,
            received_at=now,
        ),
        provider,
        test=True,
    )
    delivery = answer.headers["X-Delivery-Id"]
    return Done(
        location=f"/deliveries/{delivery}" if service.journal else "/receivers",
        document={"id": delivery, "status": answer.status, "answer": dict(answer.body)},
    )


async def _address(visit: Visit, service: Runtime) -> Address:
    wanted = tuple(visit.form.get(name, "") for name in ("provider", "project", "name"))
    everyone = service.directory.receivers()
    named = (each for each in everyone if (addresses.sender_of(each), *_key(each)[1:]) == wanted)
    receiver = next((each for each in everyone if _key(each) == wanted), None) or next(named, None)
    if receiver is not None:
        return await addresses.address(service.directory, receiver)
    raise Refused(404, "No such receiver", "This receiver is not configured any more.")


def _entry(visit: Visit, service: Runtime, address: Address, last: Row | None, *, shown: Key | None) -> Entry:
    key = _key(address.receiver)
    try:
        url = address.url(service.settings.base_url or visit.base_url)
    except go_url.InvalidUrl:
        url = ""
    return Entry(
        address=address,
        url=url if key == shown else addresses.masked(url),
        shown=key == shown,
        last=last,
    )


async def _last_deliveries(journal: Journal | None) -> dict[tuple[str, str], Row]:
    """The last delivery of each receiver, by project and name, among the latest of all."""
    last: dict[tuple[str, str], Row] = {}
    if journal is None:
        return last
    read = 0
    async for row in journal.rows(Filter()):
        last.setdefault((row.project, row.receiver), row)
        read += 1
        if read == LOOKED_AT:
            break
    return last


def _key(receiver: Receiver) -> Key:
    return receiver.provider, receiver.project or "", receiver.name
