"""Receivers that cannot be reached, or not under the URL that Kargo shows."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace

from receivers import limits
from receivers.cluster.api import ClusterError
from receivers.directory.directory import PREVIOUS
from receivers.events import Provider, Receiver, SecretReference
from receivers.kargo import paths
from receivers.local.addresses import Address, addresses
from receivers.local.doctor import options
from receivers.local.doctor.findings import Finding, Severity
from receivers.local.doctor.placeholders import is_placeholder
from receivers.providers import PROVIDERS
from receivers.runtime import Runtime
from receivers.settings import Settings

GUESSABLE = "is a placeholder or a row that anybody would try: others may guess it, and compute its URL"
REPLACE = (
    "replace it (openssl rand -hex 32), and register the new URL at the sender; or remove it, if it is the previous one"
)
REGISTER = "register at the sender the URL that `kargo-receivers urls --reveal` prints"


async def check(service: Runtime) -> list[Finding]:
    """What is wrong with the receivers of cluster and settings, each and together."""
    found = await addresses(service.directory)
    each = list(_of_settings(service.settings))
    each += [finding for address in found for finding in await _check_one(service, address)]
    return each + list(_shared_urls(found))


def _of_settings(settings: Settings) -> Iterator[Finding]:
    """Secrets in the settings that anybody would try. Short ones are refused at the start."""
    variables = {"RECEIVERS": settings.receivers, "RECEIVERS_FILE": settings.receivers_from_file}
    for variable, entries in variables.items():
        for position, entry in enumerate(entries):
            for key, secret in (("secret", entry.secret), ("previousSecret", entry.previous_secret or "")):
                if is_placeholder(secret):
                    subject = f"setting {variable}[{position}].{key}"
                    yield Finding(severity=Severity.WARNING, subject=subject, problem=f"it {GUESSABLE}", remedy=REPLACE)


async def _check_one(service: Runtime, address: Address) -> list[Finding]:
    """Its secrets, and whether it is served under the URL that Kargo shows."""
    weak = await _weak_secrets(service, address)
    served = (
        await _check_serving(service, address) if not any(each.severity is Severity.ERROR for each in weak) else None
    )
    return [*weak, *([served] if served else []), *_faults(address), *options.check(address)]


def _faults(address: Address) -> Iterator[Finding]:
    """What its configuration has wrong, each by itself: a generic receiver may have many actions."""
    provider = PROVIDERS.get(address.receiver.provider)
    faults = provider and provider.of(address.receiver).faults
    for fault in faults(address.receiver) if faults else ():
        page = provider.registration.page if provider else ""
        remedy = f"correct the receiver; docs/senders/{page or address.sender}.md says what it takes"
        yield replace(_about(address, fault, remedy), subject=f"receiver {address.name}, {fault.partition(':')[0]}")


async def _weak_secrets(service: Runtime, address: Address) -> list[Finding]:
    """What is wrong with the secrets in the cluster, where they can be read. Those of the settings were checked."""
    receiver, provider = address.receiver, PROVIDERS.get(address.receiver.provider)
    if provider is None or receiver.secret is None or not receiver.secret.name or not service.settings.read_secrets:
        return []
    try:
        data = (await service.secrets.read(receiver.secret)).data
    except ClusterError:  # told by what needs them
        return []
    present = {key: data[key] for key in provider.secret_keys if key in data}
    previous = {key: data[key] for key in (key + PREVIOUS for key in provider.secret_keys) if key in data}
    lost = bool(present) and not any(present.values())
    found = [
        *(_weak_secret(address, receiver.secret, key, value, lost=lost) for key, value in present.items()),
        *(_weak_secret(address, receiver.secret, key, value, lost=False) for key, value in previous.items()),
    ]
    return [finding for finding in found if finding]


def _weak_secret(address: Address, secret: SecretReference, key: str, value: bytes, *, lost: bool) -> Finding | None:
    """``lost``: there is no other secret that counts."""
    place = f"the key {key} of its Secret {secret.namespace}/{secret.name}"
    if not value:
        problem = f"{place} is empty, which is not served: anybody could compute its URL"
        remedy = "put a long random text there (openssl rand -hex 32), or remove the key"
        return _about(address, problem, remedy, Severity.ERROR if lost else Severity.WARNING)
    if len(value.strip()) < limits.SECRET_SHORTEST:
        problem = (
            f"{place} has fewer than {limits.SECRET_SHORTEST} characters: others may guess it, and compute its URL"
        )
        return _about(address, problem, REPLACE, Severity.WARNING)
    if is_placeholder(value.decode(errors="replace")):
        return _about(address, f"{place} {GUESSABLE}", REPLACE, Severity.WARNING)
    return None


async def _check_serving(service: Runtime, address: Address) -> Finding | None:
    receiver = address.receiver
    provider = PROVIDERS.get(receiver.provider)
    if receiver.secret is None:
        return None if provider else _unknown_provider(address)
    if provider is None:
        return _about(address, address.problem, "leave its sender registered at Kargo's own server", Severity.WARNING)
    try:
        secrets = await service.directory.secrets_of(provider, receiver)
    except ClusterError as error:
        return _about(address, f"its Secret cannot be read: {error}", "try again when the cluster is well")
    if secrets is None:
        return _unread(address, receiver.secret, provider, may_read=service.settings.read_secrets)
    if not secrets:
        return await _without_secret(service, address, receiver.secret, provider)
    return _status(address, receiver, secrets)


def _unknown_provider(address: Address) -> Finding:
    problem = f"the settings give it the provider {address.receiver.provider}, which there is not"
    return _about(address, problem, f"name one of {', '.join(PROVIDERS)}")


def _unread(address: Address, secret: SecretReference, provider: Provider, *, may_read: bool) -> Finding | None:
    """Without its Secret a receiver is known by the URL that Kargo published, if that is all it takes."""
    demanding = provider.needs_secret(address.receiver)
    served = bool(address.token) and not demanding
    if not may_read and demanding:
        problem = "READ_SECRETS is false, and its deliveries are proven by its Secret: they get 404"
        return _about(address, problem, f"allow get on secrets in {secret.namespace}, and remove READ_SECRETS")
    if not may_read:
        problem = "READ_SECRETS is false, and Kargo has published no URL for it: deliveries get 404"
        return None if served else _about(address, problem, "see whether Kargo's management controller runs")
    problem = f"this identity may not read its Secret {secret.namespace}/{secret.name}: "
    problem += "the URL that Kargo shows counts, however old" if served else "deliveries get 404"
    remedy = f"allow get on secrets in {secret.namespace} by a Role, or set READ_SECRETS=false"
    return _about(address, problem, remedy, Severity.WARNING if served else Severity.ERROR)


async def _without_secret(service: Runtime, address: Address, secret: SecretReference, provider: Provider) -> Finding:
    place, keys = f"{secret.namespace}/{secret.name}", " or ".join(provider.secret_keys)
    if not secret.name:
        return _about(address, "it names no Secret", "set its secretRef.name")
    if (await service.secrets.read(secret)).missing:
        remedy = f"create it, with the key {keys}"
        return _about(address, f"its Secret {place} is missing: deliveries get 404", remedy)
    problem = f"its Secret {place} has no key {keys}: deliveries get 404"
    return _about(address, problem, f"add the key {keys}")


def _status(address: Address, receiver: Receiver, secrets: tuple[bytes, ...]) -> Finding | None:
    """Whether the URL that Kargo shows is the one that the Secret makes."""
    current, *previous = [
        paths.token(project=receiver.project, name=receiver.name, secrets=(each,)) for each in secrets
    ]
    published = receiver.status_path.rpartition("/")[2]
    if published == current:
        return None
    if not receiver.status_path:
        problem = "Kargo has published no URL for it; it is served all the same"
        return _about(address, problem, "see whether Kargo's management controller runs", Severity.WARNING)
    if published in previous:
        problem = "Kargo still shows the URL of the previous secret, which is served until its key is removed"
        return _about(address, problem, f"{REGISTER}, then remove the key", Severity.WARNING)
    problem = "its status is stale: the URL that Kargo shows is not the one its Secret makes, and gets 404"
    return _about(address, problem, f"{REGISTER}; see whether Kargo's management controller runs")


def _shared_urls(found: Sequence[Address]) -> Iterator[Finding]:
    """Project, name and secret are put together without separators: different ones can make one URL."""
    by_url: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    for address in found:
        if address.token:
            by_url[address.receiver.provider, address.token].append(f"{address.name} ({address.receiver.source})")
    for names in by_url.values():
        if len(names) > 1:
            yield Finding(
                subject=f"receivers {' and '.join(names)}",
                problem="they have the same URL, so it is not known which one a delivery is for",
                remedy="give one of them another secret, or remove it",
            )


def _about(address: Address, problem: str, remedy: str, severity: Severity = Severity.ERROR) -> Finding:
    return Finding(severity=severity, subject=f"receiver {address.name}", problem=problem, remedy=remedy)
