"""What the doctor finds: in a sound cluster nothing, and of what is wrong each fault by name."""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import pytest

from receivers.base_path import ROUTE_PREFIX
from receivers.cluster.objects import UNDECODABLE
from receivers.local.doctor import Examination, Severity, examine
from receivers.local.embedded import BROKEN, DEMO, Denial, EmbeddedCluster, documents
from testbed.fault_proxy import FaultProxy
from testbed.objects import SECRET, Hook, cluster_config, project_config, secret, secret_of, warehouse
from testbed.servers import ApiServer
from tests.cluster.odd_objects import create, deep_warehouse

GROUP = "kargo.akuity.io"
NEW = "the-new-receiver-secret"
AZURITE_ELSEWHERE = (
    "AccountName=devstoreaccount1;AccountKey=bm9uZQ==;"
    "QueueEndpoint=http://azurite.invalid:10001/devstoreaccount1;"
    "TableEndpoint=http://azurite.invalid:10002/devstoreaccount1"
)
SHORT = "fifteen-letters"


@asynccontextmanager
async def embedded(*names: str, denied: tuple[Denial, ...] = ()) -> AsyncIterator[dict[str, str]]:
    """Settings for an embedded cluster with a sample."""
    files = {"demo": DEMO, "broken": BROKEN}
    objects = documents(*(files[name] for name in names))
    # Kargo's stand-in would mend what is broken.
    base_url = "http://127.0.0.1:7071" if names == ("demo",) else None
    async with EmbeddedCluster(objects, base_url=base_url, denied=denied) as cluster:
        yield {"CLUSTER_SERVER": cluster.url, "CLUSTER_TOKEN": "none"}


def found(examination: Examination) -> dict[str, str]:
    """What is wrong, by subject, but what is only polled. Several findings about one would be a fault of the doctor."""
    by_subject = {finding.subject: finding.problem for finding in examination.findings}
    assert len(by_subject) == len(examination.findings)
    assert all(finding.remedy for finding in examination.findings)
    return {subject: problem for subject, problem in by_subject.items() if subject != "coverage"}


def severities(examination: Examination) -> dict[str, Severity]:
    return {finding.subject: finding.severity for finding in examination.findings}


async def test_the_sample_is_sound() -> None:
    async with embedded("demo") as settings:
        examination = await examine(settings)
    assert examination.complete
    assert found(examination) == {}
    assert examination.looked_at.endswith("4 receiver(s), 6 Warehouse(s)")
    assert examination.pages.startswith("the pages are closed, but for `kargo-receivers serve` on loopback")


async def test_what_a_git_host_s_receiver_needs_for_promotions_is_asked_for() -> None:
    denied = (Denial("patch", GROUP, "promotions"), Denial("promote", GROUP, "stages"))
    async with embedded("demo", denied=denied) as settings:
        examination = await examine(settings)
    assert severities(examination) == {
        f"permission on promotions.{GROUP}": Severity.WARNING,
        f"permission on stages.{GROUP}": Severity.WARNING,
    }
    assert "may not patch them" in found(examination)[f"permission on promotions.{GROUP}"]
    assert "may not promote them, so Kargo refuses" in found(examination)[f"permission on stages.{GROUP}"]


async def test_each_fault_of_the_broken_sample_is_named() -> None:
    async with embedded("broken", denied=(Denial("patch", GROUP, "warehouses"),)) as settings:
        examination = await examine(settings)
    problems = found(examination)
    odd = "Warehouse kargo-broken/older-and-unknown-fields, spec.subscriptions[0]"
    expected = {
        "permission on warehouses.kargo.akuity.io": "may not patch them",
        "receiver kargo-broken/missing-secret": "never-created is missing",
        "receiver kargo-broken/secret-without-the-key": "without-the-key has no key secret",
        "receiver kargo-broken/stale-status": "its status is stale",
        "Warehouse kargo-broken/bad-regex, spec.subscriptions[0]": "allowTagsRegexes",
        "Warehouse kargo-broken/bad-constraint, spec.subscriptions[0]": "constraint",
        "Warehouse kargo-broken/unknown-strategy, spec.subscriptions[0]": "imageSelectionStrategy",
        odd: "newer ones want allowTagsRegexes; unknown here, and decides nothing: ignoreTagRegexes",
        "Warehouse kargo-broken/broken-beside-sound, spec.subscriptions[0]": "repoURL",
    }
    assert problems.keys() == expected.keys()
    for subject, words in expected.items():
        assert words in problems[subject]
    assert {subject for subject, each in severities(examination).items() if each is not Severity.ERROR} == {odd}


async def test_a_subscription_that_is_more_than_is_checked_is_a_warning() -> None:
    demanding = warehouse("app")
    demanding["spec"]["subscriptions"][0]["image"]["allowTagsRegexes"] = ["x" * 2000]
    async with EmbeddedCluster([demanding]) as cluster:
        examination = await examine({"CLUSTER_SERVER": cluster.url, "CLUSTER_TOKEN": "none"})
    subject = "Warehouse kargo-demo/app, spec.subscriptions[0]"
    reason = "an expression is longer than 1000 characters: more than is checked, so every push refreshes"
    assert found(examination) == {subject: reason}
    assert severities(examination)[subject] is Severity.WARNING


async def test_a_subscription_that_wants_more_than_is_checked_is_a_warning() -> None:
    greedy = warehouse("greedy")
    expressions = [f"^v{number}-(alpha|beta)$" for number in range(1_000)]
    greedy["spec"]["subscriptions"][0]["image"]["allowTagsRegexes"] = expressions
    async with EmbeddedCluster([greedy]) as cluster:
        examination = await examine({"CLUSTER_SERVER": cluster.url, "CLUSTER_TOKEN": "none"})
    subject = "Warehouse kargo-demo/greedy, spec.subscriptions[0]"
    assert "every push refreshes" in found(examination)[subject]
    assert severities(examination)[subject] == Severity.WARNING


async def test_git_subscriptions_are_looked_at() -> None:
    wants = warehouse("app")
    url = "https://git.example.com/app"
    wants["spec"]["subscriptions"] = [
        {"git": {"repoURL": url, "includePaths": ["glob:["]}},
        {"git": {"repoURL": url, "excludePaths": ["glob:*[!a]*"]}},
        {"git": {"repoURL": url, "includePath": ["app"]}},
        {"git": {"repoURL": url, "branch": "main", "includePaths": ["app"]}},
    ]
    async with EmbeddedCluster([wants]) as cluster:
        examination = await examine({"CLUSTER_SERVER": cluster.url, "CLUSTER_TOKEN": "none"})
    odd, unchecked = (
        "a glob has braces, classes or stars of which doublestar's answer is hard to foretell",
        "every push",
    )
    assert found(examination) == {
        "Warehouse kargo-demo/app, spec.subscriptions[0]": (
            "includePaths glob:[: not a glob: no push refreshes the Warehouse for it"
        ),
        "Warehouse kargo-demo/app, spec.subscriptions[1]": f"{odd}: more than is checked, so {unchecked} refreshes",
        "Warehouse kargo-demo/app, spec.subscriptions[2]": "unknown here, and decides nothing: includePath",
    }


async def test_the_least_privileges_are_enough(api_server: ApiServer) -> None:
    hook = Hook()
    await api_server.apply(secret_of(hook), project_config([hook]), warehouse("app"))
    await api_server.allow_secrets("kargo-demo")
    examination = await examine({"KUBECONFIG": str(api_server.kubeconfig("kargo-receivers"))})
    assert examination.complete
    assert found(examination) == {}


async def test_every_missing_permission_is_named(real_api_server: ApiServer) -> None:
    examination = await examine({"KUBECONFIG": str(real_api_server.kubeconfig("nobody"))})
    problems = found(examination)
    assert "may not list, watch them" in problems["permission on projectconfigs.kargo.akuity.io"]
    assert "may not list, watch them" in problems["permission on clusterconfigs.kargo.akuity.io"]
    assert "may not list, watch, patch them" in problems["permission on warehouses.kargo.akuity.io"]
    assert len(problems) == 3


async def test_a_secret_that_may_not_be_read_is_named_with_its_receiver(real_api_server: ApiServer) -> None:
    published, unpublished = Hook(name="published"), Hook(name="unpublished")
    await real_api_server.apply(project_config([published, unpublished], published=[published]))
    examination = await examine({"KUBECONFIG": str(real_api_server.kubeconfig("kargo-receivers"))})
    problems = found(examination)
    assert "may not read its Secret kargo-demo/published-secret" in problems["receiver kargo-demo/published"]
    assert "deliveries get 404" in problems["receiver kargo-demo/unpublished"]
    assert severities(examination) == {
        "receiver kargo-demo/published": Severity.WARNING,
        "receiver kargo-demo/unpublished": Severity.ERROR,
    }


async def test_the_published_url_is_not_enough_for_a_receiver_that_demands_a_proof() -> None:
    plain, demanding = Hook(name="plain"), Hook(name="demanding")
    config = project_config([plain, demanding])
    config["spec"]["webhookReceivers"][1]["azure"]["authentication"] = "basic"
    async with EmbeddedCluster([config, secret_of(plain), secret_of(demanding)]) as cluster:
        settings = {"CLUSTER_SERVER": cluster.url, "CLUSTER_TOKEN": "none", "READ_SECRETS": "false"}
        examination = await examine(settings)
    problems = found(examination)
    assert "its deliveries are proven by its Secret" in problems["receiver kargo-demo/demanding"]
    assert severities(examination) == {"receiver kargo-demo/demanding": Severity.ERROR}


async def test_without_rights_on_secrets_the_published_url_is_enough(api_server: ApiServer) -> None:
    published, unpublished = Hook(name="published"), Hook(name="unpublished")
    await api_server.apply(project_config([published, unpublished], published=[published]))
    kubeconfig = str(api_server.kubeconfig("kargo-receivers"))
    problems = found(await examine({"KUBECONFIG": kubeconfig, "READ_SECRETS": "false"}))
    assert problems.keys() == {"receiver kargo-demo/unpublished"}


async def test_receivers_of_the_settings_need_no_projectconfigs() -> None:
    receivers = json.dumps([{"provider": "quay", "name": "q", "secret": "a-secret-of-16-chars"}])
    async with embedded(denied=(Denial("list", GROUP, "projectconfigs"),)) as settings:
        examination = await examine(settings | {"RECEIVERS": receivers})
    assert severities(examination) == {"permission on projectconfigs.kargo.akuity.io": Severity.WARNING}


@pytest.mark.parametrize(
    ("data", "published", "severity", "words"),
    [
        ({"secret": SECRET}, "", Severity.WARNING, "Kargo has published no URL"),
        ({"secret": NEW, "secret-previous": SECRET}, SECRET, Severity.WARNING, "of the previous secret"),
        ({"secret": NEW}, SECRET, Severity.ERROR, "stale"),
    ],
)
async def test_a_status_that_lags_behind(
    api_server: ApiServer, data: Mapping[str, str], published: str, severity: Severity, words: str
) -> None:
    hook = Hook(secret=published)
    await api_server.apply(
        secret(hook.secret_name, data), project_config([hook], published=[hook] if published else [])
    )
    examination = await examine({"KUBECONFIG": str(api_server.kubeconfig("admin"))})
    assert severities(examination) == {"receiver kargo-demo/builds": severity}
    assert words in found(examination)["receiver kargo-demo/builds"]


@pytest.mark.parametrize(
    ("data", "severity", "words"),
    [
        (
            {"secret": ""},
            Severity.ERROR,
            "the key secret of its Secret kargo-demo/builds-secret is empty, which is not",
        ),
        ({"secret": SECRET, "secret-previous": ""}, Severity.WARNING, "the key secret-previous of its Secret"),
        ({"secret": SHORT}, Severity.WARNING, "has fewer than 16 characters"),
        ({"secret": f" {SHORT}\n"}, Severity.WARNING, "has fewer than 16 characters"),
        ({"secret": SECRET, "secret-previous": SHORT}, Severity.WARNING, "the key secret-previous of its Secret"),
    ],
)
async def test_a_secret_that_others_could_find(
    api_server: ApiServer, data: Mapping[str, str], severity: Severity, words: str
) -> None:
    hook = Hook(secret=data["secret"])
    await api_server.apply(secret(hook.secret_name, data), project_config([hook]))
    examination = await examine({"KUBECONFIG": str(api_server.kubeconfig("admin"))})
    assert severities(examination) == {"receiver kargo-demo/builds": severity}
    assert words in found(examination)["receiver kargo-demo/builds"]
    assert SHORT not in repr(examination)


@pytest.mark.parametrize(
    ("variable", "value", "words"),
    [
        ("PAGES_KEY", "fifteen-letters", "fewer than 16 characters"),
        ("EXTERNAL_WEBHOOK_SERVER_BASE_URL", "http://hooks.example.com", "in clear"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector.example.com:4318", "in clear"),
        ("AzureWebJobsStorage", AZURITE_ELSEWHERE, "in clear"),
    ],
)
async def test_a_setting_that_others_could_guess_or_read(variable: str, value: str, words: str) -> None:
    async with embedded("demo") as settings:
        examination = await examine(settings | {variable: value})
    about_settings = {subject: each for subject, each in severities(examination).items() if subject != "retry queue"}
    assert about_settings == {f"setting {variable}": Severity.WARNING}
    assert words in found(examination)[f"setting {variable}"]


async def test_with_a_key_the_pages_are_for_who_has_it() -> None:
    async with embedded("demo") as settings:
        examination = await examine(settings | {"PAGES_KEY": "0123456789abcdef"})
    assert examination.pages == "the pages are shown to who has PAGES_KEY"


async def test_two_receivers_with_one_url(api_server: ApiServer) -> None:
    """Project and name are put together without a separator."""
    one, other = Hook(project="kargo", name="demobuilds"), Hook(project="kargodemo", name="builds")
    for hook in (one, other):
        assert hook.project
        await api_server.apply(secret_of(hook, namespace=hook.project), project_config([hook], project=hook.project))
    problems = found(await examine({"KUBECONFIG": str(api_server.kubeconfig("admin"))}))
    assert list(problems.values()) == ["they have the same URL, so it is not known which one a delivery is for"]
    subject = next(iter(problems))
    assert "kargo/demobuilds" in subject
    assert "kargodemo/builds" in subject


async def test_an_expression_that_is_none_is_found(api_server: ApiServer) -> None:
    hook = Hook(provider="generic")
    config = project_config([hook])
    criteria = [{"kind": "Warehouse", "name": "app"}]
    actions = [
        {"action": "Refresh", "whenExpression": each, "targetSelectionCriteria": criteria} for each in ("1", "((")
    ]
    config["spec"]["webhookReceivers"][0]["generic"]["actions"] = actions
    await api_server.apply(secret_of(hook), config)
    examination = await examine({"KUBECONFIG": str(api_server.kubeconfig("admin"))})
    subject = "receiver kargo-demo/builds, actions[1].whenExpression"
    assert severities(examination) == {subject: Severity.ERROR}
    assert "docs/senders/generic.md" in next(each.remedy for each in examination.findings)


async def test_a_sender_in_generic_s_place_that_is_none_or_lacks_something_is_found(api_server: ApiServer) -> None:
    parameters = {
        "a": {"kargo-receivers/sender": "azure"},
        "b": {"kargo-receivers/sender": "zot"},
        "c": {"kargo-receivers/sender": "zot", "registry": "zot.example.com"},
    }
    hooks = [Hook(provider="generic", name=name) for name in parameters]
    config = project_config(hooks)
    criteria = [{"kind": "Warehouse", "name": "app"}]
    for entry in config["spec"]["webhookReceivers"]:
        action = {"action": "Refresh", "parameters": parameters[entry["name"]], "targetSelectionCriteria": criteria}
        entry["generic"]["actions"] = [action]
    await api_server.apply(*map(secret_of, hooks), config)
    examination = await examine({"KUBECONFIG": str(api_server.kubeconfig("admin"))})
    told = [(each.subject.partition(",")[0], each.problem, each.remedy) for each in examination.findings]
    first, second = sorted(told)
    assert first[0] == "receiver kargo-demo/a"
    assert first[1].startswith("sender must be one of alibaba, ")
    assert "docs/senders/generic.md" in first[2]
    assert second[:2] == ("receiver kargo-demo/b", "a receiver of zot needs registry")
    assert "docs/senders/zot.md" in second[2]


async def test_receivers_of_the_clusterconfig_are_looked_at(api_server: ApiServer) -> None:
    await api_server.apply(cluster_config([Hook(project=None)], published=[]))
    problems = found(await examine({"KUBECONFIG": str(api_server.kubeconfig("admin"))}))
    assert "kargo-system-resources/builds-secret is missing" in problems["receiver (cluster)/builds"]


async def test_a_receiver_that_names_no_secret() -> None:
    config = project_config([Hook()], published=[])
    config["spec"]["webhookReceivers"][0]["azure"]["secretRef"]["name"] = ""
    async with EmbeddedCluster([config]) as cluster:
        problems = found(await examine({"CLUSTER_SERVER": cluster.url, "CLUSTER_TOKEN": "none"}))
    assert problems == {"receiver kargo-demo/builds": "it names no Secret"}


@pytest.mark.parametrize(
    ("path", "complete", "fault"),
    [
        ("/secrets/", True, "receiver kargo-demo/builds: its Secret cannot be read: 500 "),
        ("/warehouses", True, "warehouses: they cannot be listed: 500 "),
        ("/selfsubjectaccessreviews", False, "cluster http://"),
    ],
)
async def test_a_part_of_the_cluster_that_fails(
    api_server: ApiServer, fault_proxy: FaultProxy, path: str, complete: bool, fault: str
) -> None:
    await api_server.apply(secret_of(Hook()), project_config([Hook()]))
    fault_proxy.answer(500, times=None, path=path)
    examination = await examine({"CLUSTER_SERVER": fault_proxy.url, "CLUSTER_TOKEN": api_server.token("admin")})
    ((subject, problem),) = found(examination).items()
    assert f"{subject}: {problem}".startswith(fault)
    assert examination.complete == complete


async def test_a_cluster_without_kargo(api_server: ApiServer, fault_proxy: FaultProxy) -> None:
    fault_proxy.answer(404, times=None, path="kargo.akuity.io")
    examination = await examine({"CLUSTER_SERVER": fault_proxy.url, "CLUSTER_TOKEN": api_server.token("admin")})
    assert not examination.complete
    assert ["not installed" in problem for problem in found(examination).values()] == [True]


async def test_an_identity_that_is_refused(real_api_server: ApiServer) -> None:
    ca = real_api_server.ca_file
    assert ca
    settings = {"CLUSTER_SERVER": real_api_server.url, "CLUSTER_CA": ca.read_text(), "CLUSTER_TOKEN": "nobody-knows-it"}
    examination = await examine(settings)
    assert not examination.complete
    assert ["refuses this identity" in problem for problem in found(examination).values()] == [True]


async def test_a_cluster_that_cannot_be_reached() -> None:
    examination = await examine({"CLUSTER_SERVER": "http://127.0.0.1:9", "CLUSTER_TOKEN": "none"})
    assert not examination.complete
    assert found(examination).keys() == {"cluster http://127.0.0.1:9"}


@pytest.mark.parametrize(
    ("settings", "subjects"),
    [
        ({}, ["settings"]),
        (
            {"READ_SECRETS": "perhaps", "ANSWER_BUDGET_SECONDS": "soon"},
            ["setting READ_SECRETS", "setting ANSWER_BUDGET_SECONDS"],
        ),
    ],
)
async def test_settings_that_cannot_be_used(settings: dict[str, str], subjects: list[str]) -> None:
    examination = await examine(settings)
    assert not examination.complete
    assert list(found(examination)) == subjects


async def test_no_secret_and_no_token_is_shown() -> None:
    async with embedded("broken", "demo") as settings:
        examination = await examine(settings)
    shown = repr(examination)
    assert "sample-" not in shown
    assert "0" * 64 not in shown


async def test_objects_that_cannot_be_read_are_named(real_api_server: ApiServer) -> None:
    await real_api_server.apply(warehouse("app"))
    await create(real_api_server, deep_warehouse("deep"))
    examination = await examine({"KUBECONFIG": str(real_api_server.kubeconfig("kargo-receivers"))})
    assert found(examination) == {"Warehouse kargo-demo/deep": f"it cannot be read: {UNDECODABLE}"}
    assert set(severities(examination).values()) == {Severity.WARNING}


KARGO_SHOWS = "Kargo's base URL (externalWebhooksServer.host and basePath)"
BASE_URL = "setting EXTERNAL_WEBHOOK_SERVER_BASE_URL"


@pytest.mark.parametrize(
    ("served", "base_url", "wrong"),
    [
        (
            "webhooks",
            "https://hooks.example.com/webhooks",
            {KARGO_SHOWS: "its path is /, but this app serves /webhooks"},
        ),
        ("", "https://hooks.example.com/webhooks/", {BASE_URL: "its path is /webhooks, but this app serves /:"}),
        ("", "https://hooks.example.com/", {}),
        ("", "", {}),
    ],
)
async def test_base_paths_that_differ_are_named(served: str, base_url: str, wrong: Mapping[str, str]) -> None:
    async with embedded("demo") as settings:  # whose receivers have URLs without a base path
        examination = await examine({**settings, ROUTE_PREFIX: served, "EXTERNAL_WEBHOOK_SERVER_BASE_URL": base_url})
    problems = found(examination)
    assert problems.keys() == wrong.keys()
    assert all(words in problems[subject] for subject, words in wrong.items())


async def test_what_no_receiver_can_tell_of_is_one_warning(api_server: ApiServer) -> None:
    several = warehouse("several", image="quay.io/team/app")
    several["spec"]["subscriptions"] *= 3
    images = (warehouse("told"), warehouse("hub", image="team/app"), several)
    await api_server.apply(project_config([Hook()]), secret_of(Hook()), *images)
    examination = await examine({"KUBECONFIG": str(api_server.kubeconfig("admin"))})
    assert severities(examination)["coverage"] is Severity.WARNING
    (problem,) = (finding.problem for finding in examination.findings if finding.subject == "coverage")
    assert problem == (
        "4 subscriptions are only polled, since no receiver can tell of what is pushed: kargo-demo/hub to team/app, "
        "kargo-demo/several to quay.io/team/app, kargo-demo/several to quay.io/team/app and others"
    )
