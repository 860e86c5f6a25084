"""One delivery, from request to answer: find the receiver, authenticate, parse, match, refresh, answer."""

import asyncio
import logging
from collections.abc import Callable, Iterable
from typing import assert_never

from receivers import limits
from receivers.cluster.api import ClusterError
from receivers.cluster.mirror import Mirror
from receivers.cluster.refresher import Refresher, Result
from receivers.deliveries import answers
from receivers.deliveries.answers import Answer
from receivers.deliveries.delivery import Delivery, new_id
from receivers.deliveries.directory import Directory
from receivers.events import (
    ArtifactPushed,
    Decision,
    Handshake,
    Ignored,
    Ping,
    Provider,
    Target,
    TooLarge,
    WebhookError,
    WebhookRequest,
)

logger = logging.getLogger(__name__)

EVENTS_PER_TURN = 50  # matched before other tasks of the event loop get their turn

type Observer = Callable[[Delivery], None]


class Pipeline:
    """Takes deliveries. Every one is answered within the budget, whatever the cluster does."""

    def __init__(
        self,
        *,
        directory: Directory,
        mirror: Mirror,
        refresher: Refresher,
        answer_budget: float = limits.ANSWER_BUDGET,
        observers: Iterable[Observer] = (),
    ) -> None:
        self._directory = directory
        self._mirror = mirror
        self._refresher = refresher
        self._budget = answer_budget
        self._observers = tuple(observers)

    async def deliver(self, request: WebhookRequest, provider: Provider) -> Answer:
        """Answer one request. Raises nothing: what goes wrong is an answer too."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        delivery = Delivery(id=new_id(request.received_at), received_at=request.received_at, provider=provider.name)
        answer = await self._answer(delivery, request, provider, deadline=began + self._budget)
        delivery.answer = Answer(
            status=answer.status, body=answer.body, headers={**answer.headers, "X-Delivery-Id": delivery.id}
        )
        delivery.duration = loop.time() - began
        self._tell(delivery)
        return delivery.answer

    def _tell(self, delivery: Delivery) -> None:
        for observer in self._observers:
            try:
                observer(delivery)
            except Exception:
                logger.exception("delivery %s was answered, but not recorded", delivery.id)

    async def _answer(
        self, delivery: Delivery, request: WebhookRequest, provider: Provider, *, deadline: float
    ) -> Answer:
        try:
            async with asyncio.timeout_at(deadline):
                await self._understand(delivery, request, provider)
                targets = await self._match(delivery)
        except WebhookError as error:
            delivery.error = error.message or type(error).__name__
            return answers.refused(error)
        except ClusterError as error:
            delivery.error = str(error)
            return answers.unavailable()
        except TimeoutError:
            delivery.error = "the cluster did not answer within the answer budget"
            return answers.unavailable()
        except Exception:
            logger.exception("delivery %s failed", delivery.id)
            delivery.error = "a defect of this service; its log has the details"
            return answers.defect()
        if not delivery.pushes:
            return _nothing_to_refresh(delivery)
        await self._refresh(delivery, targets, deadline=deadline)
        return _refreshed(delivery)

    async def _understand(self, delivery: Delivery, request: WebhookRequest, provider: Provider) -> None:
        """Find the receiver, authenticate the request, and parse it."""
        verified = await self._directory.find(provider, request.path)
        delivery.receiver = verified.receiver
        if len(request.body) > limits.BODY:
            raise TooLarge(f"content exceeds limit of {limits.BODY} bytes")
        proof = provider.authenticate(request, verified.receiver, verified.secrets)
        delivery.events = provider.parse(proof)

    async def _match(self, delivery: Delivery) -> list[Target]:
        """Decide which Warehouses to refresh."""
        pushes = delivery.pushes
        if not pushes or delivery.receiver is None:
            return []
        project = delivery.receiver.project
        await self._mirror.warehouses_ready(project)
        decisions: dict[Target, Decision] = {}
        for position, event in enumerate(pushes):
            if position % EVENTS_PER_TURN == EVENTS_PER_TURN - 1:
                await asyncio.sleep(0)
            for decision in self._mirror.index.match(event, project=project):
                known = decisions.get(decision.target)
                if known is None or (decision.refresh and not known.refresh):
                    decisions[decision.target] = decision
        delivery.decisions = [decisions[target] for target in sorted(decisions)]
        delivery.others = self._mirror.index.count(project) - len(decisions)
        return [decision.target for decision in delivery.decisions if decision.refresh]

    async def _refresh(self, delivery: Delivery, targets: list[Target], *, deadline: float) -> None:
        """Refresh, and wait for it until the answer is due. What is not done by then goes on by itself."""
        futures = {target: self._refresher.refresh(target) for target in targets}
        if futures:
            remaining = max(0.0, deadline - asyncio.get_running_loop().time())
            await asyncio.wait(set(futures.values()), timeout=remaining)
        delivery.outcomes = {target: future.result() if future.done() else None for target, future in futures.items()}


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
            case ArtifactPushed():
                continue
            case _:
                assert_never(event)
    return answer


def _refreshed(delivery: Delivery) -> Answer:
    gone = sum(outcome is not None and outcome.result == Result.GONE for outcome in delivery.outcomes.values())
    wanted = len(delivery.outcomes) - gone
    unfinished = len(delivery.unfinished)
    return answers.failed(unfinished, wanted) if unfinished else answers.refreshed(wanted)
