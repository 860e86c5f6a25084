"""The line that says what became of a delivery."""

import logging
from datetime import UTC, datetime

import pytest

from receivers import limits
from receivers.cluster.refresher import Outcome, Result
from receivers.deliveries import answers, report
from receivers.deliveries.delivery import Delivery
from receivers.deliveries.matching import Refreshes
from receivers.directory.former import Asked, Former, Why
from receivers.events import (
    Decision,
    Event,
    Handshake,
    Ignored,
    Ping,
    PullRequestClosed,
    Pushed,
    Receiver,
    Target,
    TargetKind,
    UnknownReceiver,
)

RECEIVER = Receiver(provider="azure", name="acr", project="kargo-demo", source="a test")
PUSH = Pushed(repository_urls=("r.azurecr.io/team/app",), qualifiers=("1.2.3", "latest"))
REFRESHED = Outcome(result=Result.REFRESHED, attempts=1)


def delivery(*events: Event, answer: answers.Answer | None = None, **parts: object) -> Delivery:
    return Delivery(
        id="0193",
        received_at=datetime(2026, 11, 21, tzinfo=UTC),
        provider="azure",
        events=list(events),
        answer=answer or answers.refreshed(1),
        duration=0.0042,
        **{"receiver": RECEIVER, "matched": True} | parts,  # type: ignore[arg-type]  # mypy sees one type for all parts
    )


def target(name: str) -> Target:
    return Target("kargo-demo", name)


def decisions(refused: dict[str, str]) -> list[Decision]:
    return [Decision(target=target(name), refresh=False, reason=reason) for name, reason in refused.items()]


def test_a_refresh_is_told_in_one_line() -> None:
    refreshes = Refreshes(outcomes={target("app"): REFRESHED, target("web"): REFRESHED})
    line = report.line(delivery(PUSH, refreshes=refreshes, others=3))
    assert line == (
        "azure kargo-demo/acr: r.azurecr.io/team/app:1.2.3 -> 200 refreshed kargo-demo/app, kargo-demo/web [4 ms, 0193]"
    )


def test_what_was_not_refreshed_is_told_with_its_reason() -> None:
    refused = decisions({"app": "tag latest is not semver"})
    line = report.line(delivery(PUSH, decisions=refused, others=3, answer=answers.refreshed(0)))
    assert line == (
        "azure kargo-demo/acr: r.azurecr.io/team/app:1.2.3 -> 200 refreshed nothing; "
        "not kargo-demo/app (tag latest is not semver); 3 Warehouse(s) subscribe to other repositories [4 ms, 0193]"
    )


def test_failed_and_gone_warehouses_are_told_apart() -> None:
    outcomes = {
        target("app"): REFRESHED,
        target("failed"): Outcome(result=Result.FAILED, attempts=3, error="503 overloaded"),
        target("gone"): Outcome(result=Result.GONE, attempts=1),
    }
    line = report.line(delivery(PUSH, refreshes=Refreshes(outcomes=outcomes), answer=answers.failed(1, 2)))
    assert "-> 503 refreshed kargo-demo/app; not yet kargo-demo/failed (503 overloaded); gone kargo-demo/gone [" in line


def test_many_warehouses_are_counted() -> None:
    refused = decisions({f"app-{number}": "no" for number in range(7)})
    assert report.line(delivery(PUSH, decisions=refused)).endswith("kargo-demo/app-4 (no) and 2 more [4 ms, 0193]")


@pytest.mark.parametrize(
    ("event", "described"),
    [
        (Pushed(repository_urls=("r/app",)), "r/app (untagged)"),
        (Pushed(repository_urls=()), "(no repository) (untagged)"),
        (Ping(), "ping"),
        (Handshake(body={"validationResponse": "s3cr3t"}), "handshake"),
        (Ignored("action delete is not supported"), "ignored, action delete is not supported"),
    ],
)
def test_every_event_has_a_description(event: Event, described: str) -> None:
    assert report.line(delivery(event)).startswith(f"azure kargo-demo/acr: {described} -> 200")


def test_an_unmatched_delivery_tells_why() -> None:
    line = report.line(delivery(PUSH, error="no answer within 5 s", answer=answers.unavailable()))
    assert line == "azure kargo-demo/acr: r.azurecr.io/team/app:1.2.3 -> 503 no answer within 5 s [4 ms, 0193]"


def test_a_refused_delivery_tells_why() -> None:
    line = report.line(delivery(receiver=None, error="no such receiver", answer=answers.Answer(status=404)))
    assert line == "azure (no receiver): no such receiver -> 404 [4 ms, 0193]"


def test_a_receiver_of_the_cluster_is_named_so() -> None:
    receiver = Receiver(provider="azure", name="all", project=None, source="a test")
    assert report.line(delivery(Ping(), receiver=receiver)).startswith("azure (cluster)/all: ping")


@pytest.mark.parametrize("hostile", ["a\nazure x/y: forged", "\x1b[2J", "\u202e", "\u2028", "\x00", "\x85", "\r"])
def test_nothing_a_sender_writes_makes_another_line(hostile: str) -> None:
    push = Pushed(repository_urls=(f"r/{hostile}",), qualifiers=(hostile,))
    line = report.line(delivery(push, Ignored(hostile), error=hostile))
    assert line.isprintable()
    assert len(line.splitlines()) == 1


def test_the_longest_names_leave_the_line_readable() -> None:
    longest = "x" * limits.NAME
    push = Pushed(repository_urls=(longest,), qualifiers=(longest,))
    assert len(report.line(delivery(*[push] * limits.BATCH))) < 2 * report.NAMED * (limits.NAME_SHOWN + 50)


@pytest.mark.parametrize(
    ("answer", "level"),
    [
        (answers.refreshed(0), logging.INFO),
        (answers.Answer(status=404), logging.INFO),
        (answers.failed(1, 1), logging.WARNING),
        (answers.unavailable(), logging.WARNING),
    ],
)
def test_what_the_operator_should_look_at_is_a_warning(
    caplog: pytest.LogCaptureFixture, answer: answers.Answer, level: int
) -> None:
    caplog.set_level(logging.INFO, report.logger.name)
    report.log(delivery(Ping(), answer=answer))
    ((_, logged, message),) = caplog.record_tuples
    assert (logged, message) == (level, report.line(delivery(Ping(), answer=answer)))


def test_promotions_are_told_as_such() -> None:
    rollout = Target("kargo-demo", "rollout", TargetKind.PROMOTION)
    closed = PullRequestClosed(url="https://git.example.com/team/app/pull/7")
    refreshed = delivery(
        closed,
        refreshes=Refreshes(outcomes={rollout: REFRESHED}),
        decisions=[Decision(target=rollout, refresh=True, reason="waits for this pull request")],
    )
    told = "azure kargo-demo/acr: pull request https://git.example.com/team/app/pull/7 -> 200 refreshed"
    assert report.line(refreshed) == f"{told} Promotion kargo-demo/rollout [4 ms, 0193]"
    assert report.line(delivery(closed)) == f"{told} nothing; no Promotion waits for it [4 ms, 0193]"


def test_a_request_to_a_former_url_is_told_with_the_receiver_that_had_it() -> None:
    former = Former.of(RECEIVER, "0" * 64, why=Why.ROTATED, now=datetime(2026, 11, 21, 10, 32, tzinfo=UTC))
    asked = Asked(former=former, is_news=True)
    refused = answers.refused(UnknownReceiver())
    line = report.line(delivery(answer=refused, receiver=None, former=asked, error=former.told))
    assert line == (
        "azure kargo-demo/acr: this was the URL of receiver acr of project kargo-demo until 2026-11-21 10:32 UTC; "
        "its Secret was rotated: register the new URL with the sender -> 404 [4 ms, 0193]"
    )
