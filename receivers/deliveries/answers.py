"""What a sender is told. Bodies are one JSON object and a newline, as Kargo's own server writes them."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from receivers import limits
from receivers.events import Handshake, Ignored, TargetKind, WebhookError


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """An HTTP answer."""

    status: int
    body: Mapping[str, object] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)

    def encoded(self) -> bytes:
        """The body's bytes."""
        # Go's encoder, whose output senders have seen so far, escapes what HTML could misread.
        text = _ENCODER.encode(self.body)
        return (text.translate(_HTML) + "\n").encode()

    @property
    def text(self) -> str:
        """What it says, for people: one sentence, or one of each result."""
        said = self.body.get("msg") or self.body.get("error")
        results = self.body.get("results")
        if said is None and isinstance(results, list):
            return "; ".join(str(each.get("summary", "")) for each in results)
        return str(said or "")

    def identified(self, delivery_id: str) -> "Answer":
        """The same answer, with the id by which its delivery can be looked up."""
        return replace(self, headers={**self.headers, "X-Delivery-Id": delivery_id})


_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))
# Kargo's words, of which one plural has no parentheses.
_COUNTED = {TargetKind.WAREHOUSE: "warehouse(s)", TargetKind.PROMOTION: "promotion(s)"}
_FAILED = {TargetKind.WAREHOUSE: "warehouses", TargetKind.PROMOTION: "promotion(s)"}
_HTML = str.maketrans({character: f"\\u{ord(character):04x}" for character in "<>&\u2028\u2029"})


def refreshed(count: int, kind: TargetKind = TargetKind.WAREHOUSE) -> Answer:
    """Everything that wants it was refreshed; there may be nothing."""
    return Answer(status=200, body={"msg": f"refreshed {count} {_COUNTED[kind]}"})


def failed(failures: int, count: int, kind: TargetKind = TargetKind.WAREHOUSE) -> Answer:
    """Some were not refreshed, or not within the answer budget. Their refreshes may still go on.

    Kargo's own server answers 500, which means a defect to a sender: Azure DevOps puts a hook on probation for it.
    """
    return _try_again(f"failed to refresh {failures} of {count} {_FAILED[kind]}")


def resulted(results: Sequence[Mapping[str, object]], *, status: int, retry: bool = False) -> Answer:
    """What became of each action of a generic receiver.

    Kargo's own server answers 500 for an expression that fails, which means a defect to a sender; it is 400 here.
    """
    headers = {"Retry-After": str(limits.RETRY_AFTER)} if retry else {}
    return Answer(status=status, body={"results": list(results)}, headers=headers)


def queued(waiting: int, warehouses: int) -> Answer:
    """Some Warehouses are not refreshed yet, and will be: the delivery is in the retry queue."""
    return Answer(status=202, body={"msg": f"queued {waiting} of {warehouses} refresh(es)"})


def queued_unmatched() -> Answer:
    """The cluster is away, so which Warehouses want it will be seen later: the delivery is in the retry queue."""
    return Answer(status=202, body={"msg": "queued until the cluster can be reached"})


def ping() -> Answer:
    """The sender's registration works."""
    return Answer(status=200, body={"msg": "ping event received, webhook is configured correctly"})


def ignored(event: Ignored) -> Answer:
    """Authenticated, and nothing for us. A success: senders disable a webhook that keeps failing."""
    return Answer(status=200, body={"msg": f"ignored: {event.reason}"})


def handshake(event: Handshake) -> Answer:
    """What the sender wants to see before it sends."""
    return Answer(status=200, body=event.body, headers=event.headers)


def refused(error: WebhookError) -> Answer:
    """The sender's fault."""
    return Answer(status=error.status, body={"error": error.message} if error.message else {})


def unavailable() -> Answer:
    """Neither refreshed nor queued; the sender may try again."""
    return _try_again("the cluster cannot be reached, try again later")


def unproven() -> Answer:
    """The keys that would prove its token cannot be had just now; the sender may try again."""
    return _try_again("the keys that tokens are signed with cannot be fetched, try again later")


def busy() -> Answer:
    """Others' large requests took the time; the sender may try again."""
    return _try_again("busy with other large requests, try again later")


def defect() -> Answer:
    """Our own fault. The log says more; the sender is told nothing."""
    return Answer(status=500)


def _try_again(error: str) -> Answer:
    return Answer(status=503, body={"error": error}, headers={"Retry-After": str(limits.RETRY_AFTER)})
