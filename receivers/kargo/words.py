"""What a subscription wants, in words for people."""

import re
from collections.abc import Iterable

from receivers.kargo.path_filters import Paths
from receivers.kargo.selectors import Broken, Selector, Unchecked
from receivers.kargo.selectors.chart import ChartVersions
from receivers.kargo.selectors.git import Branch, Commits, Tags
from receivers.kargo.selectors.image import MutableTag
from receivers.kargo.selectors.tags import AllowedTags, SemverTags
from receivers.kargo.verdicts import shown

_NAMED = 3  # expressions or paths of one list
_LENGTH = re.compile(r"(?=[0-9])(?:([0-9]{1,6})h)?(?:([0-9]{1,6})m)?(?:([0-9]{1,6})(?:\.[0-9]{1,9})?s)?")
USUAL_INTERVAL = 300  # seconds between two polls of a Warehouse that says nothing: Kargo's default


def wanted(selector: Selector) -> str:
    """``tags that satisfy ^1.0.0``, ``branch main, changes in charts/``."""
    match selector:
        case Commits(refs=refs, paths=paths):
            return _joined([_refs(refs), *_paths("changes in", paths.include), *_paths("not in", paths.exclude)])
        case MutableTag(tag):
            return f"the digest of tag {shown(tag)}" if tag else "the digest of a tag that it does not name"
        case ChartVersions(constraint=constraint):
            return f"versions that satisfy {shown(constraint)}" if constraint else "any version"
        case AllowedTags() | SemverTags():
            return _tags(selector)
        case Broken(reason) | Unchecked(reason):
            return reason
        case _:
            return "something else"


def repository(url: str) -> str:
    """A repository's URL for people: without user, password and query, which may let whoever reads them in."""
    address = re.split("[?#]", url, maxsplit=1)[0]
    shown_query = f"{url[len(address)]}…" if len(address) < len(url) else ""
    scheme, mark, rest = address.partition("://") if "://" in address else ("", "", address)
    return f"{scheme}{mark}{_without_user(rest)}{shown_query}"


def _without_user(address: str) -> str:
    before, _, behind = address.rpartition("@")
    if before == "git":  # whom everybody is
        return address
    if ":" in before or "/" not in before:
        return behind
    authority, slash, path = address.partition("/")
    return authority.rpartition("@")[2] + slash + path


def seconds(interval: str) -> int | None:
    """The length of a ``spec.interval``, as ``5m0s``; None for what is none. An empty one is the usual."""
    if not interval:
        return USUAL_INTERVAL
    found = _LENGTH.fullmatch(interval)
    if found is None:
        return None
    hours, minutes, rest = (int(each or 0) for each in found.groups())
    return 3600 * hours + 60 * minutes + rest


def _refs(refs: Branch | Tags) -> str:
    if isinstance(refs, Tags):
        return _tags(refs.tags)
    return f"branch {shown(refs.name)}" if refs.name else "the default branch"


def _tags(selector: AllowedTags | SemverTags) -> str:
    if isinstance(selector, AllowedTags):
        return _joined(["tags" if _filters(selector) else "any tag", *_filters(selector)])
    version = "strict semantic versions" if selector.strict else "semantic versions"
    satisfying = f" that satisfy {shown(selector.constraint)}" if selector.constraint else ""
    return _joined([f"tags that are {version}{satisfying}", *_filters(selector.allowed)])


def _filters(tags: AllowedTags) -> list[str]:
    allow = [f"allowed by {_named(tags.allow.texts)}"] if tags.allow.texts else []
    ignore = [f"not matching {_named(tags.ignore.texts)}"] if tags.ignore.texts else []
    return [*allow, *ignore, *([f"not {_named(sorted(tags.ignored))}"] if tags.ignored else [])]


def _paths(preposition: str, paths: Paths) -> list[str]:
    directories = [each or "every directory" for each in paths.directories]
    return [f"{preposition} {_named([*directories, *paths.trees, *paths.expressions.texts])}"] if paths else []


def _named(texts: Iterable[str]) -> str:
    every = list(texts)
    more = len(every) - _NAMED
    return " or ".join(map(shown, every[:_NAMED])) + (f" or {more} more" if more > 0 else "")


def _joined(parts: list[str]) -> str:
    return ", ".join(parts)
