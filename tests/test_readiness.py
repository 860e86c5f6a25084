"""What /readyz tells of the retry queue."""

import pytest

from receivers.local.azurite import Azurite
from testbed.servers import ApiServer
from tests.service import running_service, until

KEY = "retryQueueOldestDueSeconds"


@pytest.mark.parametrize("stored", [True, False])
async def test_it_tells_for_how_long_the_retry_queue_was_not_read(
    embedded_api_server: ApiServer, azurite: Azurite, stored: bool
) -> None:
    settings = {"AzureWebJobsStorage": azurite.connection_string} if stored else {}
    async with running_service(embedded_api_server.kubeconfig("admin"), **settings) as service:

        async def told() -> bool:
            age = (await service.ask("GET", "/readyz")).json()[KEY]
            return age == 0 if stored else age is None

        await until(told)
