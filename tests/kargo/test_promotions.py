"""Which Promotions wait for a pull request, whatever stands in them."""

import json
import time

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from receivers import limits
from receivers.events import Target, TargetKind
from receivers.kargo.promotions import REASON, PullRequestIndex, pull_requests

URL = "https://git.example.com/team/app/pull/7"
STEPS = [{"uses": "git-clone"}, {"uses": "git-open-pr", "as": "open"}, {"uses": "git-wait-for-pr", "as": "wait"}]
STATE = {"open": {"pr": {"url": "https://git.example.com/open"}}, "wait": {"pr": {"id": 7, "url": URL}}}


def encoded(value: object) -> msgspec.Raw:
    return msgspec.Raw(json.dumps(value).encode())


def waits_for(steps: object = STEPS, **status: object) -> tuple[str, ...]:
    told = {"phase": "Running", "currentStep": 2, "state": STATE} | status
    return pull_requests(encoded(steps), encoded(told))


def test_a_running_promotion_waits_for_the_pull_request_of_its_step() -> None:
    assert waits_for() == (URL,)


@pytest.mark.parametrize("phase", ["Pending", "Succeeded", "Failed", "running", "", None, 1])
def test_one_that_does_not_run_waits_for_nothing(phase: object) -> None:
    assert waits_for(phase=phase) == ()


def test_a_step_that_is_not_reached_does_not_count() -> None:
    assert waits_for(currentStep=1) == ()


def test_without_a_current_step_the_first_one_counts() -> None:
    told = {"phase": "Running", "state": STATE}
    assert pull_requests(encoded(STEPS[2:]), encoded(told)) == (URL,)
    assert pull_requests(encoded(STEPS), encoded(told)) == ()


def test_a_step_that_is_over_still_counts() -> None:
    assert waits_for([STEPS[2], {"uses": "git-wait-for-pr", "as": "open"}], currentStep=1) == (
        URL,
        "https://git.example.com/open",
    )


def test_the_url_stays_as_it_is() -> None:
    odd = " HTTPS://Git.Example.com/Team/App/pull/7/?a=%20#x "
    assert waits_for(state={"wait": {"pr": {"url": odd}}}) == (odd,)


@pytest.mark.parametrize(
    "step", [{"uses": "git-wait-for-pr"}, {"uses": "git-wait-for-pr", "as": ""}, {"as": "wait"}, 1, "x", None, []]
)
def test_a_step_without_a_name_or_of_another_kind_does_not_count(step: object) -> None:
    assert waits_for([step]) == ()


@pytest.mark.parametrize("name", ["émile", "a b", "<&>", "x" * 253])
def test_the_name_of_a_step_may_be_any_text(name: str) -> None:
    assert waits_for([{"uses": "git-wait-for-pr", "as": name}], state={name: {"pr": {"url": URL}}}) == (URL,)


@pytest.mark.parametrize("name", ['"', "\\", "\n", "x" * 254])
def test_a_name_that_kargo_refuses_does_not_count(name: str) -> None:
    assert waits_for([{"uses": "git-wait-for-pr", "as": name}], state={name: {"pr": {"url": URL}}}) == ()


@pytest.mark.parametrize(
    "state",
    [None, 1, "x", [], {}, {"wait": 1}, {"wait": {}}, {"wait": {"pr": 1}}, {"wait": {"pr": {}}}]
    + [{"wait": {"pr": {"url": url}}} for url in (None, 1, "", [URL], "x" * (limits.NAME + 1))],
)
def test_a_state_that_names_no_pull_request_yields_nothing(state: object) -> None:
    assert waits_for(state=state) == ()


@pytest.mark.parametrize("step", [-1, 1.5, "2", [], 10**30])
def test_an_odd_current_step_yields_nothing_or_all(step: object) -> None:
    assert waits_for(currentStep=step) in ((), (URL,))


@pytest.mark.parametrize(("steps", "status"), [(b"null", b"null"), (b"{}", b"[]"), (b"1", b'{"phase":"Running"}')])
def test_what_is_no_promotion_waits_for_nothing(steps: bytes, status: bytes) -> None:
    assert pull_requests(msgspec.Raw(steps), msgspec.Raw(status)) == ()


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.sampled_from(["wait", "pr", "url"]), inner),
)


@given(steps=anything, status=anything, step=anything, state=anything)
def test_whatever_a_promotion_holds_is_read(steps: object, status: object, step: object, state: object) -> None:
    pull_requests(encoded(steps), encoded(status))
    assert isinstance(waits_for(currentStep=step, state=state), tuple)


def test_a_promotion_of_many_steps_has_only_so_many_pull_requests() -> None:
    names = [f"wait-{position}" for position in range(limits.PROMOTION_PULL_REQUESTS + 5)]
    steps = [{"uses": "git-wait-for-pr", "as": name} for name in names]
    state = {name: {"pr": {"url": f"{URL}/{name}"}} for name in names}
    found = waits_for(steps, currentStep=1000, state=state)
    assert len(found) == limits.PROMOTION_PULL_REQUESTS
    assert found[-1] == state[names[-1]]["pr"]["url"]  # the one under way is among them


def test_a_large_state_is_passed_over() -> None:
    state = {f"{position}": [position] * 3 for position in range(60_000)} | STATE
    steps, status = encoded(STEPS), encoded({"phase": "Running", "currentStep": 2, "state": state})
    began = time.process_time()
    assert pull_requests(steps, status) == (URL,)
    assert time.process_time() - began < 0.5


# The index

ONE = Target("demo", "one", TargetKind.PROMOTION)
TWO = Target("demo", "two", TargetKind.PROMOTION)
OTHER = Target("other", "one", TargetKind.PROMOTION)


@pytest.fixture
def index() -> PullRequestIndex:
    index = PullRequestIndex()
    for target in (TWO, ONE, OTHER):
        index.put(target, (URL,))
    return index


def waiting(index: PullRequestIndex, url: str = URL, project: str | None = None) -> list[Target]:
    return [decision.target for decision in index.decisions(url, project=project)]


def test_a_projects_receiver_finds_its_own_promotions(index: PullRequestIndex) -> None:
    assert waiting(index, project="demo") == [ONE, TWO]
    assert waiting(index) == [ONE, TWO, OTHER]


def test_the_url_is_compared_as_it_is(index: PullRequestIndex) -> None:
    assert waiting(index, URL.upper()) == waiting(index, f"{URL}/") == waiting(index, "") == []


def test_the_decision_says_why(index: PullRequestIndex) -> None:
    (decision,) = index.decisions(URL, project="other")
    assert decision.refresh
    assert decision.reason == REASON


def test_a_promotion_that_goes_on_waits_no_longer(index: PullRequestIndex) -> None:
    index.put(ONE, ("https://git.example.com/8",))
    index.put(TWO, ())
    index.remove(OTHER)
    index.remove(OTHER)
    assert waiting(index) == []
    assert waiting(index, "https://git.example.com/8") == index.targets() == [ONE]
    assert (len(index), index.count("demo"), index.count("other")) == (1, 1, 0)
    assert ONE in index
    assert TWO not in index


def test_a_lookup_of_what_nobody_waits_for_keeps_nothing(index: PullRequestIndex) -> None:
    waiting(index, "https://git.example.com/unknown")
    for target in (ONE, TWO, OTHER):
        index.remove(target)
    assert index.__dict__ == PullRequestIndex().__dict__
