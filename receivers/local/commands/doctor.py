"""``doctor``: what is wrong, and what to do about it."""

import argparse
import asyncio
from collections.abc import Iterator

from receivers.local import addresses, cluster
from receivers.local.commands import output
from receivers.local.doctor import Examination, Severity, examine
from receivers.settings import Settings

BASE_URL = "EXTERNAL_WEBHOOK_SERVER_BASE_URL"
MARKS = {"ok": "[ok]     ", "warning": "[warning]", "error": "[error]  "}


def run(options: argparse.Namespace) -> int:
    """Examine, and show the findings."""
    with cluster.quiet():
        variables = dict(cluster.environment())
        if options.base_url:
            variables[BASE_URL] = addresses.base_url(Settings(), options.base_url)
        examination = asyncio.run(examine(variables))
    document = {
        "complete": examination.complete,
        "lookedAt": examination.looked_at,
        "pages": examination.pages,
        "checks": [check.document for check in examination.checks],
        "findings": [finding.document for finding in examination.findings],
    }
    output.show(options.output, lines=lines(examination), document=document)
    if not examination.complete:
        return 2
    return 1 if _count(examination, Severity.ERROR) else 0


def lines(examination: Examination) -> Iterator[str]:
    """What was checked, the findings, errors first, and a summary."""
    width = max(len(check.name) for check in examination.checks)
    for check in examination.checks:
        yield f"{MARKS[check.result]} {check.name:<{width}}  {check.text}"
    yield ""
    for finding in sorted(examination.findings, key=lambda each: each.severity is Severity.WARNING):
        yield f"{finding.severity}: {finding.subject}: {finding.problem}"
        yield f"  {finding.remedy}"
    if examination.findings:
        yield ""
    if examination.complete:
        yield examination.looked_at
        yield examination.pages
        yield f"{_count(examination, Severity.ERROR)} error(s), {_count(examination, Severity.WARNING)} warning(s)"
    else:
        yield "the cluster was not looked at"


def _count(examination: Examination, severity: Severity) -> int:
    return sum(finding.severity is severity for finding in examination.findings)
