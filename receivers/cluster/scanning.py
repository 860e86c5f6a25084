"""Which object it is that cannot be decoded: nested deeper than a decoder goes, cut, or no JSON further on.

This reads JSON token by token from its beginning, without recursion, until it has the object's identity. It relies on
what kube-apiserver sends of custom resources, whose members are sorted: an object's ``metadata`` before its ``spec``; a
watch's ``type`` before its ``object``; a list's ``metadata`` at one of its ends. What stands inside a text or deeper
in the object is never taken for any of these.
"""

import itertools
import re
from collections.abc import AsyncIterator

import msgspec

from receivers.cluster.records import Identity, Key, ListMetadata, bounded, is_name
from receivers.cluster.turns import Turns

TOKENS_AT_ONCE = 500  # a microsecond each

_SPACE = re.compile(rb"[ \t\r\n]*+")
_TEXT = re.compile(rb'"(?:[^"\\]++|\\.)*+"', re.DOTALL)
_SCALAR = re.compile(rb"[^\s\"\[\]{}:,]++")
_TO_BRACKET = re.compile(rb'(?:[^"\[\]{}]++|"(?:[^"\\]++|\\.)*+")*+[\[\]{}]', re.DOTALL)


class UnscannableError(Exception):
    """The JSON ends or is none before what was asked for."""


async def of_object(encoded: bytes) -> Identity:
    """Which object this is. What cannot be found is None and "". Never raises."""
    try:
        return await _Scanner(encoded).identity()
    except UnscannableError:
        return Identity(None, "")


async def of_event(line: bytes) -> tuple[str, Identity]:
    """The type of a watch event, and of which object it is. Raises :class:`UnscannableError`."""
    scanner = _Scanner(line)
    kind = ""
    async for name in scanner.members():
        if name == "type":
            kind = scanner.text()
        elif name == "object" and kind:
            return kind, await scanner.identity()
        else:
            await scanner.skip()
    raise UnscannableError


async def of_page(head: bytes, tail: bytes) -> tuple[Identity, ListMetadata]:
    """The identity of the one item of a page, and the page's own metadata, from both ends of the page.

    Raises :class:`UnscannableError`.
    """
    scanner = _Scanner(head)
    listed = None
    async for name in scanner.members():
        if name == "metadata":
            found = await scanner.texts({"continue", "resourceVersion"})
            listed = ListMetadata(found.get("resourceVersion", ""), found.get("continue", ""))
        elif name == "items":
            scanner.take(b"[")
            try:
                identity = await scanner.identity()
            except UnscannableError:
                identity = Identity(None, "")  # the list goes on behind it all the same
            return identity, listed or _last_metadata(tail)
        else:
            await scanner.skip()
    raise UnscannableError


def _last_metadata(tail: bytes) -> ListMetadata:
    """The metadata of a list that ends with them; those of an item are followed by more brackets than one."""
    _, found, last = tail.rstrip().rpartition(b'"metadata":')
    if not found or not last.endswith(b"}}"):
        raise UnscannableError
    try:
        return msgspec.json.decode(last[:-1], type=ListMetadata)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise UnscannableError from None


class _Scanner:
    """A place in a JSON document."""

    def __init__(self, encoded: bytes) -> None:
        self._encoded = encoded
        self._at = 0
        self._turns = Turns()

    async def identity(self) -> Identity:
        """Of the object that begins here. It is not read any further."""
        async for name in self.members():
            if name == "metadata":
                found = await self.texts({"name", "namespace", "resourceVersion"})
                return Identity(_key(found), bounded(found.get("resourceVersion", "")))
            await self.skip()
        raise UnscannableError

    async def texts(self, names: set[str]) -> dict[str, str]:
        """The members with these names of the object that begins here, as far as they are texts and not cut off."""
        found: dict[str, str] = {}
        try:
            async for name in self.members():
                if name in names and self._is_next(b'"'):
                    found[name] = self.text()
                else:
                    await self.skip()
        except UnscannableError:
            pass
        return found

    async def members(self) -> AsyncIterator[str]:
        """The names of the object that begins here. Who takes one reads or skips its value."""
        self.take(b"{")
        while not self._is_next(b"}"):
            name = self.text()
            self.take(b":")
            yield name
            await self._turns.take()
            if not self._is_next(b","):
                break
            self.take(b",")
        self.take(b"}")

    def text(self) -> str:
        """The text that begins here."""
        found = self._token(_TEXT)
        try:
            return msgspec.json.decode(found, type=str)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return found.decode(errors="replace")

    async def skip(self) -> None:
        """Pass over a value, however deep it is."""
        if self._is_next(b'"'):
            self._token(_TEXT)
        elif self._is_next(b"[") or self._is_next(b"{"):
            await self._skip_brackets()
        else:
            self._token(_SCALAR)

    async def _skip_brackets(self) -> None:
        depth = 0
        for count in itertools.count(1):
            depth += 1 if self._token(_TO_BRACKET)[-1:] in b"[{" else -1
            if not depth:
                return
            if count % TOKENS_AT_ONCE == 0:
                await self._turns.take()

    def take(self, character: bytes) -> None:
        """Pass over this character, which stands next."""
        if not self._is_next(character):
            raise UnscannableError
        self._at += 1

    def _is_next(self, character: bytes) -> bool:
        self._token(_SPACE)
        return self._encoded.startswith(character, self._at)

    def _token(self, pattern: re.Pattern[bytes]) -> bytes:
        match = pattern.match(self._encoded, self._at)
        if match is None:
            raise UnscannableError
        self._at = match.end()
        return match[0]


def _key(found: dict[str, str]) -> Key | None:
    namespace, name = found.get("namespace", ""), found.get("name", "")
    return Key(namespace, name) if is_name(name) and (not namespace or is_name(namespace)) else None
