"""Composition root: settings in, a running service out."""

import asyncio
import logging
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from receivers import limits, providers, static_receivers, unresolved
from receivers import settings as settings_module
from receivers.cluster import credentials
from receivers.cluster.api import Api
from receivers.cluster.availability import Availability
from receivers.cluster.mirror import Mirror
from receivers.cluster.refresher import Refresher
from receivers.cluster.secrets import SecretReader
from receivers.cluster.tasks import Shared
from receivers.deliveries import readiness
from receivers.deliveries.pipeline import Observer, Pipeline
from receivers.deliveries.readiness import Readiness
from receivers.directory.directory import DATA_KEYS, Directory
from receivers.directory.former import Standing, Why
from receivers.directory.former_urls import FormerUrls
from receivers.directory.known_receivers import KnownReceivers
from receivers.directory.signing_keys import SigningKeys
from receivers.events import Provider, Receiver
from receivers.importing import imported
from receivers.journal.cosmos_journal import CosmosJournal
from receivers.journal.figures import RecentHours
from receivers.journal.journal import Journal
from receivers.journal.recorder import Recorder
from receivers.journal.redelivery import Redelivery
from receivers.journal.table_journal import TableJournal
from receivers.nearest import nearest
from receivers.providers import GIT_HOSTS, PROVIDERS
from receivers.retries.queue import RetryQueue
from receivers.retries.retries import Retries
from receivers.retries.watch import QueueWatch
from receivers.searches.queue import InProcess, SearchQueue
from receivers.searches.searches import Searches
from receivers.settings import Settings, SettingsError, StaticReceiver
from receivers.storage.account import Storage
from receivers.telemetry.refusal_counter import RefusalCounter
from receivers.telemetry.telemetry import Telemetry

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Runtime:
    """Everything a delivery needs, connected. Make one with :func:`start`, end it with :meth:`close`."""

    settings: Settings
    unresolved: Sequence[str]  # variables
    api: Api
    mirror: Mirror
    secrets: SecretReader
    directory: Directory
    availability: Availability
    refresher: Refresher
    signing_keys: SigningKeys
    pipeline: Pipeline
    refusals: RefusalCounter
    # None: no Storage account
    storage: Storage | None
    queue: RetryQueue | None
    watch: QueueWatch | None
    retries: Retries | None
    # None: the settings say so
    searches: Searches | None
    known: KnownReceivers | None
    former: FormerUrls
    warming: asyncio.Task[None] | None
    # None: no journal
    journal: Journal | None
    recorder: Recorder | None
    hours: RecentHours | None
    redelivery: Redelivery | None
    # None: nobody collects it
    telemetry: Telemetry | None

    def readiness(self) -> Readiness:
        """Whether deliveries can be matched and refreshed, and what is missing."""
        return readiness.of(
            self.mirror,
            away_for=self.availability.away_for,
            retry_queue=self.queue.fault() if self.queue else readiness.NOT_CONFIGURED,
            journal=self.journal.fault() if self.journal else readiness.NOT_CONFIGURED,
        )

    async def examined(self) -> Readiness:
        """:meth:`readiness`, and what has to be looked at: the cluster, and since when the retry queue was not read."""
        due, _ = await asyncio.gather(self.oldest_due(), self.availability.look())
        state = self.readiness()
        told = {
            "retryQueueOldestDueSeconds": None if due is None else round(due),
            "unresolvedSettings": list(self.unresolved),
        }
        return Readiness(ready=state.ready, document=state.document | told)

    async def oldest_due(self) -> float | None:
        """For how many seconds the oldest message of the retry queue has been due; None when that is not known."""
        return await self.watch.oldest_due() if self.watch else None

    async def clean(self) -> None:
        """Delete what is older than it is to be kept. Raises StorageError."""
        if self.journal is not None:
            logger.info("%d rows of the journal were too old and are deleted", await self.journal.clean())
        if self.known is not None:
            logger.info("%d receivers that nobody uses are forgotten", await self.known.clean())
        await self.former.clean()
        await self.refusals.clean()

    async def close(self) -> None:
        """Let refreshes under way end, write what waits to be written, then let go of everything."""
        await self.refresher.close()
        if self.retries is not None:
            await self.retries.close()
        if self.searches is not None:
            await self.searches.close()
        await self.directory.close()
        await self.signing_keys.close()
        await self.mirror.close()
        await self.secrets.close()
        await self.availability.close()
        await self.api.close()
        if self.warming is not None:
            self.warming.cancel()
            await asyncio.wait({self.warming})
        if self.watch is not None:
            await self.watch.close()
        if self.recorder is not None:
            await self.recorder.close()
        if self.known is not None:
            await self.known.close()
        await self.former.close()
        await self.refusals.close()
        if self.telemetry is not None:
            await self.telemetry.close()
        if self.storage is not None:
            await self.storage.close()


async def start(settings: Settings, environment: Mapping[str, str], *, observers: Iterable[Observer] = ()) -> Runtime:
    """Connect, and begin to follow the cluster. Returns before anything was listed.

    Raises SettingsError, and CredentialsError when no cluster is configured. An unreachable cluster is no error, it may
    come back.
    """
    static = await _static(settings)
    cluster = await _cluster(settings, environment, static)
    stores = _stores(settings, environment)
    refusals = RefusalCounter(stores.storage)
    telemetry = _telemetry(settings, cluster, stores)
    searches = _searches(settings, cluster, stores)
    _introduce(cluster, stores, searches, telemetry)
    tellable = (stores.watch, stores.recorder, searches, telemetry)
    told = [refusals.delivered, *(each.delivered for each in tellable if each)]
    signing_keys = SigningKeys()
    pipeline = Pipeline(
        directory=cluster.directory,
        mirror=cluster.mirror,
        refresher=cluster.refresher,
        availability=cluster.availability,
        signing_keys=signing_keys,
        queue=stores.queue,
        known=stores.known,
        former=stores.former,
        answer_budget=settings.answer_budget,
        observers=(*told, *observers),
    )
    missing = unresolved.variables(environment)
    for variable in missing:
        logger.error("%s: %s", variable, unresolved.FAULT)
    cluster.mirror.start()
    if stores.watch is not None:
        stores.watch.start()
    return Runtime(
        settings=settings,
        unresolved=missing,
        api=cluster.api,
        mirror=cluster.mirror,
        secrets=cluster.secrets,
        directory=cluster.directory,
        availability=cluster.availability,
        refresher=cluster.refresher,
        signing_keys=signing_keys,
        pipeline=pipeline,
        refusals=refusals,
        storage=stores.storage,
        queue=stores.queue,
        watch=stores.watch,
        retries=_retries(cluster, stores, searches),
        searches=searches,
        known=stores.known,
        former=stores.former,
        warming=asyncio.create_task(_warm_up(stores)) if stores.storage else None,
        journal=stores.journal,
        recorder=stores.recorder,
        hours=RecentHours(stores.journal) if stores.journal else None,
        redelivery=(
            Redelivery(pipeline, stores.journal, stores.recorder) if stores.journal and stores.recorder else None
        ),
        telemetry=telemetry,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Cluster:
    """What knows of the cluster."""

    api: Api
    availability: Availability
    mirror: Mirror
    secrets: SecretReader
    directory: Directory
    refresher: Refresher


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stores:
    """What keeps something; None where there is no place for it."""

    storage: Storage | None
    queue: RetryQueue | None
    watch: QueueWatch | None
    known: KnownReceivers | None
    former: FormerUrls
    journal: Journal | None
    recorder: Recorder | None


async def _cluster(settings: Settings, environment: Mapping[str, str], static: tuple[StaticReceiver, ...]) -> _Cluster:
    api = Api(await credentials.connect(settings, environment))
    availability = Availability(api)
    availability.suspect()  # a process that has just begun knows nothing of the cluster
    mirror = Mirror(
        api,
        availability,
        system_resources_namespace=settings.system_resources_namespace,
        # Others may tell of some too, as Azure's do: for them Promotions are followed from the first one on.
        tells_of_pull_requests=lambda receiver: receiver.provider in GIT_HOSTS,
        pull_requests=any(receiver.provider in GIT_HOSTS for receiver in static),
    )
    secrets = SecretReader(api, availability, keys=DATA_KEYS)
    return _Cluster(
        api=api,
        availability=availability,
        mirror=mirror,
        secrets=secrets,
        directory=Directory(mirror, secrets, static=static, read_secrets=settings.read_secrets),
        refresher=Refresher(api, availability),
    )


def _stores(settings: Settings, environment: Mapping[str, str]) -> _Stores:
    storage = Storage(settings) if settings_module.storage_configured(environment) else None
    queue = RetryQueue(storage) if storage else None
    journal = _journal(settings, storage)
    return _Stores(
        storage=storage,
        queue=queue,
        watch=QueueWatch(queue) if queue else None,
        known=KnownReceivers(storage) if storage else None,
        former=FormerUrls(storage),
        journal=journal,
        recorder=Recorder(journal) if journal else None,
    )


def _telemetry(settings: Settings, cluster: _Cluster, stores: _Stores) -> Telemetry | None:
    """Started, where somebody collects it."""
    if not settings.otlp_endpoint:
        return None
    telemetry = Telemetry(
        settings.otlp_endpoint, mirror=cluster.mirror, availability=cluster.availability, queue=stores.queue
    )
    telemetry.start()
    return telemetry


def _searches(settings: Settings, cluster: _Cluster, stores: _Stores) -> Searches | None:
    """Who looks whether Kargo finds what was pushed, unless nobody shall."""
    if not settings.verify_discovery:
        return None
    here = InProcess()
    searches = Searches(
        api=cluster.api,
        availability=cluster.availability,
        warehouses=cluster.mirror.warehouses,
        refresher=cluster.refresher,
        waiting=SearchQueue(stores.storage) if stores.storage else here,
        recorder=stores.recorder,
    )
    here.handle = searches.look
    return searches


def _introduce(cluster: _Cluster, stores: _Stores, searches: Searches | None, telemetry: Telemetry | None) -> None:
    """Have each told what it wants to know of the others."""
    _introduce_former(cluster.directory, stores.former, stores.known)
    if stores.recorder is not None:
        cluster.mirror.warehouses.on_handled = cluster.mirror.promotions.on_handled = stores.recorder.handled
    if searches is not None:
        cluster.mirror.warehouses.on_seen = searches.seen
        if stores.recorder is not None:
            stores.recorder.is_awaited = searches.is_awaited
    if telemetry is not None:
        cluster.refresher.on_settled = telemetry.refreshed
        if stores.recorder is not None:
            stores.recorder.on_handled = telemetry.handled
            stores.recorder.on_finding = telemetry.sought


def _introduce_former(directory: Directory, former: FormerUrls, known: KnownReceivers | None) -> None:
    """Have URLs noted that end, also those that ended while no process was there."""
    directory.on_lost = former.lost
    directory.on_vouchers = former.has_vouchers
    former.standing = directory.standing
    if known is None:
        return

    def has_vouchers(receiver: Receiver, vouchers: frozenset[str]) -> None:
        former.has_vouchers(receiver, vouchers)
        known.has_vouchers(receiver, vouchers)

    def gone(provider: str, voucher: str) -> Receiver | None:
        receiver = known.whose(provider, voucher)
        is_gone = receiver is not None and directory.standing(receiver.project, receiver.name) is Standing.GONE
        return receiver if is_gone else None

    directory.on_vouchers = has_vouchers
    known.on_refuted = lambda receiver, voucher: former.lost(receiver, frozenset({voucher}), Why.ROTATED)
    former.known_before = gone


def _retries(cluster: _Cluster, stores: _Stores, searches: Searches | None) -> Retries | None:
    """The later tries, where there is a queue to wait in."""
    if stores.queue is None:
        return None
    return Retries(
        directory=cluster.directory,
        mirror=cluster.mirror,
        refresher=cluster.refresher,
        availability=cluster.availability,
        queue=stores.queue,
        known=stores.known,
        recorder=stores.recorder,
        searches=searches,
    )


async def _static(settings: Settings) -> tuple[StaticReceiver, ...]:
    """The receivers in the settings. Raises SettingsError where no delivery to one could ever be understood."""
    receivers = {"RECEIVERS": settings.receivers, "RECEIVERS_FILE": settings.receivers_from_file}
    faults = [
        f"{variable}[{position}]{fault}"
        for variable, entries in receivers.items()
        for position, receiver in enumerate(entries)
        for fault in await _faults(receiver)
    ]
    if faults:
        raise SettingsError("\n".join(faults))
    return (*settings.receivers, *settings.receivers_from_file)


async def _faults(receiver: StaticReceiver) -> list[str]:
    if receiver.provider not in PROVIDERS:
        meant = nearest(receiver.provider, PROVIDERS)
        suggested = f"; {meant} may be meant" if meant else ""
        return [f".provider: must be one of {', '.join(sorted(PROVIDERS))}{suggested}"]
    required = (await provider(receiver.provider)).requires
    return [
        f".{name}: a receiver of {receiver.provider} needs it{static_receivers.instead(name, receiver.options)}"
        for name in required
        if not receiver.options.get(name)
    ]


def _journal(settings: Settings, storage: Storage | None) -> Journal | None:
    """Where deliveries are recorded; the Storage account's table, if there is one."""
    match settings.journal:
        case "cosmos":
            return CosmosJournal(settings)
        case "table" if storage is not None:
            return TableJournal(storage, days=settings.journal_days)
    return None


async def _warm_up(stores: _Stores) -> None:
    """Have the storage ready when it is first needed, without delaying the first answers."""
    await asyncio.sleep(limits.STORAGE_WARM_UP)
    if stores.storage is not None:
        await stores.storage.warm_up()
    await asyncio.gather(*(each.warm_up() for each in (stores.queue, stores.known, stores.former) if each))


async def provider(name: str) -> Provider:
    """The provider of this name. Its module is imported when it is asked for first, off the event loop."""
    module = providers.missing(name)
    if module is not None:
        await imported(module)
    return PROVIDERS[name]


_started: Shared[Runtime] | None = None


async def current() -> Runtime:
    """This process's runtime, started from the environment by whoever asks first. A failed start is tried again.

    Raises SettingsError and CredentialsError; the latter also when a start takes longer than the answer budget. It goes
    on then.
    """
    global _started  # noqa: PLW0603 - a Function App has no other place for what outlives a request
    if _started is not None and _started.succeeded:
        return await _started.result()
    settings = settings_module.from_environment(os.environ)
    if _started is None or _started.done:
        _started = Shared(start(settings, os.environ))
    try:
        async with asyncio.timeout(settings.answer_budget):
            return await _started.result()
    except TimeoutError:
        raise credentials.CredentialsError("no credential for the cluster yet: its source takes long") from None
