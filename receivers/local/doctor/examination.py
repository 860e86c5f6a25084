"""One look at everything, in order: settings, cluster, permissions, what was listed, receivers, subscriptions.

The service's own parts are asked wherever they know: what counts is what the service makes of a cluster.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from receivers import runtime, unresolved
from receivers import settings as settings_module
from receivers.cluster.api import KARGO, Api, ClusterError, NotFoundError, RefusedError
from receivers.cluster.credentials import CredentialsError
from receivers.cluster.mirror import Mirror
from receivers.deliveries.readiness import NOT_CONFIGURED
from receivers.kargo.index import Fault
from receivers.local import cluster
from receivers.local.doctor import (
    base_path,
    configuration,
    coverage,
    discoveries,
    permissions,
    receivers,
    running,
    storage,
)
from receivers.local.doctor.findings import Check, Finding, Severity
from receivers.local.doctor.running import Running
from receivers.runtime import Runtime
from receivers.settings import Settings, SettingsError

CORRECT = "correct it, or leave it out"
COVERED = "a receiver can tell of each subscription"
KINDS = {
    "projectconfigs": "ProjectConfig",
    "clusterconfigs": "ClusterConfig",
    "warehouses": "Warehouse",
    "promotions": "Promotion",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Examination:
    """What was found, and what was looked at. Not ``complete``: the cluster could not be looked at."""

    checks: Sequence[Check]
    complete: bool
    looked_at: str = ""
    pages: str = ""  # who may see them

    @property
    def findings(self) -> list[Finding]:
        """Of all checks."""
        return [finding for check in self.checks for finding in check.findings]


async def examine(variables: Mapping[str, str]) -> Examination:
    """Look at everything. Raises nothing that settings or cluster are to blame for."""
    try:
        service = await runtime.start(settings_module.from_environment(variables), variables)
    except SettingsError as error:
        return Examination(checks=[_settings(list(of_unusable_settings(error)))], complete=False)
    except CredentialsError as error:
        unusable = Finding(subject="settings", problem=str(error), remedy="say how to reach the cluster")
        return Examination(checks=[_settings([unusable])], complete=False)
    try:
        examination = await _examine_cluster(service)
        found = [*of_unresolved_settings(service), *configuration.check(service.settings)]
        return replace(examination, checks=[_settings(found), *examination.checks])
    finally:
        await service.close()


async def _examine_cluster(service: Runtime) -> Examination:
    answers = f"{service.api.server} answers, and has Kargo"
    try:
        unusable = await of_api_server(service.api, service.settings)
        if unusable:
            return Examination(checks=[Check(name="cluster", sound=answers, findings=[unusable])], complete=False)
        permitted = await of_permissions(service)
    except ClusterError as error:
        failed = Finding(subject=f"cluster {service.api.server}", problem=str(error), remedy="try again")
        return Examination(checks=[Check(name="cluster", sound=answers, findings=[failed])], complete=False)
    await cluster.read(service.mirror)
    there = await running.look(service.settings)
    checks = [
        Check(name="cluster", sound=answers),
        Check(name="permissions", sound="this identity may do all that is needed", findings=permitted),
        Check(name="objects", sound="all can be read", findings=list(of_mirror(service.mirror))),
        Check(name="base path", sound=_base_path(service), findings=list(base_path.check(service))),
        there.check,
        Check(name="storage", sound=_storage(service, there), findings=await storage.check(service)),
        Check(name="receivers", sound=_receivers(service), findings=await receivers.check(service)),
        await running.senders(service.settings, there),
        Check(name="subscriptions", sound="each can be read", findings=list(of_subscriptions(service.mirror))),
        Check(name="coverage", sound=COVERED, findings=await coverage.check(service)),
        Check(name="pushes", sound=_pushes(service, there), findings=await discoveries.check(service)),
    ]
    pages = configuration.pages(service.settings)
    return Examination(checks=checks, complete=True, looked_at=_looked_at(service), pages=pages)


def _settings(found: list[Finding]) -> Check:
    return Check(name="settings", sound="each can be used", findings=found)


def _base_path(service: Runtime) -> str:
    return f"{service.settings.base_path or '/'}, as in the URLs that Kargo shows"


def _storage(service: Runtime, there: Running) -> str:
    if service.queue is None and there.keeps:
        return f"none in these settings; the service under the base URL has {there.keeps}"
    if service.queue is None:
        return "none in these settings: a service with others may have a retry queue and a journal"
    return "it can be used, and the retry queue is read"


def _receivers(service: Runtime) -> str:
    return f"each of {len(service.directory.receivers())} can be reached"


def _pushes(service: Runtime, there: Running) -> str:
    if service.journal:
        return "Kargo found those of the last day"
    if there.document.get("journal", NOT_CONFIGURED) != NOT_CONFIGURED:
        return "not looked at: these settings have no journal; `kargo-receivers status` asks the service that has one"
    return "not looked at: these settings have no journal"


def _looked_at(service: Runtime) -> str:
    configured, warehouses = len(service.directory.receivers()), len(service.mirror.index)
    return f"cluster {service.api.server}: {configured} receiver(s), {warehouses} Warehouse(s)"


def of_unusable_settings(error: SettingsError) -> Iterator[Finding]:
    """Each fault of the settings."""
    for line in str(error).splitlines():
        variable, _, problem = line.partition(": ")
        yield Finding(subject=f"setting {variable}", problem=problem, remedy=CORRECT)


def of_unresolved_settings(service: Runtime) -> Iterator[Finding]:
    """References that Azure did not resolve, where the service goes on without the setting."""
    for variable in service.unresolved:
        yield Finding(subject=f"setting {variable}", problem=unresolved.FAULT, remedy=CORRECT)


async def of_api_server(api: Api, settings: Settings) -> Finding | None:
    """Why nothing else can be looked at, if so: no answer, no Kargo, or not for this identity."""
    try:
        await api.get("/version", timeout=permissions.CALL_TIMEOUT)
        await api.get(KARGO, timeout=permissions.CALL_TIMEOUT)
    except RefusedError as error:
        if isinstance(error, NotFoundError):
            problem = "Kargo's resources (kargo.akuity.io/v1alpha1) are not installed"
            remedy = "install Kargo, or point the settings at the cluster that has it"
        else:
            problem = f"it refuses this identity: {error}"
            remedy = "check the credential: the kubeconfig's user, CLUSTER_TOKEN, or the managed identity"
    except ClusterError as error:
        problem = f"it cannot be reached: {error}"
        remedy = f"check {cluster.blamed(settings, str(error))}, and whether this machine may reach it"
    else:
        return None
    return Finding(subject=f"cluster {api.server}", problem=problem, remedy=remedy)


async def of_permissions(service: Runtime) -> list[Finding]:
    """The rights that are missing. Where the settings have receivers, those of ProjectConfigs can be done without."""
    has_static = bool(service.settings.receivers or service.settings.receivers_from_file)
    promotions = any(health.resource == "promotions" for health in service.mirror.health())
    needed = [*permissions.NEEDED, *(permissions.NEEDED_FOR_PULL_REQUESTS if promotions else ())]
    found = [await permissions.missing(service.api, each) for each in needed]
    return [
        replace(finding, severity=Severity.WARNING) if has_static and "projectconfigs" in finding.subject else finding
        for finding in found
        if finding
    ]


def of_mirror(mirror: Mirror) -> Iterator[Finding]:
    """Resources that are allowed, and could not be read all the same, and objects of them that cannot be read."""
    counted = {health.resource: health.unreadable for health in mirror.health()}
    for health in mirror.health():
        if not health.synced and not health.denied:
            remedy = "try again; if it stays so, look at the API server's log"
            problem = f"they cannot be listed: {health.fault or 'that takes too long'}"
            yield Finding(subject=health.resource, problem=problem, remedy=remedy)
    for resource, found in mirror.unreadable().items():
        for unreadable in found:
            yield Finding(
                severity=Severity.WARNING,
                subject=f"{KINDS[resource]} {unreadable}",
                problem=f"it cannot be read: {unreadable.reason}",
                remedy="correct it; what is known of it from before, if anything, counts until it is gone",
            )
        others = counted[resource] - len(found)
        if others > 0:
            yield Finding(
                severity=Severity.WARNING,
                subject=resource,
                problem=f"{others} of them cannot be read, and are not named here",
                remedy=f"look at `kubectl get {resource} -A -o yaml`",
            )


def of_subscriptions(mirror: Mirror) -> Iterator[Finding]:
    """Subscriptions that cannot be read, that are more than is checked, or that are odd."""
    for fault in mirror.index.faults():
        problem = f"{fault.reason}: no push refreshes the Warehouse for it"
        yield Finding(subject=_place(fault), problem=problem, remedy="correct the subscription")
    for fault in mirror.index.unchecked():
        remedy = "use fewer, shorter or simpler expressions, constraints and paths"
        yield Finding(severity=Severity.WARNING, subject=_place(fault), problem=fault.reason, remedy=remedy)
    for fault in mirror.index.remarks():
        remedy = "use the present fields: see docs/how-it-works.md, Which Kargo"
        yield Finding(severity=Severity.WARNING, subject=_place(fault), problem=fault.reason, remedy=remedy)


def _place(fault: Fault) -> str:
    return f"Warehouse {fault.target}, spec.subscriptions[{fault.position}]"
