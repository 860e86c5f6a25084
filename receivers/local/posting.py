"""One request to a running service, as a sender makes it."""

import time
from collections.abc import Mapping
from dataclasses import dataclass

import aiohttp

TIMEOUT = aiohttp.ClientTimeout(total=30)  # seconds; a cold start in Azure takes some
SHOWN = 2000  # characters of a body; a service's own answers are short, a gateway's page is not


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What came back; ``error`` says why nothing did."""

    status: int = 0
    body: str = ""
    delivery_id: str = ""
    milliseconds: int = 0
    error: str = ""

    @property
    def good(self) -> bool:
        """Whether the service took it."""
        return 200 <= self.status < 300  # noqa: PLR2004 - HTTP's successes

    def __str__(self) -> str:
        return self.error or f"{self.status} {self.body}".rstrip()

    @property
    def document(self) -> dict[str, object]:
        """As JSON."""
        return {
            "status": self.status or None,
            "body": self.body,
            "deliveryId": self.delivery_id or None,
            "milliseconds": self.milliseconds,
            "error": self.error or None,
        }


async def post(url: str, headers: Mapping[str, str], body: bytes) -> Reply:
    """Post a delivery. Raises nothing: that no answer came is a reply too."""
    return await _request("POST", url, headers, body)


async def get(url: str) -> Reply:
    """Ask for a page, as :func:`post` posts."""
    return await _request("GET", url, {}, None)


async def _request(method: str, url: str, headers: Mapping[str, str], body: bytes | None) -> Reply:
    began = time.monotonic()
    try:
        async with (
            aiohttp.ClientSession(timeout=TIMEOUT) as session,
            session.request(method, url, headers=headers, data=body, allow_redirects=False) as response,
        ):
            text = await response.text(errors="replace")
            return Reply(
                status=response.status,
                body=text.strip()[:SHOWN],
                delivery_id=response.headers.get("X-Delivery-Id", ""),
                milliseconds=round((time.monotonic() - began) * 1000),
            )
    except aiohttp.InvalidURL:
        return Reply(error="no answer: this is not a URL")
    except TimeoutError:
        return Reply(error=f"no answer within {TIMEOUT.total:g} s")
    except aiohttp.ClientError as error:  # its text may hold the URL
        return Reply(error=f"no answer ({type(error).__name__}): is the service running there?")
