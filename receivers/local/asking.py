"""Asks a running service for what its pages show, as JSON."""

import argparse
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

import aiohttp

from receivers.local import cluster
from receivers.local.addresses import base_url

TIMEOUT = aiohttp.ClientTimeout(total=240)  # seconds; delivering much again takes long
UNAUTHORIZED = 401
OPEN = "none"  # shown to a service that needs no key


class Declined(Exception):
    """The service did not do as asked, or did not answer. The text says why; no key is in it."""


@dataclass(slots=True)
class Service:
    """A running service. As a context manager it keeps its connection."""

    url: str
    key: str = field(repr=False)
    _session: aiohttp.ClientSession | None = None

    async def get(self, path: str, **query: str) -> dict[str, Any]:
        """A page's document. Raises :class:`Declined`."""
        return await self._ask("GET", path, query=query)

    async def post(self, path: str, **form: str) -> dict[str, Any]:
        """Have something done. Raises :class:`Declined`."""
        return await self._ask("POST", path, form=form)

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(timeout=TIMEOUT, headers={"X-Pages-Key": self.key or OPEN})
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._session is not None:
            await self._session.close()

    async def _ask(
        self, method: str, path: str, *, query: Mapping[str, str] | None = None, form: Mapping[str, str] | None = None
    ) -> dict[str, Any]:
        assert self._session is not None  # noqa: S101 - for the type checker
        given = {name: value for name, value in (query or {}).items() if value}
        try:
            async with self._session.request(
                method, f"{self.url}{path}", params={**given, "format": "json"}, data=form, allow_redirects=False
            ) as response:
                return _document(self.url, response.status, await response.json())
        except aiohttp.InvalidURL:
            raise Declined(f"{self.url} is not a URL") from None
        except TimeoutError:
            raise Declined(f"{self.url} did not answer within {TIMEOUT.total:g} s") from None
        except (aiohttp.ContentTypeError, ValueError):
            raise Declined(f"{self.url} has no such page: is it a Kargo Receivers service?") from None
        except aiohttp.ClientError as error:
            raise Declined(
                f"{self.url} does not answer ({type(error).__name__}): is the service running there?"
            ) from None


def service(options: argparse.Namespace) -> Service:
    """The service that the command line, or else the settings, mean. Raises :class:`~receivers.local.errors.Unable`."""
    settings = cluster.checked(cluster.environment())
    return Service(base_url(settings, options.base_url), options.key or settings.pages_key)


def _document(url: str, status: int, content: Any) -> dict[str, Any]:  # noqa: ANN401 - any JSON
    if not isinstance(content, dict):
        raise Declined(f"the service answered {status}, and nothing that can be understood")
    if status == UNAUTHORIZED:
        raise Declined(f"{content.get('error') or 'the service wants its key'} Give it by --key, or set PAGES_KEY.")
    if status >= 400:  # noqa: PLR2004 - HTTP's errors
        told = content.get("error")
        raise Declined(str(told) if told else f"{url} answered {status}: is it a Kargo Receivers service?")
    return content
