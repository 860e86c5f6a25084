"""An outage drill in its short form: everything breaks once, and no delivery that was accepted is lost."""

from pathlib import Path

from bench.drill import drill
from bench.drill.plan import SHORT
from receivers.local.azurite import Azurite
from tests.cluster.servers import ApiServer


async def test_what_was_accepted_is_refreshed_whatever_breaks(
    real_api_server: ApiServer, azurite: Azurite, tmp_path: Path
) -> None:
    record = await drill.run(SHORT, real_api_server, azurite, tmp_path)
    assert record.broken() == []
    assert len(record.posts) == SHORT.deliveries
