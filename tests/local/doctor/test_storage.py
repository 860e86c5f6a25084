"""What the doctor finds of the Storage account: one that cannot be used, and a retry queue that nobody reads."""

from collections.abc import Mapping

import pytest

from receivers import limits
from receivers.local.azurite import Azurite
from receivers.local.doctor import Severity, examine
from receivers.local.doctor.findings import Finding
from receivers.local.embedded import DEMO, EmbeddedCluster, documents


async def findings(settings: Mapping[str, str]) -> list[Finding]:
    """Those about the retry queue, of a sound cluster."""
    async with EmbeddedCluster(documents(DEMO), base_url="http://127.0.0.1:7071") as cluster:
        examination = await examine({"CLUSTER_SERVER": cluster.url, "CLUSTER_TOKEN": "none", **settings})
    assert {finding.subject for finding in examination.findings} <= {"retry queue"}
    return list(examination.findings)


async def test_a_queue_in_which_nothing_is_due_is_sound(azurite: Azurite) -> None:
    assert await findings({"AzureWebJobsStorage": azurite.connection_string}) == []


async def test_a_queue_that_nobody_reads_is_an_error(azurite: Azurite, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "QUEUE_UNREAD", -1.0)  # as if what is due now had been for long
    (finding,) = await findings({"AzureWebJobsStorage": azurite.connection_string})
    assert finding.severity is Severity.ERROR
    assert "nobody reads it: its oldest message has been due for 0 s" in finding.problem


async def test_an_account_that_cannot_be_used_is_a_warning() -> None:
    (finding,) = await findings({"AzureWebJobsStorage": "no connection string"})
    assert finding.severity is Severity.WARNING
    assert "is not valid" in finding.problem


async def test_a_name_and_a_url_of_different_accounts_are_an_error() -> None:
    named, unusable = await findings(
        {
            "AzureWebJobsStorage__accountName": "kargo",
            "AzureWebJobsStorage__queueServiceUri": "https://other.queue.core.windows.net",
            "AzureWebJobsStorage__tableServiceUri": "https://other.table.core.windows.net",
        }
    )
    assert named.severity is Severity.ERROR
    assert "https://kargo.queue.core.windows.net" in named.problem
    assert unusable.severity is Severity.WARNING
