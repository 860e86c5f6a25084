"""The embedded API as an ASGI application: what kubectl and the usual clients ask of an API server.

https://kubernetes.io/docs/reference/using-api/api-concepts/ says what lists, pages, watches and patches promise.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from http import HTTPStatus

from receivers import loopback
from receivers.local.embedded import asgi, errors, watches
from receivers.local.embedded.calls import Call, understand
from receivers.local.embedded.resources import ACCESS_REVIEWS, Object, discovery
from receivers.local.embedded.store import Store

HEALTH = ("/healthz", "/livez", "/readyz")


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


class Api:
    """The ASGI application."""

    def __init__(self, store: Store, *, denied: Collection[Denial] = ()) -> None:
        self._store = store
        self._denied = denied
        healthy = {"status": "ok"}
        self._documents = {f"/{path}": each for path, each in discovery().items()} | dict.fromkeys(HEALTH, healthy)

    async def __call__(self, scope: asgi.Message, receive: asgi.Receive, send: asgi.Send) -> None:
        """Answers one request."""
        try:
            _refuse_web_sites(scope)
            body = await asgi.read_body(receive)
            if document := self._documents.get(scope["path"].rstrip("/")):
                await asgi.answer(send, HTTPStatus.OK, document)
                return
            call = understand(scope, body)
            self._authorise(call)
            if call.verb == "watch" and call.resource.stored:
                await watches.serve(call, self._store, receive, send)
                return
            status = HTTPStatus.CREATED if call.verb == "create" else HTTPStatus.OK
            await asgi.answer(send, status, call.as_asked(self._serve(call)))
        except errors.ApiError as error:
            await asgi.answer(send, error.status, error.as_object())

    def _authorise(self, call: Call) -> None:
        resource = call.resource
        if self._is_denied(call.verb, resource.group, resource.plural, call.namespace):
            raise errors.forbidden(f"{resource.qualified} is forbidden: cannot {call.verb} it")

    def _is_denied(self, *asked: str) -> bool:
        return any(denial.covers(*asked) for denial in self._denied)

    def _serve(self, call: Call) -> Object:
        match call.verb:
            case "create" if call.resource is ACCESS_REVIEWS:
                answer = self._review(call.document())
            case "create" if not call.name:
                answer = self._create(call)
            case "get":
                answer = self._store.get(call.resource, call.namespace, call.name)
            case "list" if call.resource.stored:
                answer = self._list(call)
            case "update" if call.name:
                answer = self._update(call, call.replacement())
            case "patch" if call.name:
                answer = self._update(call, call.patch())
            case "delete" if not call.subresource:
                answer = self._delete(call, [self._store.get(call.resource, call.namespace, call.name)])
            case "deletecollection" if call.resource.stored:
                answer = self._delete(call, self._selected(call))
            case _:
                raise errors.method_not_allowed()
        return answer

    def _review(self, review: Object) -> Object:
        asked = review.get("spec", {}).get("resourceAttributes", {})
        parts = (asked.get(key, "") for key in ("verb", "group", "resource", "namespace"))
        return review | {"status": {"allowed": not self._is_denied(*parts)}}

    def _create(self, call: Call) -> Object:
        new = call.document()
        if call.resource.status:
            new.pop("status", None)
        return self._store.create(call.resource, call.namespace, new)

    def _update(self, call: Call, change: Callable[[Object], Object]) -> Object:
        status = call.subresource == "status"
        return self._store.update(call.resource, call.namespace, call.name, change, status=status)

    def _delete(self, call: Call, condemned: list[Object]) -> Object:
        for each in condemned:
            self._store.delete(call.resource, each["metadata"].get("namespace", ""), each["metadata"]["name"])
        return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"}

    def _selected(self, call: Call) -> list[Object]:
        selects = call.selector()
        return [each for each in self._store.every(call.resource, call.namespace) if selects(each)]

    def _list(self, call: Call) -> Object:
        token, limit = call.query.get("continue", ""), int(call.query.get("limit") or 0)
        if not token:
            found = self._selected(call)
            if not limit or len(found) <= limit:
                return _listed(call, self._store.revision, found)
            token = self._store.keep(found)
        return _listed(call, *self._store.page(token, limit))


def _refuse_web_sites(scope: asgi.Message) -> None:
    """Refuse what a browser sends for a web site: this API asks nobody who he is.

    A site can have its own name lead here, and would be let read everything; and it can post without a name of its own,
    but not without saying so. kubectl and the clients of Kubernetes do neither.
    """
    headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
    if not loopback.means_this_machine(headers.get("host", "")):
        raise errors.misdirected()
    if "origin" in headers or headers.get("sec-fetch-site", "none") != "none":
        raise errors.forbidden("the embedded API is not for web sites")


def _listed(call: Call, revision: int, items: list[Object], following: str = "") -> Object:
    return {
        "kind": f"{call.resource.kind}List",
        "apiVersion": call.resource.api_version,
        "metadata": {"resourceVersion": str(revision)} | ({"continue": following} if following else {}),
        "items": items,
    }
