"""The Function App: an HTTP function for each provider and each section of the pages, and two for health. Wiring only.

The only module that knows Azure Functions. https://learn.microsoft.com/azure/azure-functions/functions-reference-python
"""

import functools
import json
import logging
import os
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from urllib.parse import unquote

import azure.functions as func

from receivers import base_path, runtime, version
from receivers.cluster.credentials import CredentialsError
from receivers.deliveries import answers, readiness
from receivers.deliveries.delivery import new_id
from receivers.events import WebhookRequest
from receivers.importing import imported
from receivers.pages import SECTIONS
from receivers.providers import PROVIDERS
from receivers.retries.queue import QUEUE
from receivers.searches.queue import QUEUE as SEARCHES
from receivers.settings import SettingsError, storage_configured

logger = logging.getLogger("receivers")

PAGES = "receivers.pages.site"  # imported when a page is asked for first
PAGE_METHODS = [func.HttpMethod.GET, func.HttpMethod.HEAD, func.HttpMethod.POST]

type Handler = Callable[[func.HttpRequest], Awaitable[func.HttpResponse]]

# Receivers prove themselves by their URL and signature, and probes carry no key: no function key is asked for.
app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)


def receive(provider: str) -> Handler:
    """The function of one provider."""

    async def handle(req: func.HttpRequest) -> func.HttpResponse:
        try:
            service = await runtime.current()
        except (SettingsError, CredentialsError) as error:
            delivery_id = new_id(datetime.now(UTC))
            logger.error("delivery %s: this app is not ready: %s", delivery_id, error)  # noqa: TRY400 - it says all
            return _respond(answers.unavailable().identified(delivery_id))
        return _respond(await service.pipeline.deliver(_request(req), await runtime.provider(provider)))

    return handle


for provider in PROVIDERS:
    route = app.route(route=f"{provider}/{{*token}}", methods=[func.HttpMethod.POST, func.HttpMethod.OPTIONS])
    route(app.function_name(provider)(receive(provider)))


@app.function_name("healthz")
@app.route(route="healthz", methods=[func.HttpMethod.GET, func.HttpMethod.HEAD])
async def healthz(req: func.HttpRequest) -> func.HttpResponse:  # noqa: ARG001 - the shape of a function
    """200 while the process lives."""
    return func.HttpResponse(status_code=200)


@app.function_name("readyz")
@app.route(route="readyz", methods=[func.HttpMethod.GET, func.HttpMethod.HEAD])
async def readyz(req: func.HttpRequest) -> func.HttpResponse:  # noqa: ARG001 - the shape of a function
    """200 when deliveries can be matched and refreshed; else 503 and what is missing."""
    try:
        state = await (await runtime.current()).examined()
    except (SettingsError, CredentialsError) as error:
        _complain(str(error))
        state = readiness.not_configured(error)
    return func.HttpResponse(
        json.dumps({"version": version.shown(), **state.document}) + "\n",
        status_code=200 if state.ready else 503,
        mimetype="application/json",
    )


async def visit(req: func.HttpRequest) -> func.HttpResponse:
    """Show a page."""
    site = await imported(PAGES)
    page = await site.answer(_request(req), os.environ)
    return func.HttpResponse(page.body, status_code=page.status, headers=dict(page.headers))


for section in SECTIONS:
    route = app.route(route=f"{section}/{{*rest}}", methods=PAGE_METHODS)
    route(app.function_name(section)(visit))


@app.function_name("home")
@app.route(route="{*path}", methods=[func.HttpMethod.GET, func.HttpMethod.HEAD])
async def home(req: func.HttpRequest) -> func.HttpResponse:
    """Lead from the root to the first page. Nothing else is here: any other route comes before this one."""
    base = base_path.of(os.environ)
    if _path(req.url).removeprefix(base).strip("/"):
        return func.HttpResponse(status_code=404)
    site = await imported(PAGES)
    return func.HttpResponse(status_code=302, headers={"Location": base + site.START})


if storage_configured(os.environ):

    @app.function_name("retries")
    @app.queue_trigger(arg_name="message", queue_name=QUEUE, connection="AzureWebJobsStorage")
    async def retries(message: func.QueueMessage) -> None:
        """Try a delivery again that could not be refreshed when it arrived."""
        service = await runtime.current()
        if service.retries is None:
            raise RuntimeError("the retry queue is triggered, but not configured")
        await service.retries.handle(message.get_body())

    @app.function_name("searches")
    @app.queue_trigger(arg_name="message", queue_name=SEARCHES, connection="AzureWebJobsStorage")
    async def searches(message: func.QueueMessage) -> None:
        """Look again whether Kargo has found what was pushed."""
        service = await runtime.current()
        if service.searches is not None:
            await service.searches.handle(message.get_body())

    @app.function_name("clean")
    @app.timer_trigger(arg_name="timer", schedule="0 23 3 * * *")  # at a minute when little else is done
    async def clean(timer: func.TimerRequest) -> None:  # noqa: ARG001 - the shape of a function
        """Delete old rows of the journal, and receivers that are not used any more."""
        await (await runtime.current()).clean()


@functools.lru_cache(maxsize=16)
def _complain(complaint: str) -> None:
    """Log what an anonymous visitor is not told; once for each complaint, however often anybody asks."""
    logger.error("this app is not ready: %s", complaint)


def _request(req: func.HttpRequest) -> WebhookRequest:
    return WebhookRequest(
        method=req.method,
        path=_path(req.url),
        headers={name.lower(): value for name, value in req.headers.items()},
        query=dict(req.params),
        body=req.get_body(),
        received_at=datetime.now(UTC),
    )


def _path(url: str) -> str:
    """The path of a URL, percent-decoded. What stands before it is the sender's Host header, and may be no host."""
    return unquote("/" + url.partition("://")[2].partition("/")[2].partition("?")[0])


def _respond(answer: answers.Answer) -> func.HttpResponse:
    return func.HttpResponse(
        answer.encoded(), status_code=answer.status, headers=dict(answer.headers), mimetype="application/json"
    )
