"""kubectl works with the embedded API as it does with a real one."""

import asyncio
import json

import pytest

from testbed.servers import ApiServer, Json
from tests.cluster.kubectl import Kubectl

MANIFEST = """
apiVersion: v1
kind: Namespace
metadata: {name: kargo-demo}
---
apiVersion: v1
kind: Secret
metadata: {name: receiver, namespace: kargo-demo}
stringData: {secret: hidden}
---
apiVersion: kargo.akuity.io/v1alpha1
kind: Warehouse
metadata: {name: guestbook, namespace: kargo-demo, labels: {team: a}}
spec:
  interval: 5m0s
  subscriptions: [{image: {repoURL: quay.io/example/app}}]
"""


@pytest.fixture
async def manifest(kubectl: Kubectl) -> None:
    await kubectl("apply", "-f", "-", stdin=MANIFEST)


async def test_apply_creates_then_changes_then_leaves_alone(kubectl: Kubectl) -> None:
    assert "warehouse.kargo.akuity.io/guestbook created" in await kubectl("apply", "-f", "-", stdin=MANIFEST)
    changed = MANIFEST.replace("5m0s", "6m0s")
    assert "warehouse.kargo.akuity.io/guestbook configured" in await kubectl("apply", "-f", "-", stdin=changed)
    assert "warehouse.kargo.akuity.io/guestbook unchanged" in await kubectl("apply", "-f", "-", stdin=changed)


async def test_create_makes_what_is_not_there(kubectl: Kubectl) -> None:
    assert "secret/receiver created" in await kubectl("create", "-f", "-", stdin=MANIFEST)


@pytest.mark.usefixtures("manifest")
@pytest.mark.parametrize(
    ("arguments", "printed"),
    [
        (("get", "warehouses", "-A", "-o", "name"), "warehouse.kargo.akuity.io/guestbook"),
        (("get", "warehouses", "-n", "kargo-demo"), "guestbook"),
        (("get", "warehouse", "guestbook", "-n", "kargo-demo", "-o", "yaml"), "repoURL: quay.io/example/app"),
        (("get", "warehouses", "-A", "-l", "team in (a, b)", "-o", "name"), "guestbook"),
        (("get", "warehouses", "-A", "--chunk-size=1", "-o", "name"), "guestbook"),
        (("get", "ns", "kargo-demo", "-o", "name"), "namespace/kargo-demo"),
        (("get", "secret", "receiver", "-n", "kargo-demo", "-o", "jsonpath={.data.secret}"), "aGlkZGVu"),
        (("describe", "warehouse", "guestbook", "-n", "kargo-demo"), "quay.io/example/app"),
        (("describe", "secret", "receiver", "-n", "kargo-demo"), "secret:  6 bytes"),
        (("annotate", "warehouse", "guestbook", "-n", "kargo-demo", "a=b"), "annotated"),
        (("annotate", "secret", "receiver", "-n", "kargo-demo", "a=b"), "annotated"),
        (("label", "warehouse", "guestbook", "-n", "kargo-demo", "team=b", "--overwrite"), "labeled"),
        (
            (
                "patch",
                "warehouse",
                "guestbook",
                "-n",
                "kargo-demo",
                "--type=merge",
                "-p",
                '{"spec":{"interval":"1m0s"}}',
            ),
            "patched",
        ),
        (("delete", "warehouse", "guestbook", "-n", "kargo-demo"), "deleted"),
        (("delete", "warehouses", "--all", "-n", "kargo-demo"), "deleted"),
        (("api-resources", "--api-group=kargo.akuity.io", "-o", "name"), "projectconfigs.kargo.akuity.io"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
async def test_its_commands_print_what_they_should(kubectl: Kubectl, arguments: tuple[str, ...], printed: str) -> None:
    assert printed in await kubectl(*arguments)


@pytest.mark.usefixtures("manifest")
async def test_an_annotation_can_be_set_and_removed(kubectl: Kubectl, api_server: ApiServer) -> None:
    await kubectl("annotate", "warehouse", "guestbook", "-n", "kargo-demo", "a=b")
    found = await kubectl.json("get", "warehouse", "guestbook", "-n", "kargo-demo")
    assert found["metadata"]["annotations"]["a"] == "b"
    await kubectl("annotate", "warehouse", "guestbook", "-n", "kargo-demo", "a-")
    after = await api_server.get("Warehouse", "guestbook", "kargo-demo")
    assert after is not None
    assert "a" not in after["metadata"]["annotations"]


@pytest.mark.usefixtures("manifest")
async def test_a_watch_prints_each_change(kubectl: Kubectl, api_server: ApiServer) -> None:
    watching = await kubectl.start("get", "warehouses", "-A", "-w", "-o", "json", "--output-watch-events")
    try:
        assert watching.stdout is not None
        assert (await _next_event(watching.stdout))["type"] == "ADDED"
        await api_server.patch("Warehouse", "guestbook", "kargo-demo", {"metadata": {"annotations": {"a": "b"}}})
        event = await _next_event(watching.stdout)
        assert (event["type"], event["object"]["metadata"]["annotations"]["a"]) == ("MODIFIED", "b")
    finally:
        watching.kill()
        await watching.communicate()


async def _next_event(output: asyncio.StreamReader) -> Json:
    text = ""
    async with asyncio.timeout(20):
        while True:
            text += (await output.readline()).decode()
            try:
                return json.loads(text)
            except json.JSONDecodeError:
                continue
