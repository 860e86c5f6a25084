"""JSON within a form, as Git hosts can be told to post it: ``payload=%7B…``."""

import re
from urllib.parse import unquote_to_bytes

from receivers.events import WebhookRequest

_FORM = "application/x-www-form-urlencoded"
_FIELD = b"payload="
_BAD_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")


def payload(request: WebhookRequest) -> bytes:
    """The JSON of a request: the body, or what the form's first field holds, if that is ``payload``.

    In time that is linear in the body's length: a bad escape, which would cost much more, makes it no form.
    """
    content_type = request.header("content-type").partition(";")[0].strip().lower()
    if content_type != _FORM:
        return request.body
    if not request.body.startswith(_FIELD):
        return request.body
    field = request.body.removeprefix(_FIELD).partition(b"&")[0].replace(b"+", b" ")
    return request.body if _BAD_ESCAPE.search(field) else unquote_to_bytes(field)
