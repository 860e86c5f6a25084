"""Kargo's generic receiver: what its actions make of a request."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from receivers import limits
from receivers.events import Event, Faulty, Ignored, Requirement, Selected, Selection, Target
from receivers.kargo import generic
from receivers.kargo.configs import LARGE

WHEN = 'request.header("X-Event") == "push" and request.body.ref == "refs/heads/main"'
BODY = {"ref": "refs/heads/main", "repo": "https://git.example.com/team/app.git", "team": "a", "five": 5.0, "tag": "5"}


def request(body: object = BODY, **headers: str) -> generic.Request:
    told = {"x-event": "push"} | {name.replace("_", "-"): value for name, value in headers.items()}
    return generic.Request(body=body, headers=told, query={"team": "a"}, received_at=datetime(2026, 3, 1, tzinfo=UTC))


def action(when: str = "", *criteria: dict[str, Any], **members: Any) -> dict[str, Any]:  # noqa: ANN401 - any JSON
    selected = list(criteria) or [{"kind": "Warehouse", "name": "app"}]
    return {"action": "Refresh", "whenExpression": when, "targetSelectionCriteria": selected, **members}


def configuration(*actions: dict[str, Any]) -> bytes:
    return json.dumps({"secretRef": {"name": "s"}, "actions": actions}).encode()


def act(*actions: dict[str, Any], told: generic.Request | None = None) -> list[Event]:
    return generic.act(configuration(*actions), told or request())


def selection(criterion: dict[str, Any], **members: Any) -> Selection:  # noqa: ANN401 - any JSON
    (event,) = act(action("", {"kind": "Warehouse", **criterion}, **members))
    assert isinstance(event, Selected), event
    (found,) = event.selections
    return found


def faulty(criterion: dict[str, Any]) -> str:
    (event,) = act(action("", {"kind": "Warehouse", **criterion}))
    assert isinstance(event, Faulty)
    assert event.matched
    return event.reason


# When


@pytest.mark.parametrize(
    "when",
    [
        "",
        WHEN,
        'request.params("team") == "a" && request.headers("x-event") == ["push"] && request.headers("none") == []',
        'request.params("none") == "" and request.header("none") == ""',
        "params.flag == true",
        'now() == date("2026-03-01") and params.day == "2026-03-01T00:00:00Z"',
        'normalizeGit("git@git.example.com:team/app.git") == normalizeGit("ssh://git@git.example.com/team/app")',
        'normalizeImage("nginx") == normalizeImage("docker.io/library/nginx") and normalizeChart("oci://r/c") != ""',
    ],
)  # fmt: skip
def test_an_action_applies_where_its_expression_is_true(when: str) -> None:
    (event,) = act(action(when, parameters={"flag": "${{ request.body.five == 5 }}", "day": "${{ now() }}"}))
    assert isinstance(event, Selected), event


def test_an_action_does_not_apply_where_it_is_false() -> None:
    assert act(action(WHEN), told=request(x_event="ping")) == [Ignored("Request did not match whenExpression")]


@pytest.mark.parametrize(
    "when",
    ["1", '"true"', "request.body.none.deeper", "unknown()", "((", "request.body.five % 2 == 1", "1 +", "nil",
     "all(1..1000000000, # > 0)"],
)  # fmt: skip
def test_an_expression_that_fails_is_told_as_such(when: str) -> None:
    (event,) = act(action(when))
    assert isinstance(event, Faulty)
    assert not event.matched
    assert event.reason.startswith("Error evaluating whenExpression: ")


def test_an_empty_body_is_nil() -> None:
    assert isinstance(act(action("request.body == nil"), told=request(None))[0], Selected)


def test_each_action_is_judged_by_itself_in_order() -> None:
    events = act(action("true"), action("false"), action("1"), action("true", {"kind": "Stage"}))
    assert [type(event) for event in events] == [Selected, Ignored, Faulty, Faulty]


def test_another_action_than_refresh_is_faulty() -> None:
    assert act(action(action="Delete")) == [Faulty("action Delete is none", matched=True)]


# What it selects


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("app", "app"),
        ("${{ request.body.team }}-app", "a-app"),
        ("${{ request.body.tag }}", "5"),
        ("${% params.name %}", "from-parameters"),
        ("${{ quote(request.body.tag) }}", "5"),
        ("", None),
    ],
)  # fmt: skip
def test_a_name_is_a_template(name: str, found: str | None) -> None:
    assert selection({"name": name}, parameters={"name": "from-parameters"}).name == found


@pytest.mark.parametrize(
    "name", ["${{ request.body.five }}", "${{ request.body.none }}", "${{ [1] }}", "${{ ", "${{ ( }}"]
)
def test_a_name_that_is_no_text_is_faulty(name: str) -> None:
    assert faulty({"name": name}).startswith("Error evaluating targetSelectionCriteria: ")


def test_labels_are_wanted_as_kubernetes_says() -> None:
    labels = {
        "matchLabels": {"team": "${{ request.body.team }}"},
        "matchExpressions": [
            {"key": "example.com/tier", "operator": "NotIn", "values": ["${{ request.body.tag }}", "b"]},
            {"key": "app", "operator": "Exists"},
        ],
    }
    assert selection({"labelSelector": labels}).labels == (
        Requirement("team", "In", ("a",)),
        Requirement("example.com/tier", "NotIn", ("5", "b")),
        Requirement("app", "Exists"),
    )


@pytest.mark.parametrize(
    "expression",
    [
        {"key": "team", "operator": "Equals", "values": ["a"]},
        {"key": "team", "operator": "In", "values": []},
        {"key": "team", "operator": "Exists", "values": ["a"]},
        {"key": "no label", "operator": "Exists"},
        {"key": "", "operator": "Exists"},
        {"key": "team", "operator": "In", "values": ["${{ request.body.ref }}"]},
    ],
)
def test_labels_that_kubernetes_would_refuse_are_faulty(expression: dict[str, Any]) -> None:
    assert faulty({"labelSelector": {"matchExpressions": [expression]}})


def test_all_indices_of_a_criterion_count() -> None:
    indices = [
        {"key": "subscribedURLs", "operator": "Equals", "value": "${{ normalizeGit(request.body.repo) }}"},
        {"key": "subscribedURLs", "operator": "NotEquals", "value": "registry.example.com/x"},
    ]
    assert selection({"indexSelector": {"matchIndices": indices}}).subscribed_to == (
        Requirement("subscribedURLs", "In", ("https://git.example.com/team/app",)),
        Requirement("subscribedURLs", "NotIn", ("registry.example.com/x",)),
    )


@pytest.mark.parametrize(
    "index",
    [
        {"key": "receiverPaths", "operator": "Equals", "value": "x"},
        {"key": "subscribedURLs", "operator": "In", "value": "x"},
        {"key": "subscribedURLs", "operator": "Equals", "value": "${{ 1 }}"},
    ],
)
def test_indices_that_there_are_not_are_faulty(index: dict[str, Any]) -> None:
    assert faulty({"indexSelector": {"matchIndices": [index]}})


def test_what_is_selected_by_fits_a_message() -> None:
    told = request({"name": "x" * limits.SELECTED})
    (event,) = act(action("", {"kind": "Warehouse", "name": "${{ request.body.name }}"}), told=told)
    assert isinstance(event, Faulty)
    assert "longer than any" in event.reason


def test_promotions_cannot_be_selected() -> None:
    assert "kind Promotion cannot be selected" in faulty({"kind": "Promotion"})


# Odd configurations


@pytest.mark.parametrize("odd", [b"x", b"[]", b'{"actions": 7}', b'{"actions": [{"parameters": {"a": 1}}]}', b"\xff"])
def test_actions_that_cannot_be_read_are_faulty(odd: bytes) -> None:
    assert generic.act(odd, request()) == [Faulty("the receiver's actions cannot be read")]
    assert list(generic.faults(odd)) == ["the receiver's actions cannot be read"]


def test_actions_that_are_too_large_are_told_as_such() -> None:
    (event,) = generic.act(LARGE, request())
    assert event == Faulty("the receiver's actions are more than 16384 bytes of JSON")
    assert list(generic.faults(LARGE)) == ["the receiver's actions are more than 16384 bytes of JSON"]


def test_without_a_configuration_there_are_no_actions() -> None:
    assert generic.act(b"", request()) == [Ignored("the receiver has no actions")]


def test_all_actions_of_a_delivery_share_a_bounded_effort() -> None:
    costly = action('any(1..100, repeat("x", 50) matches "y")')
    events = act(*[costly] * 40)
    assert isinstance(events[0], Ignored | Faulty)
    assert len(events) == 40


def test_faults_are_seen_without_a_request() -> None:
    found = list(generic.faults(configuration(action("true"), action("((", {"kind": "Warehouse"}))))
    assert len(found) == 1
    assert found[0].startswith("actions[1].whenExpression: ")
    assert len(found[0]) < 2 * limits.FREE_TEXT


# What is told

TARGETS = [(Target("kargo-demo", "app"), True), (Target("kargo-demo", "other"), False)]
SELECTED = Selected(selections=())


def result(event: Event, targets: list[tuple[Target, bool]] | None = None, **members: Any) -> dict[str, object]:  # noqa: ANN401
    (configured,) = generic.actions(configuration(action("", **members)))
    return dict(generic.result(configured, event, targets or []))


@pytest.mark.parametrize(
    ("event", "targets", "matched", "ended", "summary"),
    [
        (SELECTED, TARGETS[:1], True, "Success", "Refreshed 1 of 1 selected resources"),
        (SELECTED, TARGETS, True, "PartialSuccess", "Refreshed 1 of 2 selected resources"),
        (SELECTED, TARGETS[1:], True, "Failure", "Refreshed 0 of 1 selected resources"),
        (SELECTED, [], True, "Success", "Refreshed 0 of 0 selected resources"),
        (Ignored("x"), [], False, "NotApplicable", "Request did not match whenExpression"),
        (Faulty("x"), [], False, "Error", "Error evaluating whenExpression"),
        (Faulty("x", matched=True), [], True, "Error", "Error evaluating targetSelectionCriteria"),
    ],
)
def test_results_are_in_kargo_s_words(
    event: Event, targets: list[tuple[Target, bool]], matched: bool, ended: str, summary: str
) -> None:
    told = result(event, targets)
    assert told["matchedWhenExpression"] is matched
    assert (told["result"], told["summary"]) == (ended, summary)
    assert ("selectedTargets" in told) is bool(targets)


def test_a_result_repeats_the_action_as_it_was_configured() -> None:
    criterion = {
        "kind": "Warehouse",
        "name": "${{ request.body.team }}",
        "labelSelector": {
            "matchLabels": {"b": "1", "a": "2"},
            "matchExpressions": [{"key": "c", "operator": "Exists"}],
        },
    }
    (configured,) = generic.actions(
        configuration(action("true", criterion, {"kind": "Warehouse", "name": ""}, parameters={"z": "1", "a": "2"}))
    )
    assert json.dumps(generic.result(configured, SELECTED, TARGETS[:1])) == json.dumps(
        {
            "action": "Refresh",
            "whenExpression": "true",
            "parameters": {"a": "2", "z": "1"},
            "targetSelectionCriteria": [
                {
                    "kind": "Warehouse",
                    "name": "${{ request.body.team }}",
                    "labelSelector": {
                        "matchLabels": {"a": "2", "b": "1"},
                        "matchExpressions": [{"key": "c", "operator": "Exists"}],
                    },
                    "indexSelector": {},
                },
                {"kind": "Warehouse", "labelSelector": {}, "indexSelector": {}},
            ],
            "matchedWhenExpression": True,
            "selectedTargets": [{"namespace": "kargo-demo", "name": "app", "success": True}],
            "result": "Success",
            "summary": "Refreshed 1 of 1 selected resources",
        }
    )


def test_an_action_without_criteria_has_none_to_repeat() -> None:
    told = result(SELECTED, targetSelectionCriteria=[])
    assert "targetSelectionCriteria" not in told
    assert "parameters" not in told


@pytest.mark.parametrize(
    "when",
    [
        "int(request.body.said) == 1",
        "float(request.body.said) == 1",
        '"x" matches request.body.said',
        "request.body.said",
        "fromJSON(request.body.said) == 1",
        "request.body.said + 1 == 2",
        "request.body[request.body.said].x",
        'fromBase64(request.body.said) == "x"',
        'repeat(request.body.said, -1) == ""',
        '{"a": 1}[request.body.said].b',
        "request.body.said.x",
        "request.body.said % 2 == 1",
        "sum([request.body.said]) == 1",
        "get(request.body, request.body.said).x == 1",
    ],
)
def test_no_fault_repeats_what_a_sender_said(when: str) -> None:
    labelled = {"kind": "Warehouse", "labelSelector": {"matchLabels": {"a": "${{ request.body.said }}"}}}
    named = {"kind": "Warehouse", "name": f"${{{{ {when} }}}}"}
    events = act(action(when), action("", labelled), action("", named), told=request({"said": "(canary[" * 3}))
    assert not [event for event in events if "canary" in getattr(event, "reason", "")]


# What may be selected, before anything is posted


@pytest.mark.parametrize(
    ("criterion", "possible"),
    [
        ({"name": "app"}, Selection(name="app")),
        ({"name": "${{ request.body.name }}"}, Selection()),
        ({"name": "${% request.body.name %}"}, Selection()),
        (
            {"labelSelector": {"matchLabels": {"team": "a", "tier": "${{ request.body.tier }}"}}},
            Selection(labels=(Requirement("team", "In", ("a",)),)),
        ),
        (
            {
                "labelSelector": {
                    "matchExpressions": [
                        {"key": "team", "operator": "Exists"},
                        {"key": "tier", "operator": "In", "values": ["a", "${{ request.body.tier }}"]},
                    ]
                }
            },
            Selection(labels=(Requirement("team", "Exists"),)),
        ),
        (
            {
                "indexSelector": {
                    "matchIndices": [
                        {"key": "subscribedURLs", "operator": "Equals", "value": "team/app"},
                        {"key": "subscribedURLs", "operator": "Equals", "value": "${{ request.body.image }}"},
                    ]
                }
            },
            Selection(subscribed_to=(Requirement("subscribedURLs", "In", ("team/app",)),)),
        ),
    ],
)
def test_what_depends_on_the_request_is_taken_to_be_met(criterion: dict[str, Any], possible: Selection) -> None:
    found = generic.selections(configuration(action("false", {"kind": "Warehouse", **criterion})))
    assert found == (possible,)


def test_what_never_selects_anything_is_left_out() -> None:
    other = {**action(), "action": "Other"}
    assert generic.selections(configuration(other, action("", {"kind": "Stage"}), action())) == (Selection(name="app"),)
    assert generic.selections(b"[") == ()
