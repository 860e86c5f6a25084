"""Which Warehouses a push concerns."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from receivers import limits
from receivers.events import Decision, Kind, Pushed, Target
from receivers.kargo import aliases
from receivers.kargo.index import Fault, SubscriptionIndex
from receivers.kargo.verdicts import UNCHECKED

patient = settings(deadline=None)  # the machine may be busy

ONE = Target("demo", "one")
TWO = Target("demo", "two")
OTHER = Target("other", "one")


def image(url: str = "r.azurecr.io/team/app", **fields: object) -> dict[str, object]:
    return {"image": {"repoURL": url, **fields}}


def chart(url: str = "oci://r.azurecr.io/helm/app", **fields: object) -> dict[str, object]:
    return {"chart": {"repoURL": url, **fields}}


def pushed(
    *tags: str,
    url: str = "r.azurecr.io/team/app",
    media_type: str = "",
    kinds: tuple[Kind, ...] = (),
    registry_suffix: str = "",
) -> Pushed:
    return Pushed(
        repository_urls=(url,), qualifiers=tags, media_type=media_type, kinds=kinds, registry_suffix=registry_suffix
    )


def demanding(number: int) -> dict[str, object]:
    """Wants a version that takes effort to judge."""
    return image(constraint="||".join([f">={number}.0.0"] * 30))


def chart_pushed(*versions: str, path: str = "helm/app") -> Pushed:
    """As ACR's legacy chart store tells it: without a host."""
    return pushed(*versions, url=path, kinds=(Kind.CHART,), registry_suffix=".azurecr.io")


def index_of(warehouses: dict[Target, object]) -> SubscriptionIndex:
    index = SubscriptionIndex()
    for target, subscriptions in warehouses.items():
        index.put(target, subscriptions)
    return index


def refreshed(index: SubscriptionIndex, event: Pushed, project: str | None = None) -> list[Target]:
    return [decision.target for decision in index.match(event, project=project) if decision.refresh]


def test_every_candidate_is_decided_on_once_in_order_with_a_reason() -> None:
    index = index_of({OTHER: [image()], TWO: [image(constraint="^2"), image(constraint="^3")], ONE: [image(), image()]})
    assert index.match(pushed("1.2.3"), project=None) == [
        Decision(target=ONE, refresh=True, reason="tag 1.2.3 is a semantic version"),
        Decision(target=TWO, refresh=False, reason="tag 1.2.3 does not satisfy ^2; tag 1.2.3 does not satisfy ^3"),
        Decision(target=OTHER, refresh=True, reason="tag 1.2.3 is a semantic version"),
    ]


def test_a_warehouse_of_another_repository_is_no_candidate() -> None:
    index = index_of({ONE: [image("r.azurecr.io/team/other")], TWO: [], OTHER: None})
    assert index.match(pushed("1.2.3"), project=None) == []


def test_a_projects_receiver_refreshes_only_its_own_warehouses() -> None:
    index = index_of({ONE: [image()], OTHER: [image()]})
    assert refreshed(index, pushed("1.2.3"), "demo") == [ONE]
    assert refreshed(index, pushed("1.2.3"), "third") == []


def test_urls_are_compared_by_their_normal_form() -> None:
    index = index_of({ONE: [image("docker.io/library/Busybox")]})
    assert refreshed(index, pushed("1.2.3", url="busybox")) == [ONE]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("shop.azurecr.io/team/app", "shop.westeurope.geo.azurecr.io/team/app"),
        ("shop-abcdefgh12345678.azurecr.io/team/app", "shop-abcdefgh12345678.westeurope.geo.azurecr.io/team/app"),
        ("shop.azurecr.cn/team/app", "shop.chinanorth3.geo.azurecr.cn/team/app"),
        ("shop.azurecr.us/team/app", "shop.usgovvirginia.geo.azurecr.us/team/app"),
        ("shop.azurecr.io/team/app", "shop.azurecr.io:443/team/app"),
        ("shop.azurecr.io/team/app", "shop.azurecr.io./team/app"),
        ("123456789012.dkr.ecr.us-east-1.amazonaws.com/app", "123456789012.dkr-ecr.us-east-1.on.aws/app"),
        ("gcr.io/project/app", "us-docker.pkg.dev/project/gcr.io/app"),
    ],
)
def test_a_registry_is_one_whichever_of_its_names_either_side_writes(one: str, other: str) -> None:
    for subscribed, sent in ((one, other), (other, one)):
        index = index_of({ONE: [image(subscribed)], TWO: [chart(f"oci://{subscribed}")]})
        assert refreshed(index, pushed("1.2.3", url=sent)) == [ONE, TWO]
        index.remove(ONE)
        assert refreshed(index, pushed("1.2.3", url=sent)) == [TWO]


def test_a_regional_endpoint_is_no_name_of_another_registry() -> None:
    index = index_of({ONE: [image("shop.azurecr.io/app")], TWO: [image("shop-abcdefgh12345678.azurecr.io/app")]})
    assert refreshed(index, pushed("1.2.3", url="shop.westeurope.geo.azurecr.io/app")) == [ONE]


def test_the_media_type_decides_what_was_pushed() -> None:
    index = index_of({ONE: [chart("oci://r.azurecr.io/team/app")], TWO: [image()]})
    assert refreshed(index, pushed("1.2.3", media_type="application/vnd.oci.image.manifest.v1+json")) == [ONE, TWO]


def test_the_events_kinds_win_over_its_media_type() -> None:
    helm = "application/vnd.cncf.helm.config.v1+json"
    unparsable_as_chart = "10.0.0.1:5000/team/App"
    index = index_of({ONE: [image("10.0.0.1:5000/team/app")]})
    assert refreshed(index, pushed("1.2.3", url=unparsable_as_chart, media_type=helm)) == []
    assert refreshed(index, pushed("1.2.3", url=unparsable_as_chart, media_type=helm, kinds=(Kind.IMAGE,))) == [ONE]


@pytest.mark.parametrize("tags", [(), ("",)])
def test_without_a_tag_every_subscriber_is_refreshed_readable_or_not(tags: tuple[str, ...]) -> None:
    index = index_of({ONE: [image(constraint="?")], TWO: [image(constraint="^9")]})
    assert index.match(pushed(*tags), project=None) == [
        Decision(target=target, refresh=True, reason="the push names no tag, so every subscriber is refreshed")
        for target in (ONE, TWO)
    ]


def test_any_of_several_urls_and_tags_may_match() -> None:
    index = index_of({ONE: [image("a.io/app", constraint="^1")], TWO: [image("b.io/app", constraint="^2")]})
    event = Pushed(repository_urls=("b.io/app", "a.io/app", ""), qualifiers=("2.0.0", "1.0.0"))
    assert refreshed(index, event) == [ONE, TWO]


def test_subscriptions_are_asked_in_their_order_whatever_the_order_of_urls() -> None:
    index = index_of({ONE: [image("b.io/app"), image("a.io/app", constraint="^1")]})
    event = Pushed(repository_urls=("a.io/app", "b.io/app"), qualifiers=("1.0.0",))
    assert [decision.reason for decision in index.match(event, project=None)] == ["tag 1.0.0 is a semantic version"]


def test_a_broken_subscription_hides_neither_its_neighbour_nor_another_warehouse() -> None:
    index = index_of({ONE: [image(constraint="?"), None, image()], TWO: [image()]})
    assert refreshed(index, pushed("1.2.3")) == [ONE, TWO]


def test_a_warehouse_whose_only_matching_subscription_is_broken_is_refused_with_the_reason() -> None:
    index = index_of({ONE: [image("r.azurecr.io/team/other"), image(allowTagsRegexes=["("])]})
    [decision] = index.match(pushed("1.2.3"), project=None)
    assert decision.refresh is False
    assert decision.reason == "spec.subscriptions[1]: allowTagsRegexes (: missing ): ("


def test_a_refusal_names_each_reason_once_and_not_too_many() -> None:
    index = index_of({ONE: [image(constraint=f"^{major}") for major in (2, 2, 3, 4, 5, 6)]})
    [decision] = index.match(pushed("1.0.0"), project=None)
    wanted = [f"tag 1.0.0 does not satisfy ^{major}" for major in (2, 3, 4)]
    assert decision.reason == "; ".join([*wanted, "and 2 more"])


def test_faults_are_listed_by_warehouse_and_position() -> None:
    index = index_of({OTHER: "x", ONE: [image(), {}, chart("helm/app")], TWO: [image()]})
    assert index.faults() == [
        Fault(target=ONE, position=1, reason="a subscription has 0 kinds, not one"),
        Fault(target=ONE, position=2, reason="repoURL starts with none of oci://, https:// and http://"),
        Fault(target=OTHER, position=0, reason="spec.subscriptions is not a list"),
    ]


def test_what_is_odd_is_listed_by_warehouse_and_position_and_is_no_fault() -> None:
    index = index_of({OTHER: [chart(strict=True)], ONE: [image(), image(allowTags="^1")]})
    older = "allowTags is a field of older versions of Kargo, which counts here: newer ones want allowTagsRegexes"
    assert index.remarks() == [
        Fault(target=ONE, position=1, reason=older),
        Fault(target=OTHER, position=0, reason="unknown here, and decides nothing: strict"),
    ]
    assert index.faults() == []
    assert refreshed(index, pushed("1.2.3")) == [ONE]


def test_faults_are_counted() -> None:
    index = index_of({OTHER: "x", ONE: [image(), {}, None]})
    assert index.fault_count == 3
    index.remove(ONE)
    assert index.fault_count == 1


def test_what_is_more_than_is_checked_is_listed_and_is_no_fault() -> None:
    index = index_of({ONE: [image(), image(allowTagsRegexes=["x" * 2000])], TWO: [image()]})
    reason = "an expression is longer than 1000 characters: more than is checked, so every push refreshes"
    assert index.unchecked() == [Fault(target=ONE, position=1, reason=reason)]
    assert index.faults() == []
    assert refreshed(index, pushed("latest")) == [ONE]
    index.remove(ONE)
    assert index.unchecked() == []


def test_past_the_effort_for_a_delivery_every_subscriber_is_refreshed() -> None:
    index = index_of({Target(f"p{number % 10}", f"w{number:04}"): [demanding(number)] for number in range(1000)})
    decisions = index.match(pushed("0.0.0-a"), project=None)
    assert len(decisions) == 1000
    assert decisions[0].refresh is False
    assert decisions[-1] == Decision(target=Target("p9", "w0999"), refresh=True, reason=UNCHECKED.reason)


def test_one_project_leaves_the_others_their_effort() -> None:
    index = index_of({Target("greedy", f"w{number}"): [demanding(number)] for number in range(1000)})
    index.put(OTHER, [image(constraint="^9")])
    assert OTHER not in refreshed(index, pushed("0.0.0-a"))


def test_warehouses_that_want_the_same_cost_as_much_as_one() -> None:
    index = index_of({Target("demo", f"w{number:04}"): [image(constraint="^9")] for number in range(5_000)})
    tags = [f"{major}.0.0" for major in range(9)]
    decisions = index.match(pushed(*tags), project="demo")
    reason = "tag 0.0.0 does not satisfy ^9, and 8 more like it"
    assert [(decision.refresh, decision.reason) for decision in decisions] == [(False, reason)] * 5_000


def test_one_warehouse_may_subscribe_to_a_repository_only_so_often() -> None:
    index = index_of({ONE: [demanding(number) for number in range(250)]})
    [decision] = index.match(pushed(*map(str, range(100))), project=None)
    assert decision.refresh is True


def test_putting_a_warehouse_again_replaces_it() -> None:
    index = index_of({ONE: [image(), image(constraint="?"), chart()]})
    index.put(ONE, [image("r.azurecr.io/team/other")])
    assert index.match(pushed("1.2.3"), project=None) == []
    assert index.match(chart_pushed("1.2.3"), project=None) == []
    assert index.faults() == []
    assert (len(index), index.count("demo")) == (1, 1)


def test_a_removed_warehouse_leaves_the_others() -> None:
    index = index_of({ONE: [image(), chart()], TWO: [image(), chart()]})
    index.remove(ONE)
    index.remove(ONE)
    assert refreshed(index, pushed("1.2.3")) == [TWO]
    assert refreshed(index, chart_pushed("1.2.3")) == [TWO]


def test_a_removed_chart_leaves_another_of_the_same_path_in_another_registry() -> None:
    index = index_of({ONE: [chart()], TWO: [chart("oci://other.azurecr.io/helm/app")]})
    index.remove(ONE)
    assert refreshed(index, chart_pushed("1.2.3")) == [TWO]


def test_what_is_removed_leaves_nothing_behind() -> None:
    index = index_of({ONE: [image(), image(constraint="?"), chart()], TWO: [image(), chart()], OTHER: [chart()]})
    for target in (ONE, TWO, OTHER):
        index.remove(target)
    assert not any(vars(index).values())


def test_subscriptions_are_listed_by_warehouse_and_position() -> None:
    index = index_of(
        {OTHER: [image("c.io/c")], ONE: [image("b.io/b"), None, chart(), image("a.io/a"), image("b.io/b")]}
    )
    listed = [(each.position, each.url) for each in index.subscriptions("demo")]
    assert listed == [(0, "b.io/b"), (2, "r.azurecr.io/helm/app"), (3, "a.io/a"), (4, "b.io/b")]
    assert [each.url for each in index.subscriptions(None)][-1] == "c.io/c"


def test_of_very_many_warehouses_some_are_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "EXAMPLES", 2)
    index = index_of({target: [image()] for target in (*(Target("demo", name) for name in "dcba"), OTHER)})
    assert len(index.subscriptions("demo")) == len(index.subscriptions(None)) == 2


def test_the_warehouses_of_a_project_are_told() -> None:
    index = index_of({ONE: [], TWO: "x", OTHER: [image()]})
    assert (set(index.targets("demo")), index.targets("third")) == ({ONE, TWO}, [])
    index.remove(TWO)
    index.remove(OTHER)
    assert index.targets("demo") == index.targets(None) == [ONE]


def test_warehouses_are_counted_by_project() -> None:
    index = index_of({ONE: [], TWO: "x", OTHER: [image()]})
    assert (len(index), index.count(None), index.count("demo"), index.count("third")) == (3, 3, 2, 0)


@pytest.mark.parametrize(
    "url",
    [
        "oci://r.azurecr.io/helm/app",
        "oci://R.AzureCR.io/helm/app",
        "https://r.azurecr.io/helm/app",
        "https://r.azurecr.io/helm/App/",
        "https://other.azurecr.io:443/helm/app",
        "http://r.azurecr.io/helm/app",
    ],
)
def test_a_push_without_a_host_matches_charts_of_that_path_in_any_such_registry(url: str) -> None:
    index = index_of({ONE: [chart(url, semverConstraint="^1")]})
    assert refreshed(index, chart_pushed("1.2.3", path="/Helm/app")) == [ONE]
    assert refreshed(index, chart_pushed("2.0.0")) == []


@pytest.mark.parametrize(
    "subscription",
    [
        chart("oci://ghcr.io/helm/app"),
        chart("oci://azurecr.io/helm/app"),
        chart("oci://r.azurecr.io.example.com/helm/app"),
        chart("oci://r.azurecr.io/helm/app2"),
        chart("https://r.azurecr.io/helm/v1/repo"),
        image("r.azurecr.io/helm/app"),
    ],
)
def test_a_push_without_a_host_matches_nothing_else(subscription: dict[str, object]) -> None:
    index = index_of({ONE: [subscription]})
    assert index.match(chart_pushed("1.2.3"), project=None) == []


def test_a_push_without_a_host_passes_over_an_image_where_a_chart_is_too() -> None:
    index = index_of({ONE: [chart()], TWO: [image("r.azurecr.io/helm/app")]})
    assert refreshed(index, chart_pushed()) == [ONE]
    index.remove(ONE)
    assert refreshed(index, chart_pushed()) == []


def test_the_classic_chart_store_is_found_by_the_path_that_the_sender_names() -> None:
    index = index_of({ONE: [chart("https://r.azurecr.io/helm/v1/repo", name="app")]})
    assert refreshed(index, chart_pushed("1.2.3", path="helm/v1/repo")) == [ONE]


repositories = st.sampled_from(
    ["a.io/app", "a.io:443/app", "b.io/app", "oci://r.azurecr.io/app", "https://r.azurecr.io/app/", "x y"]
)
subscription_lists = st.lists(st.builds(image, repositories) | st.builds(chart, repositories) | st.none(), max_size=3)
changes = st.lists(st.tuples(st.sampled_from([ONE, TWO, OTHER]), st.none() | subscription_lists), max_size=8)
events = st.builds(pushed, st.just("1.2.3"), url=repositories) | st.builds(chart_pushed, path=st.just("app"))


@patient
@given(changes, events, st.sampled_from(["demo", "other", None]))
def test_an_index_that_changed_answers_as_one_made_anew(
    history: list[tuple[Target, object]], event: Pushed, project: str | None
) -> None:
    index = SubscriptionIndex()
    last: dict[Target, object] = {}
    for target, subscriptions in history:
        if subscriptions is None:
            index.remove(target)
            last.pop(target, None)
        else:
            index.put(target, subscriptions)
            last[target] = subscriptions
    anew = index_of(last)
    assert index.match(event, project=project) == anew.match(event, project=project)
    assert index.faults() == anew.faults()
    assert index.fault_count == len(index.faults())
    assert (len(index), index.count("demo")) == (len(anew), anew.count("demo"))


# Git

GIT = "https://git.example.com/team/app"


def git(url: str = GIT, **fields: object) -> dict[str, object]:
    return {"git": {"repoURL": url, **fields}}


def commits(*refs: str, files: frozenset[str] | None = None, url: str = GIT, default: str = "") -> Pushed:
    return Pushed(
        repository_urls=(url,), kinds=(Kind.GIT,), qualifiers=refs, changed_files=files, default_branch=default
    )


def test_a_push_of_git_concerns_who_subscribes_to_the_repository_and_wants_the_ref() -> None:
    index = index_of({ONE: [git(f"{GIT}.git")], TWO: [git(branch="dev")], OTHER: [git(f"{GIT}2")]})
    assert refreshed(index, commits("refs/heads/main")) == [ONE]
    assert refreshed(index, commits("refs/heads/dev", default="dev")) == [ONE, TWO]
    assert refreshed(index, commits()) == [ONE, TWO]


def test_changed_files_decide_too() -> None:
    index = index_of({ONE: [git(includePaths=["app"])], TWO: [git(excludePaths=["app"])]})
    assert refreshed(index, commits("refs/heads/main", files=frozenset({"app/a"}))) == [ONE]
    assert refreshed(index, commits("refs/heads/main")) == [ONE, TWO]


def test_an_image_concerns_git_only_where_the_urls_are_equal() -> None:
    index = index_of({ONE: [git("r.azurecr.io/team/app")], TWO: [git("https://r.azurecr.io/team/app")]})
    assert [decision.target for decision in index.match(pushed("1.2.3"), project=None)] == [ONE]
    assert refreshed(index, pushed("1.2.3")) == []


def test_a_broken_git_subscription_hides_no_other() -> None:
    index = index_of({ONE: [git(includePaths=["glob:["]), git()], TWO: [git(includePaths=["regex:("])]})
    assert refreshed(index, commits("refs/heads/main")) == [ONE]
    assert [(fault.target, fault.position) for fault in index.faults()] == [(ONE, 0), (TWO, 0)]


def test_git_subscriptions_that_are_more_than_is_checked_are_listed() -> None:
    index = index_of({ONE: [git(includePaths=[f"glob:{'{a,b}' * 9}"], unknown=1)]})
    assert refreshed(index, commits("refs/heads/dev")) == [ONE]
    assert [fault.target for fault in index.unchecked()] == [fault.target for fault in index.remarks()] == [ONE]


def test_a_warehouse_subscribes_to_any_of_several_repositories() -> None:
    index = index_of({ONE: [image("docker.io/library/app"), image("b.io/b")], TWO: []})
    app, another = aliases.canonical("app"), aliases.canonical("c.io/c")
    assert index.subscribes(ONE, frozenset({another, app}))
    assert not index.subscribes(ONE, frozenset({another}))
    assert not index.subscribes(TWO, frozenset({app}))
    assert not index.subscribes(OTHER, frozenset({app}))


# One Warehouse


def test_a_warehouse_s_subscriptions_and_faults_are_by_position() -> None:
    index = SubscriptionIndex()
    index.put(TWO, [chart(), image("r/B C"), image(), image(allowTagsRegexes=["("])])
    index.put(OTHER, [image()])
    assert [each.position for each in index.subscriptions_of(TWO)] == [0, 1, 2, 3]
    assert list(index.faults_of(TWO)) == [1, 3]
    assert index.faults_of(OTHER) == {}
    assert index.projects() == ["demo", "other"]
    assert {"r.azurecr.io/team/app", "r.azurecr.io/helm/app"} <= set(index.urls("demo"))
    assert (index.urls("other"), index.urls("none")) == (["r.azurecr.io/team/app"], [])
    assert set(index.urls(None)) == set(index.urls("demo"))
    index.remove(TWO)
    assert (index.subscriptions_of(TWO), index.faults_of(TWO), index.projects()) == ([], {}, ["other"])
