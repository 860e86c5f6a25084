"""What the API server itself says of the service's calls: its audit log. It counts each call that it could read."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

USER = "kargo-receivers"
# https://kubernetes.io/docs/tasks/debug/debug-cluster/audit/
POLICY = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived"],
    "rules": [{"level": "Metadata", "users": [USER]}, {"level": "None"}],
}
MEGABYTES = 4_000  # at which the log would begin anew


class Object(msgspec.Struct, frozen=True):
    """What a call is about."""

    resource: str = ""
    namespace: str = ""


class Call(msgspec.Struct, rename="camel", frozen=True):
    """One call. A watch has two lines: that it began, and that it is over."""

    verb: str
    request_uri: str = msgspec.field(name="requestURI")
    object_ref: Object = Object()
    audit_id: str = msgspec.field(name="auditID", default="")

    @property
    def kind(self) -> str:
        """``get secrets``, or ``get /version``."""
        return f"{self.verb} {self.object_ref.resource or self.request_uri.partition('?')[0]}"


class AuditLog:
    """The log of an API server that was started with :attr:`flags`. Its files are in ``folder``."""

    def __init__(self, folder: Path) -> None:
        policy = folder / "audit-policy.json"
        policy.write_text(json.dumps(POLICY), encoding="utf-8")
        self._file = folder / "audit.log"
        self._read = 0  # bytes
        self.flags = (
            f"--audit-policy-file={policy}",
            f"--audit-log-path={self._file}",
            f"--audit-log-maxsize={MEGABYTES}",
        )

    def new(self) -> list[Call]:
        """The calls since this was asked last."""
        return list({call.audit_id: call for call in self._lines()}.values())

    def _lines(self) -> Iterator[Call]:
        if not self._file.exists():
            return
        with self._file.open("rb") as file:
            file.seek(self._read)
            for line in file:
                if line.endswith(b"\n"):
                    self._read += len(line)
                    yield msgspec.json.decode(line, type=Call)


def counted(calls: Iterable[Call]) -> Counter[str]:
    """How many of each kind."""
    return Counter(call.kind for call in calls)
