"""What ``serve`` prints when it is ready: the receivers, and how to try them."""

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from receivers import examples
from receivers.events import Unprovable
from receivers.kargo.index import SubscriptionIndex
from receivers.local.addresses import Address, masked
from receivers.local.terminal import printable
from receivers.providers import PROVIDERS

SHOWN = 10  # receivers; `kargo-receivers urls` lists them all
COLUMNS = r"WAREHOUSE:.metadata.name,REFRESH:.metadata.annotations.kargo\.akuity\.io/refresh"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """The embedded cluster: where it is, and a kubeconfig for it."""

    url: str
    kubeconfig: Path


def lines(
    found: Sequence[Address], *, url: str, index: SubscriptionIndex, program: str, sample: Sample | None
) -> Iterator[str]:
    """The announcement. Whole URLs are shown of the sample's receivers alone."""
    yield f"the cluster has {len(found)} receiver(s) and {len(index)} Warehouse(s)"
    for address in found[:SHOWN]:
        yield f"\n{printable(f'{address.sender} {address.name}')}"
        if address.problem:
            yield f"  cannot be reached: {printable(address.problem)}"
        elif sample:
            yield f"  {address.url(url)}"
            yield f"  {printable(curl(address, url=url, index=index))}"
        else:
            yield f"  {masked(address.url(url))}"
            yield f"  {printable(send(address, url=url, program=program))}"
    if len(found) > SHOWN:
        yield f"\n… and {len(found) - SHOWN} more: {program} urls"
    yield ""
    yield from _sample(sample, program) if sample else [f"whole URLs: {program} urls --reveal --base-url {url}"]


def curl(address: Address, *, url: str, index: SubscriptionIndex) -> str:
    """A command that posts a push which one of the receiver's Warehouses takes; else why there is none."""
    receiver = address.receiver
    provider = PROVIDERS[receiver.provider].of(receiver)
    push = examples.push(provider, index.subscriptions(receiver.project), receiver=receiver)
    try:
        example = provider.proven(provider.example(push, datetime.now(UTC)), receiver, address.secret)
    except Unprovable as error:
        return f"cannot be tried: {error}"
    headers = [part for name, value in example.headers.items() for part in ("-H", f"{name}: {value}")]
    return shlex.join(["curl", "-i", *headers, "-d", example.body.decode(), address.url(url)])


def send(address: Address, *, url: str, program: str) -> str:
    """A command that does the same and needs no whole URL."""
    receiver = address.receiver
    project = ["--project", receiver.project] if receiver.project else []
    command = [program, "send", address.sender, "--receiver", receiver.name, *project, "--base-url", url]
    return shlex.join(command)


def _sample(sample: Sample, program: str) -> Iterator[str]:
    watch = ["kubectl", "--server", sample.url, "get", "warehouses", "-A", "-o", f"custom-columns={COLUMNS}", "--watch"]
    yield "paste a curl into another terminal. Then try a tag that the Warehouse does not want."
    yield f"what changes in the cluster:\n  {shlex.join(watch)}"
    yield f"for any kubectl, and for {program} urls, send, ping and doctor:\n  export KUBECONFIG={sample.kubeconfig}"
    yield ""
