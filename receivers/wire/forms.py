"""JSON within a form, as Git hosts can be told to post it: ``payload=%7B…``."""

from urllib.parse import unquote_to_bytes

from receivers.events import WebhookRequest

_FORM = "application/x-www-form-urlencoded"
_FIELD = b"payload="


def payload(request: WebhookRequest) -> bytes:
    """The JSON of a request: the body, or what the form's field ``payload`` holds."""
    content_type = request.header("content-type").partition(";")[0].strip().lower()
    if content_type != _FORM:
        return request.body
    for field in request.body.split(b"&"):
        if field.startswith(_FIELD):
            return unquote_to_bytes(field.removeprefix(_FIELD).replace(b"+", b" "))
    return request.body
