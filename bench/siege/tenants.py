"""The projects of a siege: honest ones, and hostile ones with all that the API server lets their members write."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle, islice

from bench.drill.senders import SENDERS, Image, Sender, pushes, usual
from bench.siege.plan import Plan
from receivers import providers
from receivers.kargo.configs import KEYS
from testbed.objects import KARGO, Hook, Object, project_config, secret, secret_of, warehouse

DEPTH = 9_993  # of JSON; kube-apiserver reads 10,000, with what stands around it in a list
SUBSCRIPTIONS = 5_000  # of one Warehouse
EXPRESSIONS = 1_000  # allowTagsRegexes of one subscription
RECEIVERS = 3_000  # of one ProjectConfig
SECRETS = 50  # that those receivers refer to, if they refer to any that is there
HUGE = 1_400_000  # bytes; etcd stores no more than 1.5 MiB
LONG_NAME = 1_100_000  # bytes; kube-apiserver answers 431 to a URL of 1 MiB
PROVIDERS = ("azure", "quay", "dockerhub")
NESTED = "<nested>"  # stands for such JSON, which Python could not write
REFUSED = ("", ".", "..", "../../namespaces", "a/b", "%2e%2e", "UPPER", "two words", "ümlaut", "a?watch=1", "x" * 300)

# The path that the documentation had which Kargo's receiver for Azure grew from.
OLD_ACR = Sender(
    name="ACR by its old path",
    provider="azure",
    route="acr",
    registry="three.azurecr.io/",
    of_cluster=False,
    push=pushes("acr"),
)
_KNOWN = (*SENDERS, OLD_ACR)
HONEST_SENDERS = (
    *_KNOWN,
    # Of the others, those that Kargo's own resources configure, and that tell of pushes by themselves.
    *(
        usual(name)
        for name, provider in providers.PROVIDERS.items()
        if name in KEYS and provider.home.kinds and name not in {each.route or each.provider for each in _KNOWN}
    ),
)


def honest(plan: Plan) -> list[Image]:
    """The images of the honest projects; each project has them of several senders."""
    return [
        Image(
            number=number,
            project=f"honest-{number % plan.projects}",
            sender=HONEST_SENDERS[(number + number // plan.projects) % len(HONEST_SENDERS)],
        )
        for number in range(plan.images)
    ]


@dataclass(frozen=True, slots=True)
class Tenant:
    """A hostile project. It has a receiver for each of PROVIDERS that works, and a Warehouse for what they tell."""

    kind: str
    number: int

    @property
    def project(self) -> str:
        return f"{self.kind}-{self.number}"

    @property
    def hooks(self) -> list[Hook]:
        """The receivers that work."""
        return [Hook(provider=provider, name=f"own-{provider}", project=self.project) for provider in PROVIDERS]

    @property
    def repository(self) -> str:
        """What its own senders push to."""
        return f"quay.io/{self.project}/app"

    def objects(self) -> Iterator[Object]:
        """What its members wrote."""
        yield from (secret_of(hook, namespace=self.project) for hook in self.hooks)
        yield warehouse("own", project=self.project, image=self.repository, constraint="^1.0.0")
        yield from KINDS[self.kind](self)


def hostile(plan: Plan) -> list[Tenant]:
    """All hostile tenants."""
    return [Tenant(kind, number) for kind in KINDS for number in range(plan.of_each_kind)]


def _deep(tenant: Tenant) -> Iterator[Object]:
    yield project_config(tenant.hooks, project=tenant.project)
    yield _warehouse(tenant, "deep", [{"unknown": NESTED}])
    yield _warehouse(tenant, "deep-list", [{"image": {"repoURL": tenant.repository, "platform": NESTED}}])


def _wide(tenant: Tenant) -> Iterator[Object]:
    yield from (secret(f"wide-{number}", namespace=tenant.project) for number in range(SECRETS))
    there = [Hook(provider=each, name=f"r-{number}", project=tenant.project) for number, each in _numbered()]
    entries = [_receiver(hook, f"wide-{number % SECRETS}") for number, hook in enumerate(there)]
    missing = [_receiver(hook, f"missing-{number}") for number, hook in enumerate(there)]
    for entry in missing:
        entry["name"] += "-missing"
    config = project_config(tenant.hooks, published=[*tenant.hooks, *there[: RECEIVERS // 4]], project=tenant.project)
    config["spec"]["webhookReceivers"] += entries + missing
    yield config
    yield _warehouse(tenant, "wide", [_image(f"{tenant.repository}-{number}") for number in range(SUBSCRIPTIONS)])
    yield _warehouse(tenant, "same", [_image(tenant.repository) for _ in range(SUBSCRIPTIONS)])
    expressions = [f"^v{number}[.](a|b|c)*[.][0-9]+$" for number in range(EXPRESSIONS)]
    yield _warehouse(tenant, "expressions", [_image(tenant.repository, allowTagsRegexes=expressions)])


def _refused(tenant: Tenant) -> Iterator[Object]:
    """Secrets by names that Kubernetes refuses, none of which was published."""
    config = project_config(tenant.hooks, project=tenant.project)
    names = [*REFUSED, "x" * LONG_NAME]
    config["spec"]["webhookReceivers"] += [
        _receiver(Hook(provider=provider, name=f"refused-{number}", project=tenant.project), name)
        for number, (name, provider) in enumerate(zip(names, cycle(PROVIDERS), strict=False))
    ]
    yield config
    yield _warehouse(tenant, "refused", [_image(name) for name in (*REFUSED, "\u2028", "\x00/\x1b[31m", "quay.io/ü")])


def _huge(tenant: Tenant) -> Iterator[Object]:
    config = project_config(tenant.hooks, project=tenant.project)
    config["status"]["webhookReceivers"][0]["url"] = "https://example.com/" + "x" * HUGE
    yield config
    yield _warehouse(tenant, "text", [{"unknown": "x" * HUGE}])
    yield _warehouse(tenant, "numbers", [{"unknown": [number % 10 for number in range(HUGE // 3)]}])
    yield _warehouse(tenant, "objects", [{"unknown": [{}] * (HUGE // 4)}])
    yield _warehouse(tenant, "expression", [_image(tenant.repository, allowTagsRegexes=["(a|b)" * (HUGE // 5)])])


def _edited(tenant: Tenant) -> Iterator[Object]:
    yield project_config(tenant.hooks, project=tenant.project)
    yield _warehouse(tenant, "edited", [_image(f"{tenant.repository}-{number}") for number in range(10)])


KINDS: dict[str, Callable[[Tenant], Iterator[Object]]] = {
    "deep": _deep,
    "wide": _wide,
    "refused": _refused,
    "huge": _huge,
    "edited": _edited,
}


def _numbered() -> Iterator[tuple[int, str]]:
    return islice(enumerate(cycle(PROVIDERS)), RECEIVERS // 2)


def _receiver(hook: Hook, secret_name: str) -> Object:
    return {"name": hook.name, hook.provider: {"secretRef": {"name": secret_name}}}


def _warehouse(tenant: Tenant, name: str, subscriptions: Sequence[object]) -> Object:
    return {
        "apiVersion": KARGO,
        "kind": "Warehouse",
        "metadata": {"name": name, "namespace": tenant.project},
        "spec": {"interval": "5m0s", "subscriptions": subscriptions},
    }


def _image(repository: str, **fields: object) -> Object:
    return {"image": {"repoURL": repository, "imageSelectionStrategy": "NewestBuild", **fields}}
