"""Subscriptions that no receiver can tell of, so that Kargo finds what is pushed when it polls."""

from collections.abc import Sequence
from itertools import islice

from receivers.directory import coverage
from receivers.directory.coverage import Tellers
from receivers.kargo import verdicts, words
from receivers.local.doctor.findings import Finding, Severity
from receivers.runtime import Runtime

NAMED = 3  # subscriptions


async def check(service: Runtime) -> Sequence[Finding]:
    """One finding for all of them, with the first by name."""
    tellers = await Tellers.among(service.directory.receivers())
    survey = await coverage.survey(service.mirror, tellers)
    if not survey.only_polled:
        return []
    looks = (coverage.look(service.mirror, tellers, target) for target in survey.untold)
    named = (f"{look.target} to {verdicts.shown(words.repository(each.url))}" for look in looks for each in look.untold)
    first = ", ".join(islice(named, NAMED))
    told = "subscription is" if survey.only_polled == 1 else "subscriptions are"
    return [
        Finding(
            severity=Severity.WARNING,
            subject="coverage",
            problem=f"{survey.only_polled} {told} only polled, since no receiver can tell of what is pushed: {first}"
            + (" and others" if survey.only_polled > NAMED else ""),
            remedy="add a receiver: `kargo-receivers warehouses --only-uncovered --snippets` prints one for each",
        )
    ]
