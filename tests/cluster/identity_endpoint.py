"""The managed identity endpoint of Azure App Service and Azure Functions, simulated.

The real one exists inside Azure only. What it answers is documented; the library that asks it here is the real one.
https://learn.microsoft.com/azure/app-service/overview-managed-identity#rest-endpoint-reference
"""

import asyncio
import time
from typing import Self

from aiohttp import web

SECRET_HEADER = "identity-header-canary"


class IdentityEndpoint:
    """Gives tokens ``token-1``, ``token-2``, … that are good for ``lifetime`` seconds; remembers the questions."""

    def __init__(self) -> None:
        self.asked: list[dict[str, str]] = []  # the query of each question
        self.lifetime = 24 * 3600
        self.status = 200
        self.answers = asyncio.Event()  # cleared: it hangs
        self.answers.set()
        self._port = 0

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    @property
    def environment(self) -> dict[str, str]:
        """The variables by which an app finds it."""
        return {"IDENTITY_ENDPOINT": f"http://127.0.0.1:{self._port}/msi/token", "IDENTITY_HEADER": SECRET_HEADER}

    async def start(self) -> None:
        """Starts it, on the same port when it was stopped."""
        self._runner = web.ServerRunner(web.Server(self._answer), shutdown_timeout=0)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self._port).start()
        self._port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        """Stops it: connections are refused."""
        await self._runner.cleanup()

    async def _answer(self, request: web.BaseRequest) -> web.Response:
        self.asked.append(dict(request.query))
        number = len(self.asked)
        await self.answers.wait()
        if request.headers.get("X-IDENTITY-HEADER") != SECRET_HEADER:
            return web.json_response({"statusCode": 401, "message": "no header"}, status=401)
        if self.status != 200:
            return web.json_response({"statusCode": self.status, "message": "told by the test"}, status=self.status)
        return web.json_response(
            {
                "access_token": f"token-{number}",
                "expires_on": str(int(time.time()) + self.lifetime),
                "resource": request.query["resource"],
                "token_type": "Bearer",
                "client_id": request.query.get("client_id", ""),
            }
        )
