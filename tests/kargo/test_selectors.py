"""What a subscription wants of its repository."""

from time import thread_time

import pytest

from receivers import limits
from receivers.kargo.changes import Change
from receivers.kargo.effort import Effort
from receivers.kargo.fields import Unreadable
from receivers.kargo.selectors import Broken
from receivers.kargo.selectors import chart as charts
from receivers.kargo.selectors import image as images
from receivers.kargo.verdicts import UNCHECKED, Verdict
from tests.loop_lag import HELD

IMAGE = "ghcr.io/team/app"
CHART = "oci://ghcr.io/team/chart"


def image(tag: str, *more: str, **fields: object) -> Verdict:
    return images.selector({"repoURL": IMAGE, **fields}).decide(Change((tag, *more)))


def chart(version: str, url: str = CHART, **fields: object) -> Verdict:
    return charts.selector({"repoURL": url, **fields}).decide(Change((version,)))


@pytest.mark.parametrize("strategy", ["SemVer", "", None])
def test_semver_is_the_usual_strategy(strategy: str | None) -> None:
    assert image("1.2.3", imageSelectionStrategy=strategy) == (True, "tag 1.2.3 is a semantic version")
    assert image("latest", imageSelectionStrategy=strategy) == (False, "tag latest is not a semantic version")


def test_a_tag_must_satisfy_the_constraint() -> None:
    assert image("1.2.3", constraint="^1.0.0") == (True, "tag 1.2.3 satisfies ^1.0.0")
    assert image("2.0.0", constraint="^1.0.0") == (False, "tag 2.0.0 does not satisfy ^1.0.0")


def test_a_prerelease_is_told_that_releases_are_asked_for() -> None:
    assert image("1.2.3-rc.1", constraint="^1.0.0") == (
        False,
        "tag 1.2.3-rc.1 is a prerelease, and ^1.0.0 asks for releases",
    )
    assert image("2.0.0-rc.1", constraint="^1.0.0-0") == (False, "tag 2.0.0-rc.1 does not satisfy ^1.0.0-0")
    assert image("1.2.3-rc.1").accepted


@pytest.mark.parametrize("tag", ["1.2", "1", "01.2.3"])
def test_strict_semver_refuses_what_is_only_nearly_a_version(tag: str) -> None:
    assert image(tag).accepted
    assert image(tag, strictSemvers=False).accepted
    assert not image(tag, strictSemvers=True).accepted
    assert image("v1.2.3", strictSemvers=True).accepted


def test_an_ignored_tag_is_refused_though_it_be_allowed() -> None:
    verdict = image(
        "rc-1", imageSelectionStrategy="Lexical", allowTagsRegexes=["^rc"], ignoreTagsRegexes=["^a", "^rc-"]
    )
    assert verdict == (False, "tag rc-1 matches ignoreTagsRegexes ^rc-")


def test_an_allowed_tag_is_accepted() -> None:
    verdict = image("main-7", imageSelectionStrategy="Lexical", allowTagsRegexes=["^v", "main"], ignoreTagsRegexes=[])
    assert verdict == (True, "tag main-7 matches allowTagsRegexes main")


def test_a_tag_that_no_expression_allows_is_refused() -> None:
    verdict = image("main-7", imageSelectionStrategy="NewestBuild", allowTagsRegexes=["^v"])
    assert verdict == (False, "tag main-7: no allowTagsRegexes matches")


@pytest.mark.parametrize("strategy", ["Lexical", "NewestBuild"])
def test_strategies_without_versions_do_not_read_the_constraint(strategy: str) -> None:
    verdict = image("main-7", imageSelectionStrategy=strategy, constraint="not a constraint")
    assert verdict == (True, "tag main-7: every tag is allowed")


def test_the_expressions_hold_for_versions_too() -> None:
    assert not image("1.2.3", ignoreTagsRegexes=["2"]).accepted
    assert not image("latest", allowTagsRegexes=["latest"]).accepted
    assert image("1.2.3", allowTagsRegexes=["^1"], constraint="^1").accepted


def test_the_digest_strategy_follows_one_tag_whatever_the_tag_fields_say() -> None:
    fields: dict[str, object] = {
        "imageSelectionStrategy": "Digest",
        "constraint": "latest",
        "allowTags": "x",
        "ignoreTagsRegexes": ["("],
    }
    assert image("latest", **fields) == (True, "tag latest is the one subscribed to")
    assert image("Latest", **fields) == (False, "tag Latest is not latest, the one subscribed to")


@pytest.mark.parametrize("url", [CHART, "https://charts.example.com", "http://charts.example.com/x/"])
def test_a_chart_version_must_satisfy_the_constraint(url: str) -> None:
    assert chart("1.2", url) == (True, "version 1.2 is a semantic version")
    assert chart("1.2.3", url, semverConstraint="^1") == (True, "version 1.2.3 satisfies ^1")
    assert chart("2.0.0", url, semverConstraint="^1") == (False, "version 2.0.0 does not satisfy ^1")
    assert chart("main", url) == (False, "version main is not a semantic version")


def test_the_tag_of_an_oci_chart_has_an_underscore_where_the_version_has_a_plus() -> None:
    assert chart("1.2.3_b5", semverConstraint="1.2.3") == (True, "version 1.2.3+b5 satisfies 1.2.3")
    assert not chart("1.2.3_b5", "https://charts.example.com").accepted


def test_one_of_several_tags_is_enough() -> None:
    assert image("latest", "1.2.3", "main") == (True, "tag 1.2.3 is a semantic version")


def test_the_first_of_several_refused_tags_stands_for_all() -> None:
    assert image("latest", "main", "edge").reason == "tag latest is not a semantic version, and 2 more like it"


def test_a_broken_selector_wants_nothing_and_says_why_once() -> None:
    assert Broken("bad regex").decide(Change(("1.2.3", "1.2.4"))) == (False, "bad regex")


TOO_MANY = [f"^v{number}-(alpha|beta)$" for number in range(1000)]


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"allowTagsRegexes": TOO_MANY}, "the expressions have more than 2000 instructions"),
        ({"ignoreTagsRegexes": ["x" * 2000]}, "an expression is longer than 1000 characters"),
        ({"imageSelectionStrategy": "Lexical", "allowTagsRegexes": ["x{1000}" * 10]}, "an expression is too large"),
        ({"constraint": "^1 " * 200}, "the constraint is longer than 512 characters"),
    ],
)
def test_what_is_more_than_is_checked_takes_every_tag(fields: dict[str, object], reason: str) -> None:
    assert image("latest", **fields) == (True, f"{reason}: more than is checked, so every push refreshes")


def test_a_chart_whose_constraint_is_more_than_is_checked_takes_every_version() -> None:
    reason = "the constraint is longer than 512 characters: more than is checked, so every push refreshes"
    assert chart("x", semverConstraint="^1 " * 200) == (True, reason)


def test_a_warehouse_has_so_much_effort_for_all_its_constraints() -> None:
    effort = Effort(limits.READING_EFFORT)
    constraints = ["||".join([f">={number}.0.0"] * 40) for number in range(99)]
    read = [charts.selector({"repoURL": CHART, "semverConstraint": each}, effort) for each in constraints]
    assert read[0].decide(Change(("0.0.0-a",))).accepted is False
    reason = "the Warehouse has too many constraints: more than is checked, so every push refreshes"
    assert read[-1].decide(Change(("0.0.0-a",))) == (True, reason)


def test_too_many_tags_are_not_asked_one_by_one() -> None:
    selector = images.selector({"repoURL": IMAGE, "allowTagsRegexes": TOO_MANY[:90]})
    assert selector.decide(Change(("latest",))).accepted is False
    assert selector.decide(Change(tuple(f"latest-{number}" for number in range(1000)))) == UNCHECKED


def test_a_tag_that_is_too_long_for_the_expressions_is_not_asked() -> None:
    selector = images.selector({"repoURL": IMAGE, "allowTagsRegexes": TOO_MANY[:90]})
    assert selector.decide(Change(("x" * limits.NAME,))) == UNCHECKED


@pytest.mark.parametrize(("allow", "ignore"), [("", []), (None, None)])
def test_an_older_field_that_is_empty_says_nothing(allow: object, ignore: object) -> None:
    verdict = image("1.2.3", allowTags=allow, ignoreTags=ignore, semverConstraint=allow)
    assert verdict == (True, "tag 1.2.3 is a semantic version")


def test_the_older_allow_tags_is_one_expression() -> None:
    fields: dict[str, object] = {"imageSelectionStrategy": "Lexical", "allowTags": "^v[0-9]"}
    assert image("v1", **fields) == (True, "tag v1 matches allowTags ^v[0-9]")
    assert image("main", **fields) == (False, "tag main: no allowTags matches")


def test_the_older_ignore_tags_are_tags_and_no_expressions() -> None:
    fields: dict[str, object] = {"imageSelectionStrategy": "Lexical", "ignoreTags": ["latest", "1.0"]}
    assert image("latest", **fields) == (False, "tag latest is one of ignoreTags")
    assert image("1.0", **fields) == (False, "tag 1.0 is one of ignoreTags")
    assert image("1x0", **fields) == (True, "tag 1x0: every tag is allowed")
    assert image("latest-2", **fields) == (True, "tag latest-2: every tag is allowed")


def test_older_fields_hold_for_versions_too() -> None:
    fields: dict[str, object] = {"allowTags": "^1", "ignoreTags": ["1.2.3"], "semverConstraint": ">=1.2.0"}
    assert not image("1.2.3", **fields).accepted
    assert not image("2.0.0", **fields).accepted
    assert image("1.2.4", **fields) == (True, "tag 1.2.4 satisfies >=1.2.0")
    assert image("1.1.0", **fields) == (False, "tag 1.1.0 does not satisfy >=1.2.0")


def test_present_and_older_allow_expressions_are_one_list() -> None:
    fields: dict[str, object] = {
        "imageSelectionStrategy": "Lexical",
        "allowTags": "^v",
        "allowTagsRegexes": ["^main"],
    }
    assert image("v1", **fields) == (True, "tag v1 matches allowTags ^v")
    assert image("main", **fields) == (True, "tag main matches allowTagsRegexes ^main")
    assert image("x", **fields) == (False, "tag x: no allowTagsRegexes matches")


def test_the_present_constraint_comes_before_the_older_one() -> None:
    assert image("1.2.3", constraint="^1", semverConstraint="^2") == (True, "tag 1.2.3 satisfies ^1")


def test_the_older_constraint_names_the_tag_of_a_digest() -> None:
    fields: dict[str, object] = {"imageSelectionStrategy": "Digest", "semverConstraint": "latest"}
    assert image("latest", **fields) == (True, "tag latest is the one subscribed to")
    assert image("main", **fields) == (False, "tag main is not latest, the one subscribed to")


def test_more_ignored_tags_than_are_compared_with_take_every_tag() -> None:
    verdict = image("1", ignoreTags=[str(number) for number in range(limits.IGNORED_TAGS + 1)])
    assert verdict == (True, "there are too many ignoreTags: more than is checked, so every push refreshes")


def test_a_null_field_is_an_absent_one() -> None:
    fields = dict.fromkeys(
        ("constraint", "strictSemvers", "allowTagsRegexes", "ignoreTagsRegexes", "allowTags", "platform")
    )
    assert image("1.2", **fields).accepted


@pytest.mark.parametrize("platform", ["", "linux/amd64", "linux/arm64/v8"])
def test_the_platform_decides_nothing(platform: str) -> None:
    assert image("1.2.3", platform=platform).accepted


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"allowTags": ["^v"]}, "allowTags is not a text"),
        ({"allowTags": "("}, "allowTags (: missing ): ("),
        ({"allowTags": "(", "allowTagsRegexes": ["("]}, "allowTags (: missing ): ("),
        ({"ignoreTags": "x", "imageSelectionStrategy": "Lexical"}, "ignoreTags is not a list of texts"),
        ({"ignoreTags": [1]}, "ignoreTags is not a list of texts"),
        ({"semverConstraint": "latest"}, "semverConstraint latest: not a semver constraint"),
        ({"semverConstraint": 1}, "semverConstraint is not a text"),
        ({"semverConstraint": "^1", "constraint": "latest"}, "constraint latest: not a semver constraint"),
        ({"allowTagsRegexes": ["("]}, "allowTagsRegexes (: missing ): ("),
        ({"ignoreTagsRegexes": [r"\C"]}, r"ignoreTagsRegexes \C: invalid escape sequence: \C"),
        ({"allowTagsRegexes": "^v"}, "allowTagsRegexes is not a list of texts"),
        ({"allowTagsRegexes": [1]}, "allowTagsRegexes is not a list of texts"),
        ({"constraint": "latest"}, "constraint latest: not a semver constraint"),
        ({"constraint": 1.2}, "constraint is not a text"),
        ({"strictSemvers": "true"}, "strictSemvers is neither true nor false"),
        ({"strictSemvers": 1}, "strictSemvers is neither true nor false"),
        ({"platform": "linux"}, "platform linux is not <os>/<architecture>"),
        ({"imageSelectionStrategy": "Newest\n"}, "imageSelectionStrategy Newest\ufffd is unknown"),
        ({"repoURL": "ghcr.io/te am/app"}, "repoURL: the repository is not"),
        ({"repoURL": None}, "repoURL is missing"),
        ({"repoURL": f"ghcr.io/{'x/' * 500}"}, "repoURL is longer than 1000 characters"),
        (
            {"imageSelectionStrategy": "Digest", "constraint": "x" * 5000},
            "constraint is longer than 4096 characters, and no tag is",
        ),
        ({"repoURL": ["ghcr.io"]}, "repoURL is not a text"),
    ],
)
def test_an_unreadable_image_subscription_says_which_field_is_wrong(fields: dict[str, object], reason: str) -> None:
    with pytest.raises(Unreadable) as raised:
        images.selector({"repoURL": IMAGE, **fields})
    assert str(raised.value).startswith(reason)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"repoURL": "ghcr.io/team/chart"}, "repoURL starts with none of oci://, https:// and http://"),
        ({"repoURL": "OCI://ghcr.io/team/chart"}, "repoURL starts with none of oci://, https:// and http://"),
        ({"repoURL": "oci://ghcr.io"}, "repoURL is not oci://<registry>/<repository> in lower case"),
        ({"repoURL": "oci://ghcr.io/Team"}, "repoURL is not oci://<registry>/<repository> in lower case"),
        ({"repoURL": ""}, "repoURL is missing"),
        ({"semverConstraint": "latest"}, "semverConstraint latest: not a semver constraint"),
        ({"semverConstraint": 1}, "semverConstraint is not a text"),
    ],
)
def test_an_unreadable_chart_subscription_says_which_field_is_wrong(fields: dict[str, object], reason: str) -> None:
    with pytest.raises(Unreadable) as raised:
        charts.selector({"repoURL": CHART, **fields})
    assert str(raised.value) == reason


def test_free_text_is_clipped_and_stays_on_one_line() -> None:
    assert image("a\nb" + "c" * 1000).reason == f"tag a\ufffdb{'c' * (limits.FREE_TEXT - 4)}… is not a semantic version"


@pytest.mark.parametrize(
    "constraint", ["||".join([f">={number}.1.0" for number in range(60)]), "1," * 250 + "1", "1||" * 169 + "1"]
)
@pytest.mark.parametrize("tag", ["0.0.1", "1-" + "a." * 120 + "b", "latest", "x" * 4096])
def test_asking_a_constraint_costs_no_more_than_its_price(constraint: str, tag: str) -> None:
    selector = images.selector({"repoURL": IMAGE, "constraint": constraint})
    change = Change(tuple(f"{tag}{number}" for number in range(1_000)))

    def time_to_decide() -> float:
        began = thread_time()
        selector.decide(change)
        return thread_time() - began

    assert min(time_to_decide() for _ in range(3)) < HELD
