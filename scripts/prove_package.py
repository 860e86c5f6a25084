"""Proves a package: unpacks it and runs it under the real worker library, with nothing else on the path.

    scripts/prove_package.py [FILE]

A second Python, without this environment's packages (-I -S), indexes the app as Azure does and asks it three things:
whether it lives, a ping of a receiver, and a push for a cluster that is not there.
"""

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Mapping
from hashlib import sha256
from http import HTTPStatus
from pathlib import Path
from types import SimpleNamespace

PACKAGE = Path(__file__).parent.parent / "dist" / "kargo-receivers.zip"
SITE_PACKAGES = ".python_packages/lib/site-packages"
LONGEST = 120  # seconds; it takes a few

PROJECT, NAME, SECRET = "demo", "acr", "proof-of-package"  # of a receiver that exists here only
TOKEN = sha256(f"{PROJECT}{NAME}{SECRET}".encode()).hexdigest()
SETTINGS = {
    "CLUSTER_AUTHENTICATION": "token",
    "CLUSTER_SERVER": "https://127.0.0.1:1",  # refuses connections
    "CLUSTER_TOKEN": "none",
    "READ_SECRETS": "false",
    "RECEIVERS": json.dumps([{"provider": "azure", "name": NAME, "project": PROJECT, "secret": SECRET}]),
    "JOURNAL": "none",
    "ANSWER_BUDGET_SECONDS": "1",
}
PUSH = {
    "action": "push",
    "target": {
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "repository": "team/app",
        "tag": "1.2.3",
        "digest": "sha256:" + "0" * 64,
    },
    "request": {"host": "contoso.azurecr.io"},
}


def main() -> int:
    """Exit code 1: the package does not run. The reason is on stderr."""
    package = Path(sys.argv[1]) if len(sys.argv) > 1 else PACKAGE
    with tempfile.TemporaryDirectory() as folder:
        with zipfile.ZipFile(package) as archive:
            archive.extractall(folder)
        return run_from(Path(folder))


def run_from(folder: Path) -> int:
    """The same for what was unpacked already."""
    command = [sys.executable, "-I", "-S", __file__, "--inside", str(folder)]
    environment = {"HOME": str(folder), **SETTINGS}
    return subprocess.run(command, env=environment, cwd=folder, timeout=LONGEST, check=False).returncode


class Message(SimpleNamespace):
    """A message of the protocol between host and worker, of which the library reads and writes attributes alone."""

    def WhichOneof(self, _group: str) -> str | None:  # noqa: N802 - protobuf's name
        return next(iter(self.__dict__), None)


class Protocol:
    """Every message type is :class:`Message`; the two enumerations have their protobuf values."""

    class BindingInfo(Message):
        out, inout, undefined = 1, 2, None

    class StatusResult(Message):
        Failure, Success = 0, 1

    def __getattr__(self, _name: str) -> type[Message]:
        return Message


def expect(condition: bool, otherwise: str) -> None:
    """Ends the proof if the condition does not hold."""
    if not condition:
        raise SystemExit(otherwise)


def succeeded(result: Message) -> None:
    """Ends the proof with the traceback that a failed result of the library carries."""
    if result.status != Protocol.StatusResult.Success:
        raise SystemExit(result.exception.stack_trace)


async def inside(folder: Path) -> None:
    """Index and ask. Only the standard library and the package are importable here."""
    routes = json.loads((folder / "host.json").read_text())["extensions"]["http"]
    expect(routes["routePrefix"] == "", "host.json: receivers' URLs would begin with /api")
    sys.path[:0] = [str(folder), str(folder / SITE_PACKAGES)]
    started = time.perf_counter()
    import azure_functions_runtime as library  # noqa: PLC0415 - it is in the package, which is on the path only now

    library.start_threadpool_executor()
    request = Message(worker_init_request=Message(capabilities={}, function_app_directory=str(folder)))
    properties = {"host": "127.0.0.1", "protos": Protocol()}
    answer = await library.worker_init_request(Message(request=request, properties=properties))
    succeeded(answer.result)
    metadata = await library.functions_metadata_request(Message())
    functions = {entry.name: entry for entry in metadata.function_metadata_results}

    async def ask(function: str, method: str, path: str, body: Mapping[str, object] | None = None) -> tuple[int, str]:
        http = Message(
            method=method,
            url=f"https://app.example.com{path}",
            headers={"content-type": "application/json"},
            params={"token": path.rpartition("/")[2]},
            query={},
            body=Message(bytes=json.dumps(body).encode() if body else b""),
        )
        trigger = json.loads(functions[function].raw_bindings[0])["name"]
        invocation = Message(
            invocation_id=function,
            function_id=functions[function].function_id,
            input_data=[Message(data=Message(http=http), name=trigger)],
            trigger_metadata={},
            trace_context=Message(trace_parent="", trace_state="", attributes={}),
            retry_context=Message(retry_count=0, max_retry_count=0, exception=None),
        )
        response = await library.invocation_request(Message(request=Message(invocation_request=invocation)))
        succeeded(response.result)
        returned = response.return_value.http
        return int(returned.status_code), bytes(returned.body.bytes).decode()

    alive, _ = await ask("healthz", "GET", "/healthz")
    print(f"started and answered in {time.perf_counter() - started:.2f} s: {', '.join(sorted(functions))}")
    expect(alive == HTTPStatus.OK, f"healthz: {alive}")
    _, state = await ask("readyz", "GET", "/readyz")
    build = (folder / "receivers" / "build.txt").read_text().strip()
    expect(json.loads(state)["version"] == build, f"readyz: its version is not {build}")
    print(f"version: {build}")
    for what, body, statuses in (("ping", {"action": "ping"}, {200}), ("push", PUSH, {202, 500, 503})):
        status, text = await ask("azure", "POST", f"/azure/{TOKEN}", body)
        print(f"{what}: {status} {text.strip()}")
        expect(status in statuses, f"{what}: {status}, not one of {statuses}")
    foreign = [
        name
        for name, module in sys.modules.items()
        if (file := getattr(module, "__file__", None)) and "site-packages" in file and not file.startswith(str(folder))
    ]
    expect(not foreign, f"modules from elsewhere: {foreign}")
    sys.stdout.flush()
    os._exit(0)  # as Azure ends a worker: nobody closes its connections


if __name__ == "__main__":
    if sys.argv[1:2] == ["--inside"]:
        asyncio.run(inside(Path(sys.argv[2])))
    else:
        sys.exit(main())
