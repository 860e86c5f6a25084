"""From what is to be shown to HTML or JSON, with the headers that keep a page safe."""

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from receivers.pages import wording
from receivers.pages.visits import Page

HERE = Path(__file__).parent
STATIC = {
    "style.css": "text/css",
    "live.js": "text/javascript",
    "here.js": "text/javascript",
    "icon.svg": "image/svg+xml",
}
AS_IT_IS = "!#$%&'()*+,/:;=?@[]"  # what a URL may hold beside letters and digits; escapes are not escaped again
DAY = 24 * 3600  # seconds
_CODE = re.compile("`([^`]+)`")
PLACEHOLDERS = ("REPLACE_ME", "REGISTRY", "TEAM", "APP", "$URL", "$SECRET")  # in commands and snippets
_PLACEHOLDER = re.compile(rf"(?<![\w.-])(?:{'|'.join(map(re.escape, PLACEHOLDERS))})(?![\w.-])")

# Nothing but our own stylesheet, script and icon; forms post to ourselves; nobody may frame a page.
POLICY = "; ".join(
    [
        "default-src 'none'",
        "style-src 'self'",
        "script-src 'self'",
        "connect-src 'self'",
        "img-src 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
    ]
)
# A referrer policy without any referrer would also take the Origin from our own forms.
SAFE = {"X-Content-Type-Options": "nosniff", "Referrer-Policy": "same-origin"}
PRIVATE = {**SAFE, "Cache-Control": "no-store", "Content-Security-Policy": POLICY}


def html(template: str, values: Mapping[str, Any], *, status: int = 200) -> Page:
    """A page for people. Everything in it is escaped, unless a template says otherwise, and none does."""
    text = _environment().get_template(template).render(**values, now=datetime.now(UTC))
    headers = {**PRIVATE, "Content-Type": "text/html; charset=utf-8"}
    return Page(status=status, headers=headers, body=text.encode(errors="replace"))


def document(content: Mapping[str, Any], *, status: int = 200) -> Page:
    """The same for programs."""
    headers = {**PRIVATE, "Content-Type": "application/json"}
    return Page(status=status, headers=headers, body=(json.dumps(content) + "\n").encode())


def file(name: str, content: bytes) -> Page:
    """Bytes to be saved. Whatever is in them, no browser shows or runs it."""
    headers = {
        **PRIVATE,
        "Content-Type": "application/octet-stream",
        "Content-Disposition": f'attachment; filename="{name}"',
    }
    return Page(status=200, headers=headers, body=content)


def redirect(location: str) -> Page:
    """Go on to another of our pages, by GET. A header is one line of ASCII, whatever the location is made of."""
    encoded = quote(location, safe=AS_IT_IS, errors="surrogatepass")
    return Page(status=303, headers={**PRIVATE, "Location": encoded}, body=b"")


def static(name: str) -> Page | None:
    """A file that pages refer to; None for any other. Its address changes with its content."""
    if name not in STATIC:
        return None
    headers = {**SAFE, "Content-Type": STATIC[name], "Cache-Control": f"public, max-age={DAY}, immutable"}
    return Page(status=200, headers=headers, body=_file(name))


@cache
def _file(name: str) -> bytes:
    return (HERE / "static" / name).read_bytes()


def _address(name: str) -> str:
    return f"/pages/{name}?v={sha256(_file(name)).hexdigest()[:12]}"


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    environment.globals.update(address=_address, wording=wording)
    environment.filters.update(
        utc=wording.utc, duration=wording.duration, ago=wording.ago, breakable=_breakable, coded=_coded, blanks=_blanks
    )
    return environment


def _breakable(name: str) -> Markup:
    """A repository's name, which a narrow page may break behind a slash."""
    return Markup("/<wbr>").join(escape(part) for part in name.split("/"))


def _coded(sentence: str) -> Markup:
    """A sentence, with what stands between backticks as code."""
    return Markup(_CODE.sub(r"<code>\1</code>", str(escape(sentence))))  # noqa: S704 - it was escaped before


def _blanks(snippet: str) -> Markup:
    """A command or a snippet, with what people have to fill in told apart."""
    return Markup(_PLACEHOLDER.sub(r"<var>\g<0></var>", str(escape(snippet))))  # noqa: S704 - it was escaped before
