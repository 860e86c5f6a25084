"""The sample projects are what a real cluster with Kargo would take."""

from pathlib import Path

import pytest

from receivers.local.embedded import BROKEN, DEMO, EmbeddedCluster, documents
from receivers.local.embedded.resources import WAREHOUSES
from testbed.servers import ApiServer


@pytest.mark.parametrize("sample", [DEMO, BROKEN], ids=["demo", "broken"])
async def test_a_real_api_server_accepts_the_sample(real_api_server: ApiServer, sample: Path) -> None:
    applied = await real_api_server.apply(*documents(sample))
    assert len(applied) == len(documents(sample))


def test_the_embedded_cluster_holds_the_demo() -> None:
    warehouses = EmbeddedCluster(documents(DEMO)).store.every(WAREHOUSES, "kargo-demo")
    names = [each["metadata"]["name"] for each in warehouses]
    assert names == ["guestbook", "guestbook-chart", "guestbook-config", "guestbook-next", "storefront", "toolbox"]
