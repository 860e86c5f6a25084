"""What a Warehouse's status shows of a push: found, missing, beyond what is listed, or untold."""

import json
import time
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from receivers import limits
from receivers.events import Kind, Pushed, Target
from receivers.kargo import discoveries
from receivers.kargo.discoveries import FAILING, FOUND, UNTOLD, Discovery, Look, Sight
from receivers.kargo.effort import Effort, TooMuch
from receivers.kargo.index import Accepted, SubscriptionIndex

APP = Target("kargo-demo", "app")
IMAGE, CHART, GIT = "ghcr.io/team/app", "ghcr.io/team/chart", "https://github.com/team/app"
DIGEST, ANOTHER = "sha256:" + "1" * 64, "sha256:" + "2" * 64
COMMIT, OLDER = "c" * 40, "0" * 40
CHART_TYPE = "application/vnd.cncf.helm.config.v1+json"

type Json = dict[str, Any]


def image(**fields: object) -> Json:
    return {"image": {"repoURL": IMAGE, "imageSelectionStrategy": "Lexical", **fields}}


def chart(**fields: object) -> Json:
    return {"chart": {"repoURL": f"oci://{CHART}", **fields}}


def git(**fields: object) -> Json:
    return {"git": {"repoURL": GIT, **fields}}


def push(*tags: str, digest: str = DIGEST) -> Pushed:
    return Pushed(repository_urls=(IMAGE,), kinds=(Kind.IMAGE,), qualifiers=tags, digest=digest)


def commit(ref: str = "refs/heads/main", digest: str = COMMIT, files: tuple[str, ...] = ()) -> Pushed:
    return Pushed(
        repository_urls=(GIT,),
        kinds=(Kind.GIT,),
        qualifiers=(ref,),
        digest=digest,
        changed_files=frozenset(files) or None,
    )


def tags(*names: str, digest: str = DIGEST) -> Json:
    return {"images": [{"repoURL": IMAGE, "references": [{"tag": name, "digest": digest} for name in names]}]}


def commits(*ids: str, head: str = "", tags: tuple[str, ...] = (), **fields: object) -> Json:
    listed = [{"id": each, **fields} for each in ids]
    observed = {"observedRefs": {"branchHead": head, "tags": [{"name": each} for each in tags]}} if head or tags else {}
    return {"git": [{"repoURL": GIT, "commits": listed, **observed}]}


def raw(value: object) -> msgspec.Raw:
    return msgspec.Raw(json.dumps(value).encode())


def accepted(subscriptions: list[Json], event: Pushed) -> list[Accepted]:
    index = SubscriptionIndex()
    index.put(APP, subscriptions)
    return index.accepted(APP, event, effort=Effort(limits.SEARCH_EFFORT))


def look(subscription: Json, event: Pushed, discovered: object, **status: object) -> Look:
    """What one subscription's discoveries show of a push that it takes."""
    discovery = Discovery(raw({"discoveredArtifacts": discovered, **status}), raw([subscription]))
    (taken,) = accepted([subscription], event)
    return discovery.look(taken, event)


def missing(reason: str) -> Look:
    return Look(Sight.MISSING, reason)


def test_a_tag_with_its_digest_is_found() -> None:
    assert look(image(), push("1.2.3"), tags("1.2.2", "1.2.3")) == FOUND


def test_a_sender_that_tells_no_digest_is_answered_by_the_tag_alone() -> None:
    assert look(image(), push("1.2.3", digest=""), tags("1.2.3", digest=ANOTHER)) == FOUND
    assert look(image(), push("1.2.3"), tags("1.2.3", digest="")) == FOUND


def test_a_tag_with_another_digest_is_an_earlier_push_of_it() -> None:
    assert look(image(), push("1.2.3"), tags("1.2.3", digest=ANOTHER)) == missing(
        "Kargo lists tag 1.2.3 with another digest"
    )


def test_a_tag_that_is_not_listed_is_missing() -> None:
    assert look(image(), push("1.2.3"), tags("1.2.2")) == missing("Kargo does not list tag 1.2.3")


def test_each_tag_of_a_push_has_to_be_there() -> None:
    assert look(image(), push("1.2.3", "latest"), tags("1.2.3", "latest")) == FOUND
    assert look(image(), push("1.2.3", "latest"), tags("1.2.3")).sight is Sight.MISSING


def test_a_repository_is_known_by_all_its_names() -> None:
    subscription = {"image": {"repoURL": "index.docker.io/library/nginx", "imageSelectionStrategy": "Lexical"}}
    event = Pushed(repository_urls=("nginx",), kinds=(Kind.IMAGE,), qualifiers=("1.2.3",))
    listed = {"images": [{"repoURL": "docker.io/nginx", "references": [{"tag": "1.2.3"}]}]}
    assert look(subscription, event, listed) == FOUND


def test_what_another_repository_lists_does_not_count() -> None:
    assert look(image(), push("1.2.3"), {"images": [{"repoURL": "ghcr.io/x", "references": [{"tag": "1.2.3"}]}]}) == (
        missing("Kargo does not list tag 1.2.3")
    )


@pytest.mark.parametrize("limit", [None, 3, 0, "many", 3.5])
def test_a_version_below_a_full_list_is_beyond_it(limit: object) -> None:
    subscription = image(imageSelectionStrategy="SemVer", discoveryLimit=limit)
    count = 3 if limit == 3 else 20
    listed = tags(*(f"2.0.{patch}" for patch in range(count)))
    assert look(subscription, push("1.2.3"), listed) == Look(
        Sight.BEYOND, f"tag 1.2.3 is lower than the {count} that Kargo lists (discoveryLimit)"
    )


def test_a_version_that_belongs_into_a_full_list_is_missing() -> None:
    subscription = image(imageSelectionStrategy="SemVer", discoveryLimit=2)
    assert look(subscription, push("2.0.5"), tags("2.0.4", "2.0.3")) == missing(
        "Kargo does not list tag 2.0.5, and its list is full (discoveryLimit 2)"
    )


def test_a_limit_that_nobody_reaches_is_never_full() -> None:
    subscription = image(imageSelectionStrategy="SemVer", discoveryLimit=2**70)
    assert look(subscription, push("1.2.3"), tags("2.0.0")) == missing("Kargo does not list tag 1.2.3")


def test_where_the_order_is_not_that_of_versions_a_full_list_tells_nothing() -> None:
    assert look(image(discoveryLimit=1), push("1.0.0"), tags("2.0.0")).sight is Sight.MISSING


def test_what_is_listed_and_is_no_version_tells_no_order() -> None:
    subscription = image(imageSelectionStrategy="SemVer", discoveryLimit=1)
    assert look(subscription, push("1.0.0"), tags("latest")).sight is Sight.MISSING


def test_a_chart_s_version_is_written_as_helm_writes_its_tag() -> None:
    event = Pushed(repository_urls=(CHART,), media_type=CHART_TYPE, qualifiers=("1.2.3_b5",))
    listed = {"charts": [{"repoURL": f"oci://{CHART}", "versions": ["1.2.3+b5", "1.2.2"]}]}
    assert look(chart(), event, listed) == FOUND
    listed["charts"][0]["versions"] = ["1.2.2"]
    assert look(chart(), event, listed) == missing("Kargo does not list version 1.2.3+b5")
    assert look(chart(discoveryLimit=1), event, {"charts": [{"repoURL": f"oci://{CHART}", "versions": ["2.0.0"]}]}) == (
        Look(Sight.BEYOND, "version 1.2.3+b5 is lower than the 1 that Kargo lists (discoveryLimit)")
    )


def test_a_commit_that_is_listed_is_found() -> None:
    assert look(git(branch="main"), commit(), commits(COMMIT, OLDER)) == FOUND


def test_a_commit_at_the_head_is_found_though_it_is_left_out() -> None:
    subscription = git(branch="main", includePaths=["src"])
    assert look(subscription, commit(files=("src/a",)), commits(OLDER, head=COMMIT)) == FOUND


def test_a_commit_that_is_not_listed_is_missing() -> None:
    assert look(git(branch="main"), commit(), commits(OLDER)) == missing(f"Kargo does not list commit {COMMIT[:12]}")


@pytest.mark.parametrize("fields", [{"includePaths": ["src"]}, {"expressionFilter": "true"}, {"since": "2026-01-01"}])
def test_a_filter_may_leave_a_commit_out_where_the_head_is_not_told(fields: Json) -> None:
    assert look(git(branch="main", **fields), commit(files=("src/a",)), commits(OLDER)) == UNTOLD
    assert look(git(branch="main", **fields), commit(files=("src/a",)), commits(OLDER, head="d" * 40)) == UNTOLD


def test_a_commit_that_is_told_by_its_beginning_is_found() -> None:
    assert look(git(branch="main"), commit(digest=COMMIT[:7]), commits(COMMIT)) == FOUND


def test_of_a_push_of_several_tags_one_may_have_been_moved_on() -> None:
    assert look(image(), push("1.2.3", "latest"), tags("1.2.3", "latest", digest=ANOTHER)) == FOUND


def test_of_a_classic_repository_of_charts_nothing_is_told() -> None:
    subscription = {"chart": {"repoURL": "https://charts.example.com", "name": "web"}}
    event = Pushed(repository_urls=("https://charts.example.com",), kinds=(Kind.CHART,), qualifiers=("1.2.3",))
    listed = {"charts": [{"repoURL": "https://charts.example.com", "name": "web", "versions": ["1.2.3"]}]}
    assert look(subscription, event, listed) == UNTOLD


def test_what_is_long_costs_as_much_as_it_takes_to_pass_over() -> None:
    """Of what a tenant writes nothing is read again for each push: some milliseconds for all of them together."""
    junk: Json = {"s3": {"config": [[]] * 300_000}}
    subscriptions = [image(imageSelectionStrategy="SemVer"), junk]
    listed = tags(*(f"2.0.{patch}" for patch in range(20)))
    listed["images"].append({"repoURL": IMAGE, "references": [{"tag": "x", "annotations": "x" * 1_000_000}]})
    discovery = Discovery(raw({"discoveredArtifacts": listed}), raw(subscriptions))
    (taken,) = accepted([image(imageSelectionStrategy="SemVer")], push("1.0.0"))
    assert discovery.look(taken, push("1.0.0")) == UNTOLD  # what is very long is read once, and no more after it
    start = time.thread_time()
    for _ in range(400):
        discovery.look(taken, push("1.0.0"))
    assert time.thread_time() - start < 1  # it was three


def test_a_push_to_a_branch_whose_commit_is_not_told_cannot_be_found() -> None:
    assert look(git(branch="main"), commit(digest=""), commits(COMMIT)) == UNTOLD


def test_a_tag_of_git_is_found_where_it_is_listed_or_was_seen() -> None:
    by_tag = git(commitSelectionStrategy="SemVer")
    event = commit("refs/tags/1.2.3")
    assert look(by_tag, event, commits(OLDER, tag="1.2.3")) == FOUND
    assert look(by_tag, event, commits(OLDER, tags=("1.2.3",))) == FOUND
    assert look(by_tag, event, commits(OLDER, tag="1.2.2")) == missing("Kargo does not list tag 1.2.3")
    assert look(git(commitSelectionStrategy="SemVer", since="2026-01-01"), event, commits(OLDER)) == UNTOLD
    full = git(commitSelectionStrategy="SemVer", discoveryLimit=1)
    assert look(full, event, commits(OLDER, tag="2.0.0")).sight is Sight.BEYOND


def test_a_status_without_discoveries_tells_nothing() -> None:
    assert look(image(), push("1.2.3"), None) == UNTOLD
    (taken,) = accepted([image()], push("1.2.3"))
    assert Discovery(raw({}), raw([image()])).look(taken, push("1.2.3")) == UNTOLD


@pytest.mark.parametrize("reason", ["DiscoveryFailed", "DiscoveryFailure"])
def test_a_discovery_that_failed_is_told_as_such(reason: str) -> None:
    failed = [{"type": "Healthy", "status": "False", "reason": reason}]
    assert look(image(), push("1.2.3"), tags("1.2.3"), conditions=failed) == missing(FAILING)


def test_another_condition_is_no_failure() -> None:
    conditions = [{"type": "Ready", "status": "False", "reason": "FreightBuildFailure"}]
    assert look(image(), push("1.2.3"), tags("1.2.3"), conditions=conditions) == FOUND


def test_a_pass_that_is_under_way_is_known() -> None:
    for status, expected in (("True", True), ("False", False)):
        conditions = [{"type": "Reconciling", "status": status}]
        assert Discovery(raw({"conditions": conditions}), raw([])).under_way is expected


def test_the_refresh_that_was_handled_is_told_unless_it_is_odd() -> None:
    for handled, expected in (("x", "x"), (None, ""), (1, ""), ("x" * 1_000, "")):
        assert Discovery(raw({"lastHandledRefresh": handled}), raw([])).handled == expected


def test_of_several_looks_one_that_is_missing_counts() -> None:
    beyond, gone = Look(Sight.BEYOND, "b"), Look(Sight.MISSING, "m")
    assert discoveries.worst([FOUND, beyond, gone]) == gone
    assert discoveries.worst([FOUND, beyond, UNTOLD]) == beyond
    assert discoveries.worst([FOUND, UNTOLD]) == UNTOLD
    assert discoveries.worst([]) == UNTOLD


def test_the_subscriptions_that_take_a_push_are_told_each_with_what_it_takes() -> None:
    wanted = [image(imageSelectionStrategy="SemVer", constraint="^1.0.0"), chart(), image(allowTagsRegexes=["^l"])]
    found = accepted(wanted, push("1.2.3", "latest", "2.0.0"))
    assert [(each.subscription.position, each.qualifiers) for each in found] == [(0, ("1.2.3",)), (2, ("latest",))]
    refusing = image(imageSelectionStrategy="SemVer", constraint="^9.0.0")
    assert [each.subscription.position for each in accepted([refusing, image()], push("1.2.3"))] == [1]


def test_a_subscription_that_is_not_checked_takes_nothing_for_certain() -> None:
    assert accepted([image(ignoreTags=["x"] * 10_000)], push("1.2.3")) == []


def test_a_push_without_a_host_is_looked_for_among_charts() -> None:
    event = Pushed(repository_urls=("team/chart",), qualifiers=("1.2.3",), registry_suffix="ghcr.io")
    subscription = {"image": {"repoURL": CHART, "imageSelectionStrategy": "Lexical"}}
    (taken,) = accepted([subscription, chart()], event)
    assert taken.subscription.position == 1


def test_what_is_not_subscribed_to_is_taken_by_nobody() -> None:
    assert accepted([chart()], push("1.2.3")) == []
    assert SubscriptionIndex().accepted(APP, push("1.2.3"), effort=Effort(100)) == []


def test_to_find_out_what_is_taken_has_a_price() -> None:
    index = SubscriptionIndex()
    index.put(APP, [image()])
    with pytest.raises(TooMuch):
        index.accepted(APP, push("1.2.3"), effort=Effort(1))


def test_lists_are_looked_through_as_far_as_they_can_be_honest() -> None:
    long = "x" * limits.DISCOVERED_BYTES  # so that the list is read one by one
    many = [f"{number}.0.0" for number in range(limits.DISCOVERED_OF_ONE + 1)]
    assert look(image(), push(many[-2]), tags(*many, long)) == FOUND
    assert look(image(), push(many[-1]), tags(*many, long)) == UNTOLD
    assert look(image(), push("none"), tags(*many[:20], long)).sight is Sight.MISSING


def test_a_long_text_in_a_lists_place_lists_nothing() -> None:
    long = "x" * limits.DISCOVERED_BYTES
    assert look(image(), push("1.2.3"), {"images": [{"repoURL": IMAGE, "references": long}]}).sight is Sight.MISSING


def test_what_stands_beyond_what_is_looked_through_is_not_missing() -> None:
    entry = {"repoURL": "ghcr.io/another/app", "references": [{"tag": "1.2.3", "digest": DIGEST}]}
    last = {"repoURL": IMAGE, "references": [{"tag": "1.2.3", "digest": DIGEST}]}
    few, many = [entry] * 10, [entry] * limits.DISCOVERED
    assert look(image(), push("1.2.3"), {"images": [*few, last]}) == FOUND
    assert look(image(), push("1.2.3"), {"images": [*many, last]}) == UNTOLD


def test_the_name_of_a_repository_that_is_none_is_passed_over() -> None:
    odd = {"repoURL": "x" * (limits.REPOSITORY_URL + 1), "references": [{"tag": "1.2.3"}]}
    assert look(image(), push("1.2.3"), {"images": [odd]}).sight is Sight.MISSING


@pytest.mark.parametrize("subscriptions", [None, [], [None], [{"image": None}], [{"image": []}], "x", {}])
def test_a_subscription_that_changed_meanwhile_has_the_usual_limit(subscriptions: object) -> None:
    (taken,) = accepted([image(imageSelectionStrategy="SemVer")], push("1.0.0"))
    listed = tags(*(f"2.0.{patch}" for patch in range(20)))
    discovery = Discovery(raw({"discoveredArtifacts": listed}), raw(subscriptions))
    assert discovery.look(taken, push("1.0.0")).sight is Sight.BEYOND


scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8)
names = st.sampled_from(
    ["images", "charts", "git", "repoURL", "references", "tag", "digest", "versions", "commits", "id", "observedRefs"]
)
any_json = st.recursive(scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=4))


@given(any_json, any_json, any_json, any_json)
def test_any_status_and_any_subscriptions_can_be_looked_at(
    handled: object, conditions: object, discovered: object, subscriptions: object
) -> None:
    status = raw({"lastHandledRefresh": handled, "conditions": conditions, "discoveredArtifacts": discovered})
    for whole in (status, raw(discovered)):
        discovery = Discovery(whole, raw(subscriptions))
        assert isinstance(discovery.handled, str)
        assert discovery.under_way in (True, False)
        for subscription, event in ((image(), push("1.2.3")), (git(branch="main"), commit())):
            (taken,) = accepted([subscription], event)
            assert isinstance(discovery.look(taken, event), Look)
