"""``python -m receivers.local.embedded``: the embedded cluster alone, until it is interrupted."""

import argparse
import asyncio
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import uvloop

from receivers.local import terminal
from receivers.local.embedded import EmbeddedCluster, documents

WAREHOUSES_PER_PROJECT = 20


def many_warehouses(count: int) -> Iterator[dict[str, Any]]:
    """Warehouses to measure with, spread over projects: each subscribes to an image of its own."""
    for number in range(count):
        image = {
            "repoURL": f"myregistry.azurecr.io/team/app-{number}",
            "imageSelectionStrategy": "SemVer",
            "constraint": "^1.0.0",
            "strictSemvers": True,
        }
        project = f"project-{number // WAREHOUSES_PER_PROJECT}"
        yield {
            "apiVersion": "kargo.akuity.io/v1alpha1",
            "kind": "Warehouse",
            "metadata": {"name": f"app-{number}", "namespace": project},
            "spec": {"interval": "5m0s", "subscriptions": [{"image": image}]},
        }


async def serve(arguments: argparse.Namespace) -> None:
    """Serves until SIGINT or SIGTERM."""
    interrupted = asyncio.Event()
    for each in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(each, interrupted.set)
    objects = [*documents(*arguments.load), *many_warehouses(arguments.count)]
    cluster = EmbeddedCluster(objects, base_url=arguments.base_url, echo_after=arguments.echo)
    url = await cluster.start(port=arguments.port)
    terminal.show([f"ready on {url}"])
    await interrupted.wait()
    await cluster.stop()


def main() -> None:
    """Reads the command line and serves."""
    parser = argparse.ArgumentParser(prog="python -m receivers.local.embedded", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="on 127.0.0.1; 0 takes a free one")
    parser.add_argument("--load", type=Path, nargs="*", default=[], metavar="FILE", help="YAML to begin with")
    parser.add_argument("--count", type=int, default=0, help="begin with so many Warehouses, 20 to a project")
    parser.add_argument("--base-url", help="write the status of webhook receivers, with URLs under this one")
    parser.add_argument("--echo", type=float, metavar="SECONDS", help="handle refreshes after so many seconds")
    uvloop.run(serve(parser.parse_args()))


if __name__ == "__main__":
    main()
