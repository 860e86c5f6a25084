"""What a request asks for: the verb, the resource, and the change it brings."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

import msgspec

from receivers.local.embedded import errors
from receivers.local.embedded.asgi import Message
from receivers.local.embedded.resources import BY_PATH, Object, Resource
from receivers.local.embedded.selectors import Selector, selector

JSON = "application/json"
MERGE_PATCH = "application/merge-patch+json"
STRATEGIC_PATCH = "application/strategic-merge-patch+json"  # for core kinds; the same where a patch has no lists
METADATA_ONLY = "as=PartialObjectMetadata"

_PATH = re.compile(  # root, namespace, plural, name, subresource
    r"/(api/[^/]+|apis/[^/]+/[^/]+)(?:/namespaces/([^/]+)(?=/))?/([^/]+)(?:/([^/]+))?(?:/([^/]+))?/?"
)


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
        """Whether the query says yes to this."""
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
    def content_type(self) -> str:
        """The body's media type, without parameters."""
        return self.headers.get("content-type", JSON).partition(";")[0].strip()

    def selector(self) -> Selector:
        """The request's label and field selectors. Raises 400."""
        return selector(self.query.get("labelSelector", ""), self.query.get("fieldSelector", ""))

    def document(self) -> Object:
        """The body. Raises 400, and 415 for what is not JSON, as kubectl sends it for some kinds."""
        if not self.content_type.endswith("json"):
            raise errors.unsupported_media_type(JSON)
        try:
            return msgspec.json.decode(self.body, type=dict)
        except msgspec.DecodeError as error:
            raise errors.bad_request(f"the body is not a JSON object: {error}") from None

    def replacement(self) -> Callable[[Object], Object]:
        """The change that a PUT brings. Raises 422."""
        new = self.document()
        if self.resource.group and not (new.get("metadata") or {}).get("resourceVersion"):
            raise errors.invalid(self.resource, self.name, "metadata.resourceVersion: must be specified for an update")
        return lambda _old: new

    def patch(self) -> Callable[[Object], Object]:
        """The change that a PATCH brings. Raises 415."""
        accepted = [MERGE_PATCH] if self.resource.group else [MERGE_PATCH, STRATEGIC_PATCH]
        if self.content_type not in accepted:
            raise errors.unsupported_media_type(", ".join(accepted))
        patch = self.document()
        return lambda old: merge_patch(old, patch)

    def as_asked(self, answer: Object) -> Object:
        """The answer, or its metadata alone when the client asked for no more."""
        if METADATA_ONLY not in self.headers.get("accept", "").partition(",")[0] or answer["kind"] == "Status":
            return answer
        if "items" not in answer:
            return _metadata_alone(answer)
        items = [_metadata_alone(each) for each in answer["items"]]
        return _metadata_alone(answer) | {"kind": "PartialObjectMetadataList", "items": items}


def understand(scope: Message, body: bytes) -> Call:
    """Finds out what is asked of which resource. Raises 404."""
    found = _PATH.fullmatch(scope["path"])
    root, namespace, plural, name, subresource = found.groups("") if found else ("",) * 5
    resource = BY_PATH.get((root, plural))
    if resource is None or subresource not in ("", *(["status"] if resource.status else [])):
        raise errors.no_such_path()
    if (namespace and not resource.namespaced) or (name and resource.namespaced and not namespace):
        raise errors.no_such_path()
    headers = {key.decode(): value.decode("latin-1") for key, value in scope["headers"]}
    query = dict(parse_qsl(scope["query_string"].decode("latin-1")))
    return Call(scope["method"], resource, namespace, name, subresource, query, headers, body)


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


def _metadata_alone(each: Object) -> Object:
    return {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": each["metadata"]}
