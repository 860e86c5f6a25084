"""One delivery, from request to answer: find the receiver, authenticate, parse, match, refresh, answer."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from functools import partial
from http import HTTPStatus
from typing import Protocol, assert_never

from receivers import limits
from receivers.cluster.api import ClusterError
from receivers.cluster.availability import Availability
from receivers.cluster.mirror import Mirror
from receivers.cluster.refresher import Refresher
from receivers.deliveries import answers, matching, reading
from receivers.deliveries.answers import Answer
from receivers.deliveries.delivery import Delivery, new_id
from receivers.deliveries.reading import BusyError, Reading
from receivers.directory.directory import Directory, Verified
from receivers.directory.former import Asked
from receivers.directory.signing_keys import KeysError, SigningKeys
from receivers.events import (
    Authenticated,
    Event,
    Faulty,
    Handshake,
    Ignored,
    Malformed,
    Ping,
    Provider,
    PublicKeys,
    PullRequestClosed,
    Pushed,
    Receiver,
    Selected,
    TooLarge,
    UnknownKey,
    UnknownReceiver,
    WebhookError,
    WebhookRequest,
)
from receivers.providers import segment
from receivers.storage.account import StorageError

logger = logging.getLogger(__name__)

type Observer = Callable[[Delivery], None]
type Understand = Callable[[float], Awaitable[None]]  # fills in receiver and events, until a deadline


class Queue(Protocol):
    """Where a delivery waits that could not be refreshed in time."""

    async def put(self, delivery: Delivery) -> None:
        """Keep it, durably. Raises StorageError."""


class KnownReceivers(Protocol):
    """Receivers that were seen before, for a process that starts while the cluster is away."""

    async def find(self, provider: Provider, path: str) -> Verified | None:
        """The receiver of a URL, if its URL alone proves the sender. Raises StorageError."""

    def learn(self, provider: Provider, path: str, verified: Verified) -> None:
        """Remember a receiver that was found in the cluster. Returns at once."""


class FormerUrls(Protocol):
    """URLs that were receivers' once."""

    def asked(self, provider: Provider, path: str) -> Asked | None:
        """Whose a URL was that the cluster says is none. Returns at once."""


class Pipeline:
    """Takes deliveries. Every one is answered within the budget, whatever the cluster does.

    Without a queue what could not be refreshed in time is a failure that the sender may repeat.
    """

    def __init__(
        self,
        *,
        directory: Directory,
        mirror: Mirror,
        refresher: Refresher,
        availability: Availability,
        signing_keys: SigningKeys,
        queue: Queue | None = None,
        known: KnownReceivers | None = None,
        former: FormerUrls | None = None,
        answer_budget: float = limits.ANSWER_BUDGET,
        observers: Iterable[Observer] = (),
    ) -> None:
        self._directory = directory
        self._mirror = mirror
        self._refresher = refresher
        self._availability = availability
        self._signing_keys = signing_keys
        self._queue = queue
        self._known = known
        self._former = former
        self._budget = answer_budget
        self._reserve = limits.QUEUE_RESERVE if queue else 0.0
        self._observers = tuple(observers)
        self._reading = Reading()

    async def deliver(self, request: WebhookRequest, provider: Provider, *, test: bool = False) -> Answer:
        """Answer one request. Raises nothing: what goes wrong is an answer too. A ``test`` is journalled as such."""
        delivery = Delivery(
            id=new_id(request.received_at), received_at=request.received_at, provider=provider.name, test=test
        )
        understand = partial(self._understand, delivery, request, provider)
        return await self._process(delivery, understand, provider=provider)

    async def redeliver(self, delivery: Delivery) -> Answer:
        """Match and refresh a delivery whose receiver and events are known already, once its receiver is verified."""
        return await self._process(delivery, partial(self._confirm, delivery))

    async def meaning(
        self, request: WebhookRequest, provider: Provider, receiver: Receiver, *, until: float
    ) -> list[Event]:
        """What a request would mean to a receiver that is reached under a provider's name, whoever sent it.

        Nothing may be refreshed for it: it is not proven. Raises WebhookError, and BusyError where others are read.
        """
        _refuse_large(request)
        proof = Authenticated(request=request, receiver=receiver)
        return await self._in_turn(
            partial(provider.events, proof), request, provider.of(receiver), receiver, deadline=until
        )

    async def _process(self, delivery: Delivery, understand: Understand, *, provider: Provider | None = None) -> Answer:
        loop = asyncio.get_running_loop()
        began = loop.time()
        answer = await self._answer(delivery, understand, deadline=began + self._budget)
        receiver = delivery.receiver
        if provider is not None and receiver is not None:
            results = provider.of(receiver).results
            if results is not None and delivery.events and (delivery.matched or not delivery.triggers):
                answer = _resulted(delivery, answer, results(receiver, delivery.ended()))
        delivery.answer = answer.identified(delivery.id)
        delivery.duration = loop.time() - began
        self._tell(delivery)
        return delivery.answer

    def _tell(self, delivery: Delivery) -> None:
        for observer in self._observers:
            try:
                observer(delivery)
            except Exception:
                logger.exception("delivery %s was answered, but not recorded", delivery.id)

    async def _answer(  # noqa: PLR0911 - one for each way to end
        self, delivery: Delivery, understand: Understand, *, deadline: float
    ) -> Answer:
        try:
            await understand(deadline)
            if not delivery.triggers:
                return _nothing_to_refresh(delivery)
            if delivery.voucher:
                delivery.error = "the cluster has to verify its URL first"
            else:
                await self._refresh(delivery, until=deadline - self._reserve)
            if delivery.settled:
                return answers.refreshed(delivery.wanted, delivery.kind)
            return await self._defer(delivery, deadline=deadline)
        except WebhookError as error:
            former = delivery.former.former.told if delivery.former else ""  # which the sender is not told
            delivery.error = former or error.message or str(type(error).__doc__).partition(".")[0]
            return answers.refused(error)
        except KeysError as error:
            delivery.error = str(error)
            return answers.unproven()
        except BusyError as error:
            delivery.error = str(error)
            return answers.busy()
        except (ClusterError, TimeoutError) as error:
            delivery.error = _describe(error)
            return answers.unavailable()
        except Exception:
            logger.exception("delivery %s failed", delivery.id)
            delivery.error = "a defect of this service; its log has the details"
            return answers.defect()

    async def _understand(
        self, delivery: Delivery, request: WebhookRequest, provider: Provider, deadline: float
    ) -> None:
        """Find the receiver, authenticate the request, and parse it."""
        with delivery.step("find"):
            try:
                verified = await self._find(provider, request.path, deadline=deadline)
            except UnknownReceiver:
                delivery.former = self._former.asked(provider, request.path) if self._former else None
                raise
        delivery.receiver, delivery.voucher = verified.receiver, verified.voucher
        sender = provider.of(verified.receiver)
        delivery.provider = sender.name
        _refuse_large(request)
        with delivery.step("parse"):
            delivery.events = await self._read(request, sender, verified, deadline=deadline)

    async def _read(
        self, request: WebhookRequest, provider: Provider, verified: Verified, *, deadline: float
    ) -> list[Event]:
        """What a request means, once it has proven itself: by a key that is published, where its receiver says so.

        A key that is not known may be a new one, so they are fetched anew. Raises :class:`KeysError` without any.
        """
        url, until = provider.authentication.keys(verified.receiver), deadline - limits.KEYS_RESERVE
        if not url:
            return await self._read_by({}, request, provider, verified, deadline=deadline)
        try:
            keys = await self._signing_keys.of(url, until=until)
            return await self._read_by(keys, request, provider, verified, deadline=deadline)
        except UnknownKey:
            keys = await self._signing_keys.newer(url, until=until)
        return await self._read_by(keys, request, provider, verified, deadline=deadline)

    async def _read_by(
        self, keys: PublicKeys, request: WebhookRequest, provider: Provider, verified: Verified, *, deadline: float
    ) -> list[Event]:
        read = partial(_read, provider, request, verified, keys)
        return await self._in_turn(read, request, provider, verified.receiver, deadline=deadline)

    async def _in_turn(
        self,
        read: Callable[[], list[Event]],
        request: WebhookRequest,
        provider: Provider,
        receiver: Receiver,
        *,
        deadline: float,
    ) -> list[Event]:
        if provider.laborious or reading.is_laborious(request.body):
            return await self._reading.read(read, owner=receiver.project or "", until=deadline)
        return read()

    async def _confirm(self, delivery: Delivery, deadline: float) -> None:
        """Have the cluster verify what something else vouched for on arrival; as long as it cannot, that stays so."""
        receiver = delivery.receiver
        if not delivery.voucher or receiver is None:
            return
        try:
            async with asyncio.timeout_at(deadline - self._reserve):
                confirmed = await self._directory.confirms(
                    segment(delivery.provider), source=receiver.source, name=receiver.name, voucher=delivery.voucher
                )
        except (ClusterError, TimeoutError):
            return
        if not confirmed:
            raise UnknownReceiver
        delivery.voucher = ""

    async def _find(self, provider: Provider, path: str, *, deadline: float) -> Verified:
        """Ask the cluster for the receiver; where it cannot be reached, what was known of it before."""
        known = self._known
        if known is None:
            async with asyncio.timeout_at(deadline):
                return await self._directory.find(provider, path)
        try:
            async with asyncio.timeout_at(deadline - limits.FALLBACK_RESERVE):
                verified = await self._directory.find(provider, path)
        except (ClusterError, TimeoutError):
            found = await self._find_known(known, provider, path, deadline=deadline)
            if found is None:
                raise
            return found
        known.learn(provider, path, verified)
        return verified

    async def _find_known(
        self, known: KnownReceivers, provider: Provider, path: str, *, deadline: float
    ) -> Verified | None:
        """What is known from before; None while the cluster is there, slow as it may be: it alone decides then."""
        try:
            async with asyncio.timeout_at(deadline):
                # At the same time, since there may be little left of the budget. Neither costs the other anything.
                is_away, found = await asyncio.gather(self._availability.is_away(), known.find(provider, path))
                return found if is_away else None
        except (StorageError, TimeoutError) as error:
            logger.warning("known receivers cannot be read: %s", _describe(error))
        return None

    async def _refresh(self, delivery: Delivery, *, until: float) -> None:
        """Match and refresh. What is not done by then goes on by itself, or was never known."""
        project = delivery.receiver.project if delivery.receiver else None
        try:
            with delivery.step("match"):
                async with asyncio.timeout_at(until):
                    match = await matching.match(self._mirror, delivery.triggers, project=project)
        except (ClusterError, TimeoutError) as error:
            delivery.error = _describe(error)
            return
        delivery.matched = True
        delivery.decisions, delivery.selected, delivery.others = match.decisions, match.selected, match.others
        with delivery.step("refresh"), self._availability.gone() as gone:
            delivery.refreshes = await matching.refresh(
                self._refresher,
                match.targets,
                since=delivery.received_at,
                until=until,
                # With a queue nobody need wait for a cluster that is away; without one it may be back in time.
                unless=gone if self._queue else None,
            )

    async def _defer(self, delivery: Delivery, *, deadline: float) -> Answer:
        """Queue what was not refreshed in time; without a queue, or when it is away too, say so."""
        unfinished = len(delivery.unfinished)
        if self._queue is None:
            if not delivery.matched:
                return answers.unavailable()
            return answers.failed(unfinished, delivery.wanted, delivery.kind)
        try:
            with delivery.step("queue"):
                async with asyncio.timeout_at(deadline + limits.QUEUE_GRACE):
                    await self._queue.put(delivery)
        except (StorageError, TimeoutError) as error:
            delivery.error = f"the retry queue {_describe(error)}"
            return answers.unavailable()
        delivery.queued = True
        return answers.queued(unfinished, delivery.wanted) if delivery.matched else answers.queued_unmatched()


def _refuse_large(request: WebhookRequest) -> None:
    if len(request.body) > limits.BODY:
        raise TooLarge(f"content exceeds limit of {limits.BODY} bytes")


def _read(provider: Provider, request: WebhookRequest, verified: Verified, keys: PublicKeys) -> list[Event]:
    proof = provider.authentication.authenticate(request, verified.receiver, verified.secrets, keys=keys)
    return provider.events(proof)


def _describe(error: Exception) -> str:
    return str(error) or "did not answer in time"


def _resulted(delivery: Delivery, answer: Answer, results: Sequence[Mapping[str, object]]) -> Answer:
    """The same answer, with what became of each action. One that is faulty makes a success a fault of the request."""
    faulty = any(isinstance(event, Faulty) for event in delivery.events)
    status = HTTPStatus.BAD_REQUEST if faulty and answer.status == HTTPStatus.OK else answer.status
    return answers.resulted(results, status=status, retry=status == HTTPStatus.SERVICE_UNAVAILABLE)


def _nothing_to_refresh(delivery: Delivery) -> Answer:
    """The answer to events none of which can refresh anything. A handshake or ping outranks what is ignored."""
    answer = answers.ignored(Ignored("the delivery holds no events"))
    for event in reversed(delivery.events):
        match event:
            case Handshake():
                return answers.handshake(event)
            case Ping():
                return answers.ping()
            case Ignored():
                answer = answers.ignored(event)
            case Faulty():
                return answers.refused(Malformed(event.reason))
            case Pushed() | PullRequestClosed() | Selected():
                continue
            case _:
                assert_never(event)
    return answer
