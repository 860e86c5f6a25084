"""The pages of the senders' documents: what docs/senders has of each, to be read where a receiver is registered."""

import asyncio
from functools import cache
from pathlib import Path

from markupsafe import Markup

from receivers.importing import imported
from receivers.pages import queries
from receivers.pages.visits import Refused, View, Visit
from receivers.providers import PROVIDERS

FOLDER = Path(__file__).parents[2] / "docs" / "senders"
MARKDOWN = "receivers.pages.markdown"  # whose library takes 45 ms to import


async def listing(visit: Visit) -> View:
    """Every document."""
    queries.refuse_unknown(visit, ())
    titles = await asyncio.to_thread(_titles)
    return View(
        template="manual.html",
        values={"titles": titles, "title": "Senders", "content": ""},
        document={"documents": [{"name": name, "title": title} for name, title in titles.items()]},
    )


async def page(visit: Visit, name: str) -> View:
    """One of them, by its own name or a provider's."""
    queries.refuse_unknown(visit, ())
    titles = await asyncio.to_thread(_titles)
    found = _name(name)
    if found not in titles:
        raise Refused(404, "No such document", "There is no document of this name. /docs lists those there are.")
    await imported(MARKDOWN)
    return View(
        template="manual.html",
        values={"titles": {}, "title": titles[found], "content": await asyncio.to_thread(_content, found, visit.base)},
        document={"name": found, "title": titles[found], "markdown": await asyncio.to_thread(_text, found)},
    )


def _name(name: str) -> str:
    """The name of a provider's document, or of any."""
    return (PROVIDERS[name].registration.page or name) if name in PROVIDERS else name


@cache
def _titles() -> dict[str, str]:
    """The documents' titles, by name: their first lines."""
    return {path.stem: _text(path.stem).partition("\n")[0].removeprefix("# ") for path in sorted(FOLDER.glob("*.md"))}


@cache
def _text(name: str) -> str:
    return (FOLDER / f"{name}.md").read_text(encoding="utf-8")


@cache
def _content(name: str, base: str) -> Markup:
    from receivers.pages import markdown  # noqa: PLC0415 - it was imported before

    return markdown.html(_text(name), link=lambda href: _link(href, base))


def _link(href: str, base: str) -> str:
    """Where a link of a document leads here: to another of them, elsewhere, or, to what is not shown here, nowhere."""
    if href.startswith(("https://", "http://", "#")):
        return href
    name, mark, fragment = href.partition("#")
    stem = name.removesuffix(".md")
    return f"{base}/docs/{stem}{mark}{fragment}" if stem in _titles() else ""
