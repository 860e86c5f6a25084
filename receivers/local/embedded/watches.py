"""Watches: what happened since a resourceVersion, and what happens from now on, one JSON document to a line."""

import asyncio
from contextlib import suppress
from http import HTTPStatus

from receivers.local.embedded import asgi, errors
from receivers.local.embedded.calls import Call
from receivers.local.embedded.resources import Object
from receivers.local.embedded.selectors import Selector
from receivers.local.embedded.store import Change, Feed, Store

BOOKMARK_EVERY = 60.0  # seconds; about what kube-apiserver does


async def serve(call: Call, store: Store, receive: asgi.Receive, send: asgi.Send) -> None:
    """Answers a watch until its time is over, the client goes away, or the store is closed."""
    selects = call.selector()
    feed = store.follow(call.resource)
    try:
        past = _past(call, store, selects)  # no await since the feed began: nothing falls between the two
        await asgi.start_answer(send, HTTPStatus.OK)
        for event in past:
            await asgi.send_line(send, event)
        following = asyncio.create_task(_follow(call, store, feed, selects, send))
        leaving = asyncio.create_task(_cancel_when_gone(following, receive))
        with suppress(asyncio.CancelledError):
            await following
        leaving.cancel()
    finally:
        store.unfollow(feed)
    await asgi.end_answer(send)


async def _cancel_when_gone(following: asyncio.Task[None], receive: asgi.Receive) -> None:
    await receive()  # the body was read: what comes next is that the client is gone
    following.cancel()


def _past(call: Call, store: Store, selects: Selector) -> list[Object]:
    """The events with which a watch begins. Raises 400."""
    since = call.query.get("resourceVersion", "")
    if since in ("", "0"):
        found = store.every(call.resource, call.namespace)
        return [_event("ADDED", each, call) for each in found if selects(each)]
    if not since.isdigit():
        raise errors.bad_request(f"invalid resourceVersion: {since}")
    try:
        changes = store.changes_since(int(since))
    except errors.ApiError as error:
        return [{"type": "ERROR", "object": error.as_object()}]
    told = (_told(change, call, selects) for change in changes if change.resource is call.resource)
    return [event for event in told if event]


async def _follow(call: Call, store: Store, feed: Feed, selects: Selector, send: asgi.Send) -> None:
    clock = asyncio.get_running_loop().time
    end = clock() + float(call.query.get("timeoutSeconds") or "inf")
    while (left := end - clock()) > 0:
        try:
            async with asyncio.timeout(min(left, BOOKMARK_EVERY)):
                change = await feed.get()
        except TimeoutError:
            if call.flag("allowWatchBookmarks"):
                await asgi.send_line(send, _bookmark(call, store.revision))
            continue
        if change is None:
            return
        if event := _told(change, call, selects):
            await asgi.send_line(send, event)


def _told(change: Change, call: Call, selects: Selector) -> Object | None:
    """What this watch says of a change. An object that its selector no longer selects counts as deleted."""
    if call.namespace not in ("", change.after["metadata"].get("namespace", "")):
        return None
    before = change.before is not None and selects(change.before)
    after = change.type != "DELETED" and selects(change.after)
    if not before and not after:
        return None
    return _event("MODIFIED" if before and after else "ADDED" if after else "DELETED", change.after, call)


def _event(kind: str, each: Object, call: Call) -> Object:
    return {"type": kind, "object": call.as_asked(each)}


def _bookmark(call: Call, revision: int) -> Object:
    resource = call.resource
    mark = {"kind": resource.kind, "apiVersion": resource.api_version, "metadata": {"resourceVersion": str(revision)}}
    return _event("BOOKMARK", mark, call)
