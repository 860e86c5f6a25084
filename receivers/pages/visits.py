"""A request for a page, and what it may be answered with."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode

from receivers.events import WebhookRequest

FORM = 256 * 1024  # bytes; ours have a few hundred, but for the body of a request to explain, which is 60 KB
FIELDS = 50
_NUMBER = re.compile("[0-9]{1,6}")


class Refused(Exception):
    """What was asked for is not shown or not done. The text says why, and what to do; no secret is in it."""

    def __init__(self, status: int, title: str, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.title = title


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """A request for a page, taken apart."""

    method: str
    segments: tuple[str, ...]  # of the path, below the base path
    query: Mapping[str, str]
    headers: Mapping[str, str]  # names in lower case
    form: Mapping[str, str] = field(default_factory=dict, repr=False)
    secure: bool = False  # over TLS, as the visitor sees it
    base: str = ""  # the base path, in front of every path of this service

    @property
    def path(self) -> str:
        """The path as a URL has it, percent-encoded, without a slash at its end."""
        segments = (quote(segment, safe="", errors="surrogatepass") for segment in self.segments)
        return f"{self.base}/" + "/".join(segments)

    @property
    def wants_json(self) -> bool:
        """Whether a program asks."""
        return self.query.get("format") == "json"

    @property
    def base_url(self) -> str:
        """Where the visitor sees this service."""
        return f"{'https' if self.secure else 'http'}://{self.headers.get('host', '')}{self.base}"

    def cookie(self, name: str) -> str:
        """The value of a cookie, or ``""``."""
        try:
            cookies = SimpleCookie(self.headers.get("cookie", ""))
        except CookieError:
            return ""
        return cookies[name].value if name in cookies else ""

    def number(self, name: str) -> int | None:
        """A number in the query; None where there is none."""
        text = self.query.get(name, "")
        return int(text) if _NUMBER.fullmatch(text) else None

    def link(self, **changes: str) -> str:
        """This page with another query; an empty value takes a parameter away."""
        query = {name: value for name, value in {**self.query, **changes}.items() if value}
        return f"{self.path}?{urlencode(query, errors='surrogatepass')}" if query else self.path


def visit(request: WebhookRequest, *, secure: bool, base: str) -> Visit:
    """A request taken apart, below the base path. Raises :class:`Refused` for a form that is none of ours."""
    segments = tuple(segment for segment in request.path.split("/") if segment)
    return Visit(
        method="GET" if request.method == "HEAD" else request.method,  # whose body the server leaves out
        segments=segments[base.count("/") :],
        query=request.query,
        headers=request.headers,
        form=_form(request.body),
        secure=secure or request.header("x-forwarded-proto").lower() == "https",
        base=base,
    )


def _form(body: bytes) -> dict[str, str]:
    if len(body) > FORM:
        raise Refused(413, "Too large", f"A form has {FORM} bytes at most.")
    try:
        return dict(parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=FIELDS))
    except ValueError:
        raise Refused(400, "Not a form", "What was posted is not a form of these pages.") from None


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """An answer over HTTP."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """Something to show: a template with its values for people, a document for programs."""

    template: str
    values: Mapping[str, Any] = field(repr=False)
    document: Mapping[str, Any] = field(repr=False)
    status: int = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """Something was done: people go on to another page, programs get a document."""

    location: str
    document: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """Bytes to be saved, which no browser shows."""

    name: str
    content: bytes = field(repr=False)
