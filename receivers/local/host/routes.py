"""Which function a path belongs to, by the rules of the Functions host. Pure.

Templates: https://learn.microsoft.com/azure/azure-functions/functions-bindings-http-webhook-trigger#customize-the-http-endpoint
Understood are literal segments, ``{name}`` and, as the last segment, ``{*rest}``.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import combinations
from urllib.parse import unquote

from receivers.local.host.errors import UnusableRoute

RESERVED = ("admin", "runtime")  # the host's own; any route that merely starts with one is refused
PARAMETER = re.compile(r"\{(?P<catch_all>\*{0,2})(?P<name>[A-Za-z_][A-Za-z0-9_]*)\}")
LITERAL = re.compile(r"[^{}*?]+")


@dataclass(frozen=True, slots=True)
class Route[T]:
    """A template without its prefix, the methods it serves (``None``: every method), and what it leads to."""

    template: str
    methods: frozenset[str] | None
    target: T


class RouteTable[T]:
    """All routes of an app, compiled once.

    Raises :class:`UnusableRoute` for a route that the Functions host refuses.
    """

    def __init__(self, prefix: str, routes: Iterable[Route[T]]) -> None:
        routes = list(routes)
        for route in routes:
            refuse_reserved(route.template)
        for one, other in combinations(routes, 2):
            refuse_conflict(one, other)
        compiled = [(segments(f"{prefix}/{route.template}" if prefix else route.template), route) for route in routes]
        compiled.sort(key=lambda pair: precedence(pair[0]))
        self._routes = [(pattern(parts), route) for parts, route in compiled]

    def find(self, method: str, path: str) -> tuple[T, dict[str, str]] | None:
        """The target and the route parameters of a decoded path.

        A route with another method does not match, so that a wrong method looks like an unknown path. A catch-all that
        caught nothing is no parameter.
        """
        for compiled, route in self._routes:
            found = compiled.fullmatch(path)
            if found and (route.methods is None or method in route.methods):
                return route.target, {name: value for name, value in found.groupdict().items() if value}
        return None


def decode_path(raw: bytes) -> str:
    """A path as the host's web server sees it: percent-decoded once, but for ``%2F``, which is no separator."""
    path = raw.decode("latin-1")
    if "%" not in path:
        return path
    return unquote(path.replace("%2F", "%252F").replace("%2f", "%252f"))


def segments(template: str) -> list[str]:
    """The segments of a template. One slash in front and one at the end do not count."""
    parts = template.removeprefix("/").removesuffix("/")
    return parts.split("/") if parts else []


def pattern(parts: list[str]) -> re.Pattern[str]:
    """An expression that matches the whole of a decoded path. Case and one slash at the end do not matter."""
    template = "/".join(parts)
    expression, end = "", "/?"
    for position, part in enumerate(parts, start=1):
        parameter = PARAMETER.fullmatch(part)
        if parameter is None and not LITERAL.fullmatch(part):
            raise UnusableRoute(f"route {template}: the local host does not understand the segment {part!r}")
        if parameter is None:
            expression += "/" + re.escape(part)
        elif not parameter["catch_all"]:
            expression += f"/(?P<{parameter['name']}>[^/]+)"
        elif position == len(parts):
            expression, end = f"{expression}(?:/(?P<{parameter['name']}>.*))?", ""
        else:
            raise UnusableRoute(f"route {template}: a catch-all must be the last segment")
    try:
        return re.compile(expression + end, re.IGNORECASE | re.DOTALL)
    except re.error:
        raise UnusableRoute(f"route {template}: a parameter's name occurs twice") from None


def precedence(parts: list[str]) -> list[tuple[int, str]]:
    """The order in which routes are tried: literals before parameters, then long before short."""
    end = (3, "")
    return [*map(rank, parts), end]


def rank(part: str) -> tuple[int, str]:
    """Where a segment stands among others at its position."""
    parameter = PARAMETER.fullmatch(part)
    if parameter is None:
        return 0, part.lower()
    return (2, "") if parameter["catch_all"] else (1, "")


def refuse_reserved(template: str) -> None:
    """The check is on the route alone: a prefix in front of it does not help."""
    if template.strip("/").lower().startswith(RESERVED):
        raise UnusableRoute(f"route {template}: the Functions host keeps routes that start with admin or runtime")


def refuse_conflict[T](one: Route[T], other: Route[T]) -> None:
    """Two functions may share a route if they share no method."""
    if one.template.strip("/").lower() != other.template.strip("/").lower():
        return
    if one.methods is None or other.methods is None or one.methods & other.methods:
        raise UnusableRoute(f"route {one.template} belongs to two functions, with a method in common")
