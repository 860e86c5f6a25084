"""URLs as Go's ``net/url`` reads and writes them.

Kargo's rules for URLs are Go's: what does not parse there is taken as it is, and what parses is written anew in Go's
spelling. Python's ``urllib.parse`` refuses less and writes other escapes, so the part that matters stands here.

Paths, hosts and users are bytes, since an escape may stand for any byte.
"""

import ipaddress
import re
from typing import NamedTuple
from urllib.parse import quote, unquote_to_bytes

from receivers.text import well_formed

# Characters that Go leaves as they are, beside letters, digits and "_.-~", which quote() never escapes.
_SAFE_IN_PATH = "$&+,/:;=@"
_SAFE_IN_HOST = "!\"$&'()*+,:;<=>[]"
_SAFE_IN_USER = "$&+,;="
_SAFE_IN_FRAGMENT = "!$&()*+,/:;=?@"

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_KEPT_PATH = re.compile(r"[A-Za-z0-9_.~!$&'()*+,;=:@/\[\]%-]*")
_KEPT_FRAGMENT = re.compile(r"[A-Za-z0-9_.~!$&'()*+,;=:@/\[\]%?-]*")
_USER = re.compile(r"[A-Za-z0-9._:~!$&'()*+,;=%@-]*")
_PORT = re.compile(r"(:[0-9]*)?")
_BAD_IN_HOST = re.compile(r"[#%/?@\\^`{|}\x00-\x20\x7f]")
_ASCII_ESCAPE = re.compile(r"%(?!25)[0-7]")  # a host may escape nothing in ASCII but the percent sign


class InvalidUrl(ValueError):
    """Go would not parse this URL."""


class Url(NamedTuple):
    """A parsed URL. Make one with :func:`parse`; ``str()`` writes it as Go does."""

    scheme: str = ""
    opaque: str = ""  # what follows the scheme when that is no slash
    user: bytes | None = None
    password: bytes | None = None
    host: bytes = b""  # with the port
    path: bytes = b""
    raw_path: str = ""  # as written; counts only as long as it still spells ``path``
    has_authority: bool = False
    query: str | None = None  # None: not even a question mark
    fragment: bytes = b""
    raw_fragment: str = ""

    def with_path(self, path: bytes) -> "Url":
        """The same URL with another decoded path; it is escaped anew if it differs."""
        return self._replace(path=path)

    def without_user(self) -> "Url":
        """The same URL without user name and password."""
        return self._replace(user=None, password=None)

    def joined(self, *elements: str) -> "Url":
        """The same URL with path elements appended: one slash between two, dots resolved, no empty element."""
        escaped = self._escaped_path()
        path = _clean("/".join((escaped, *map(well_formed, elements))))
        if elements[-1].endswith("/") and not path.endswith("/"):
            path += "/"
        if not escaped.startswith("/"):
            path = path[1:]
        return self._replace(path=_unescaped(path), raw_path=path)

    def has_parameters(self) -> bool:
        """Whether the query has a parameter that can be read; ``?`` alone has none."""
        return any(part and ";" not in part and not _BAD_ESCAPE.search(part) for part in (self.query or "").split("&"))

    def __str__(self) -> str:
        query = "" if self.query is None else f"?{self.query}"
        fragment = f"#{self._escaped_fragment()}" if self.fragment else ""
        return f"{self._address()}{query}{fragment}"

    def _address(self) -> str:
        scheme = f"{self.scheme}:" if self.scheme else ""
        if self.opaque:
            return scheme + self.opaque
        authority = self._authority()
        path = self._escaped_path()
        if path and not path.startswith("/") and self.host:
            path = f"/{path}"
        if not scheme and not authority and ":" in path.partition("/")[0]:
            path = f"./{path}"  # else the first element would read as a scheme
        return scheme + authority + path

    def _authority(self) -> str:
        if not (self.host or self.user is not None or (self.has_authority and self.scheme and self.path)):
            return ""
        if self.user is None:
            return f"//{quote(self.host, safe=_SAFE_IN_HOST)}"
        password = "" if self.password is None else f":{quote(self.password, safe=_SAFE_IN_USER)}"
        return f"//{quote(self.user, safe=_SAFE_IN_USER)}{password}@{quote(self.host, safe=_SAFE_IN_HOST)}"

    def _escaped_path(self) -> str:
        return _escaped(self.path, raw=self.raw_path, kept=_KEPT_PATH, safe=_SAFE_IN_PATH)

    def _escaped_fragment(self) -> str:
        return _escaped(self.fragment, raw=self.raw_fragment, kept=_KEPT_FRAGMENT, safe=_SAFE_IN_FRAGMENT)


def parse(text: str) -> Url:
    """Read a URL, absolute or relative.

    Raises:
        InvalidUrl: Go's parser refuses it.
    """
    rest, _, fragment = well_formed(text).partition("#")
    if _CONTROL.search(rest):
        raise InvalidUrl("a control character in a URL")
    scheme, rest = _split_scheme(rest)
    rest, mark, query = rest.partition("?")
    parts = Url(
        scheme=scheme,
        query=query if mark else None,
        fragment=_unescaped(fragment),
        raw_fragment=fragment,
    )
    if not rest.startswith("/"):
        if scheme:
            return parts._replace(opaque=rest)
        if ":" in rest.partition("/")[0]:
            raise InvalidUrl("the first element of a relative path has a colon")
    has_authority = rest.startswith("//") and (bool(scheme) or not rest.startswith("///"))
    if has_authority:
        authority, slash, rest = rest[2:].partition("/")
        parts = _with_authority(parts, authority)
        rest = slash + rest
    return parts._replace(has_authority=has_authority, path=_unescaped(rest), raw_path=rest)


def _split_scheme(text: str) -> tuple[str, str]:
    if text.startswith(":"):
        raise InvalidUrl("no scheme before the colon")
    match = _SCHEME.match(text)
    return (match[1].lower(), text[match.end() :]) if match else ("", text)


def _with_authority(parts: Url, authority: str) -> Url:
    userinfo, at, host = authority.rpartition("@")
    parts = parts._replace(host=_host(parts.scheme, host))
    if not at:
        return parts
    if not _USER.fullmatch(userinfo):
        raise InvalidUrl("an invalid user name")
    user, colon, password = userinfo.partition(":")
    return parts._replace(user=_unescaped(user), password=_unescaped(password) if colon else None)


def _host(scheme: str, text: str) -> bytes:
    if "[" in text:
        return _ip_literal(text)
    if ":" in text:
        # More than one colon is refused for the Web's schemes only.
        before_port = text.index(":") if scheme in {"http", "https"} else text.rindex(":")
        if not _PORT.fullmatch(text, before_port):
            raise InvalidUrl("an invalid port")
    return _unescaped_host(text)


def _ip_literal(text: str) -> bytes:
    """``[2001:db8::1]:port``, maybe with a zone, ``%25eth0``."""
    address, bracket, port = text.rpartition("]")
    if not bracket or text.rindex("[") > 0 or not _PORT.fullmatch(port):
        raise InvalidUrl("an invalid IP literal")
    unescaped = _unescaped_host(address[1:])
    try:
        ipaddress.IPv6Address(unescaped.decode("latin-1"))
    except ValueError:
        raise InvalidUrl("an invalid IP literal") from None
    return b"[" + unescaped + b"]" + port.encode()


def _unescaped_host(text: str) -> bytes:
    if _ASCII_ESCAPE.search(text) or _BAD_IN_HOST.search(text.replace("%", "")):
        raise InvalidUrl("an invalid character in a host")
    return _unescaped(text)


def _unescaped(text: str) -> bytes:
    if _BAD_ESCAPE.search(text):
        raise InvalidUrl("an invalid escape")
    return unquote_to_bytes(text)


def _escaped(decoded: bytes, *, raw: str, kept: re.Pattern[str], safe: str) -> str:
    if kept.fullmatch(raw) and unquote_to_bytes(raw) == decoded:
        return raw
    return quote(decoded, safe=safe)


def _clean(path: str) -> str:
    elements: list[str] = []
    for element in path.split("/"):
        if element == "..":
            del elements[-1:]
        elif element not in {"", "."}:
            elements.append(element)
    return "/" + "/".join(elements)
