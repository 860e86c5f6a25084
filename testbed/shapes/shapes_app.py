"""Functions of many shapes, which tell what reached them."""

import json

import azure.functions as func

from testbed.gate import GATE

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)


def told(req: func.HttpRequest, function: str) -> func.HttpResponse:
    seen = {
        "function": function,
        "method": req.method,
        "url": req.url,
        "headers": dict(req.headers),
        "query": dict(req.params),
        "route": dict(req.route_params),
        "body": req.get_body().hex(),
    }
    return func.HttpResponse(json.dumps(seen), mimetype="application/json")


@app.route("echo")
async def echo(req: func.HttpRequest) -> func.HttpResponse:
    return told(req, "echo")


@app.route("items/{id}", methods=["GET"])
async def read_item(req: func.HttpRequest) -> func.HttpResponse:
    return told(req, "read_item")


@app.route("items/{id}", methods=["post", "PUT"])
async def write_item(req: func.HttpRequest) -> func.HttpResponse:
    return told(req, "write_item")


@app.route("items/latest")
async def latest_item(req: func.HttpRequest) -> func.HttpResponse:
    return told(req, "latest_item")


@app.route("files/{*rest}", auth_level=func.AuthLevel.FUNCTION)
async def files(req: func.HttpRequest) -> func.HttpResponse:
    return told(req, "files")


@app.route()
async def unrouted(req: func.HttpRequest) -> func.HttpResponse:
    return told(req, "unrouted")


@app.route("sync")
def sync(req: func.HttpRequest) -> func.HttpResponse:
    return told(req, "sync")


@app.route("text")
async def text(req: func.HttpRequest) -> str:
    return "grüße"


@app.route("bytes")
async def raw(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse(req.get_body(), mimetype="application/octet-stream", headers={"X-Kind": "raw"})


@app.route("nothing")
async def nothing(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse("never sent", status_code=204, headers={"Content-Length": "5"})


@app.route("cookies")
async def cookies(req: func.HttpRequest) -> func.HttpResponse:
    response = func.HttpResponse("")
    response.headers.add("Set-Cookie", 'plain="a b"')
    response.headers.add(
        "Set-Cookie",
        "full=1; Domain=example.org; Path=/p; Max-Age=60; Secure; HttpOnly; SameSite=Strict; "
        "Expires=Thu, 01 Jan 2032 00:00:00 GMT",
    )
    return response


@app.route("fails")
async def fails(req: func.HttpRequest) -> func.HttpResponse:
    raise RuntimeError("out of luck")


@app.route("returns-nothing")
async def returns_nothing(req: func.HttpRequest) -> func.HttpResponse:
    return None  # type: ignore[return-value]  # what the worker library refuses


@app.route("umlaut-header")
async def umlaut_header(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse("", headers={"X-Greeting": "grüße"})


@app.route("gate")
async def waits(req: func.HttpRequest) -> func.HttpResponse:
    await GATE.pass_through()
    return func.HttpResponse("passed")


@app.generic_trigger("req", "httpTrigger", route="no-output")
async def no_output(req: func.HttpRequest) -> None:
    return None


@app.queue_trigger("message", "work", "AzureWebJobsStorage")
async def on_message(message: func.QueueMessage) -> None:
    return None


@app.timer_trigger("timer", "0 0 3 * * *")
@app.queue_output("out", "work", "AzureWebJobsStorage")
async def nightly(timer: func.TimerRequest, out: func.Out[str]) -> None:
    return None


@app.event_hub_message_trigger("event", "hub", "HubConnection")
async def on_event(event: func.EventHubEvent) -> None:
    return None
