"""The embedded API as an ASGI application: what kubectl and the usual clients ask of an API server.

https://kubernetes.io/docs/reference/using-api/api-concepts/ says what lists, pages, watches and patches promise.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable, Collection, Mapping, MutableMapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl

import msgspec

from receivers.local.embedded import errors
from receivers.local.embedded.resources import ACCESS_REVIEWS, BY_PATH, Object, Resource, discovery
from receivers.local.embedded.selectors import Selector, selector
from receivers.local.embedded.store import Change, Feed, Store

type Message = MutableMapping[str, Any]
type Receive = Callable[[], Awaitable[Message]]
type Send = Callable[[Message], Awaitable[None]]

_PATH = re.compile(  # root, namespace, plural, name, subresource
    r"/(api/[^/]+|apis/[^/]+/[^/]+)(?:/namespaces/([^/]+)(?=/))?/([^/]+)(?:/([^/]+))?(?:/([^/]+))?/?"
)
BOOKMARK_EVERY = 60.0  # seconds; about what kube-apiserver does
METADATA_ONLY = "as=PartialObjectMetadata"
JSON = "application/json"
MERGE_PATCH = "application/merge-patch+json"
STRATEGIC_PATCH = "application/strategic-merge-patch+json"  # for core kinds; the same where a patch has no lists


@dataclass(frozen=True, slots=True)
class Denial:
    """What nobody may do; "*" stands for anything. Everything else is allowed."""

    verb: str
    group: str
    resource: str
    namespace: str = "*"

    def covers(self, verb: str, group: str, resource: str, namespace: str) -> bool:
        """Whether this is denied."""
        asked = ((self.verb, verb), (self.group, group), (self.resource, resource), (self.namespace, namespace))
        return all(rule in ("*", what) for rule, what in asked)


@dataclass(frozen=True, slots=True)
class Call:
    """One request, understood."""

    method: str
    resource: Resource
    namespace: str
    name: str
    subresource: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes

    def flag(self, name: str) -> bool:
        return self.query.get(name, "") in ("1", "true")

    @property
    def verb(self) -> str:
        """As RBAC names it."""
        if self.method == "GET":
            return "get" if self.name else "watch" if self.flag("watch") else "list"
        if self.method == "DELETE" and not self.name:
            return "deletecollection"
        return {"POST": "create", "PUT": "update"}.get(self.method, self.method.lower())

    @property
    def selects(self) -> Selector:
        """A test for the request's selectors."""
        return selector(self.query.get("labelSelector", ""), self.query.get("fieldSelector", ""))

    @property
    def content_type(self) -> str:
        """The body's media type, without parameters."""
        return self.headers.get("content-type", JSON).partition(";")[0].strip()

    def decoded(self) -> Object:
        """The body. Raises 400, and 415 for what is not JSON, as kubectl sends it for some kinds."""
        if not self.content_type.endswith("json"):
            raise errors.unsupported_media_type(JSON)
        try:
            return msgspec.json.decode(self.body, type=dict)
        except msgspec.DecodeError as error:
            raise errors.bad_request(f"the body is not a JSON object: {error}") from None


class Api:
    """The ASGI application."""

    def __init__(self, store: Store, *, denied: Collection[Denial] = ()) -> None:
        self._store = store
        self._denied = denied
        self._documents: Mapping[str, Object] = discovery()

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answers one request."""
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        body = await _body(receive)
        try:
            if scope["method"] == "GET" and scope["path"] in ("/healthz", "/livez", "/readyz"):
                await _answer(send, HTTPStatus.OK, {"status": "ok"})
                return
            document = self._documents.get(scope["path"].strip("/"))
            if document is not None:
                await _answer(send, HTTPStatus.OK, document)
                return
            call = _understand(scope, headers, body)
            self._authorise(call)
            if call.verb == "watch":
                await self._watch(call, receive, send)
                return
            status = HTTPStatus.CREATED if call.verb == "create" else HTTPStatus.OK
            await _answer(send, status, _as_asked(self._serve(call), call.headers))
        except errors.ApiError as error:
            await _answer(send, error.status, error.as_object())

    def _authorise(self, call: Call) -> None:
        resource = call.resource
        if self._is_denied(call.verb, resource.group, resource.plural, call.namespace):
            raise errors.forbidden(f"{resource.qualified} is forbidden: cannot {call.verb} it")

    def _is_denied(self, *asked: str) -> bool:
        return any(denial.covers(*asked) for denial in self._denied)

    def _serve(self, call: Call) -> Object:
        match call.verb:
            case "create" if call.resource is ACCESS_REVIEWS:
                answer = self._review(call.decoded())
            case "create" if not call.name:
                answer = self._create(call)
            case "get":
                answer = self._store.get(call.resource, call.namespace, call.name)
            case "list" if call.resource.stored:
                answer = self._list(call)
            case "update" if call.name:
                answer = self._update(call, _replacement(call))
            case "patch" if call.name:
                answer = self._update(call, _patch(call))
            case "delete" if not call.subresource:
                answer = self._delete([self._store.get(call.resource, call.namespace, call.name)], call)
            case "deletecollection" if call.resource.stored:
                answer = self._delete(self._store.every(call.resource, call.namespace), call)
            case _:
                raise errors.method_not_allowed()
        return answer

    def _review(self, review: Object) -> Object:
        asked = review.get("spec", {}).get("resourceAttributes", {})
        parts = (asked.get(key, "") for key in ("verb", "group", "resource", "namespace"))
        return review | {"status": {"allowed": not self._is_denied(*parts)}}

    def _create(self, call: Call) -> Object:
        new = call.decoded()
        if call.resource.status:
            new.pop("status", None)
        return self._store.create(call.resource, call.namespace, new)

    def _update(self, call: Call, change: Callable[[Object], Object]) -> Object:
        status = call.subresource == "status"
        return self._store.update(call.resource, call.namespace, call.name, change, status=status)

    def _list(self, call: Call) -> Object:
        found = [each for each in self._store.every(call.resource, call.namespace) if call.selects(each)]
        revision, following = self._store.revision, ""
        limit = int(call.query.get("limit") or 0)
        if limit and (call.query.get("continue") or len(found) > limit):
            token = call.query.get("continue") or self._store.keep(found)
            revision, found, following = self._store.page(token, limit)
        metadata = {"resourceVersion": str(revision)} | ({"continue": following} if following else {})
        kind = f"{call.resource.kind}List"
        return {"kind": kind, "apiVersion": call.resource.api_version, "metadata": metadata, "items": found}

    def _delete(self, condemned: list[Object], call: Call) -> Object:
        for each in condemned:
            if call.selects(each):
                self._store.delete(call.resource, each["metadata"].get("namespace", ""), each["metadata"]["name"])
        return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"}

    async def _watch(self, call: Call, receive: Receive, send: Send) -> None:
        feed = self._store.follow(call.resource)
        try:
            past = self._past(call)  # before the first await, so that nothing falls between past and feed
            await send(_start(HTTPStatus.OK))
            for event in past:
                await send(_line(_event_as_asked(event, call.headers)))
            async with asyncio.TaskGroup() as tasks:
                events = tasks.create_task(self._follow(call, feed, send))
                await _disconnected_or_done(receive, events)
                events.cancel()
        finally:
            self._store.unfollow(feed)
        await send({"type": "http.response.body", "body": b""})

    def _past(self, call: Call) -> list[Object]:
        """The events with which a watch begins."""
        since = call.query.get("resourceVersion", "")
        if since in ("", "0"):
            found = self._store.every(call.resource, call.namespace)
            return [{"type": "ADDED", "object": each} for each in found if call.selects(each)]
        if not since.isdigit():
            raise errors.bad_request(f"invalid resourceVersion: {since}")
        try:
            changes = self._store.changes_since(int(since))
        except errors.ApiError as error:
            return [{"type": "ERROR", "object": error.as_object()}]
        events = (_event(change, call, call.selects) for change in changes if change.resource is call.resource)
        return [event for event in events if event]

    async def _follow(self, call: Call, feed: Feed, send: Send) -> None:
        selects, headers = call.selects, call.headers
        loop = asyncio.get_running_loop()
        end = loop.time() + float(call.query.get("timeoutSeconds") or "inf")
        while (left := end - loop.time()) > 0:
            try:
                async with asyncio.timeout(min(left, BOOKMARK_EVERY)):
                    change = await feed.get()
            except TimeoutError:
                if call.flag("allowWatchBookmarks"):
                    await send(_line(_event_as_asked(self._bookmark(call.resource), headers)))
                continue
            if change is None:
                return
            if event := _event(change, call, selects):
                await send(_line(_event_as_asked(event, headers)))

    def _bookmark(self, resource: Resource) -> Object:
        metadata = {"resourceVersion": str(self._store.revision)}
        return {
            "type": "BOOKMARK",
            "object": {"kind": resource.kind, "apiVersion": resource.api_version, "metadata": metadata},
        }


def merge_patch(target: object, patch: object) -> Any:  # noqa: ANN401 - any JSON in, any JSON out
    """JSON merge patch, https://www.rfc-editor.org/rfc/rfc7396. Changes neither."""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merge_patch(result.get(key), value)
    return result


def _understand(scope: Message, headers: Mapping[str, str], body: bytes) -> Call:
    """Finds out what is asked of which resource. Raises 404."""
    found = _PATH.fullmatch(scope["path"])
    root, namespace, plural, name, subresource = found.groups("") if found else ("",) * 5
    resource = BY_PATH.get((root, plural))
    if resource is None or subresource not in ("", *(["status"] if resource.status else [])):
        raise errors.no_such_path()
    if (namespace and not resource.namespaced) or (name and resource.namespaced and not namespace):
        raise errors.no_such_path()
    query = dict(parse_qsl(scope["query_string"].decode()))
    return Call(scope["method"], resource, namespace, name, subresource, query, headers, body)


def _replacement(call: Call) -> Callable[[Object], Object]:
    new = call.decoded()
    if call.resource.group and not (new.get("metadata") or {}).get("resourceVersion"):
        raise errors.invalid(call.resource, call.name, "metadata.resourceVersion: must be specified for an update")
    return lambda _old: new


def _patch(call: Call) -> Callable[[Object], Object]:
    accepted = [MERGE_PATCH] if call.resource.group else [MERGE_PATCH, STRATEGIC_PATCH]
    if call.content_type not in accepted:
        raise errors.unsupported_media_type(", ".join(accepted))
    patch = call.decoded()

    def change(old: Object) -> Object:
        patched: Object = merge_patch(old, patch)
        return patched

    return change


def _event(change: Change, call: Call, selects: Selector) -> Object | None:
    """What a watch says of a change. An object that a selector no longer selects counts as deleted."""
    if call.namespace not in ("", change.after["metadata"].get("namespace", "")):
        return None
    before = change.before is not None and selects(change.before)
    after = change.type != "DELETED" and selects(change.after)
    if not before and not after:
        return None
    kind = "MODIFIED" if before and after else "ADDED" if after else "DELETED"
    return {"type": kind, "object": change.after}


def _event_as_asked(event: Object, headers: Mapping[str, str]) -> Object:
    return event if event["type"] == "ERROR" else event | {"object": _as_asked(event["object"], headers)}


def _as_asked(answer: Object, headers: Mapping[str, str]) -> Object:
    """The answer, or its metadata alone when the client asked for no more."""
    if METADATA_ONLY not in headers.get("accept", "").partition(",")[0] or answer["kind"] == "Status":
        return answer
    if "items" in answer:
        items = [_metadata_alone(each) for each in answer["items"]]
        return {"kind": "PartialObjectMetadataList", "apiVersion": "meta.k8s.io/v1"} | {
            "metadata": answer["metadata"],
            "items": items,
        }
    return _metadata_alone(answer)


def _metadata_alone(each: Object) -> Object:
    return {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": each["metadata"]}


async def _body(receive: Receive) -> bytes:
    parts = []
    while True:
        message = await receive()
        parts.append(message.get("body", b""))
        if not message.get("more_body"):
            return b"".join(parts)


async def _disconnected_or_done(receive: Receive, events: asyncio.Task[None]) -> None:
    """Returns when the client is gone, or when there are no more events."""
    gone = asyncio.ensure_future(receive())
    await asyncio.wait((gone, events), return_when=asyncio.FIRST_COMPLETED)
    gone.cancel()


async def _answer(send: Send, status: HTTPStatus, body: Object) -> None:
    encoded = msgspec.json.encode(body)
    await send(_start(status, (b"content-length", str(len(encoded)).encode())))
    await send({"type": "http.response.body", "body": encoded})


def _start(status: HTTPStatus, *headers: tuple[bytes, bytes]) -> Message:
    everything = [(b"content-type", b"application/json"), *headers]
    return {"type": "http.response.start", "status": int(status), "headers": everything}


def _line(event: Object) -> Message:
    return {"type": "http.response.body", "body": msgspec.json.encode(event) + b"\n", "more_body": True}
