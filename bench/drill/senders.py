"""Who pushes what, and which Warehouses that concerns."""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import uuid4

from bench.workload import DIGEST, MEDIA_TYPE, SECRETS_NAMESPACE
from receivers.events import Example, Push, Receiver, Target
from receivers.providers import PROVIDERS
from testbed.objects import Hook, Object, cluster_config, git_warehouse, project_config, secret_of, warehouse

PROJECTS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Sender:
    """A kind of sender. Its receiver is the cluster's, or each project has one."""

    name: str
    provider: str
    registry: str  # what stands before an image's path
    of_cluster: bool
    push: Callable[[str, str], Example]  # of a repository and a tag
    route: str = ""  # what a URL begins with, where that is not the provider

    def hook(self, project: str) -> Hook:
        """The receiver for the images of a project."""
        name = self.name.lower().replace(" ", "-")
        return Hook(provider=self.provider, name=name, project=None if self.of_cluster else project)


def pushes(provider: str) -> Callable[[str, str], Example]:
    """What makes the pushes of a provider, as :attr:`Sender.push`: of images, or of tags of Git."""
    example = PROVIDERS[provider].example

    def push(repository: str, tag: str) -> Example:
        if _is_git(repository):
            return example(Push(repository=repository, ref=f"refs/tags/{tag}"), datetime.now(UTC))
        return example(Push(repository=repository, tag=tag, digest=DIGEST, media_type=MEDIA_TYPE), datetime.now(UTC))

    return push


def usual(provider: str) -> Sender:
    """A sender of a provider, whose receivers are those of projects, and which pushes where the provider is at home."""
    home = PROVIDERS[provider].home.repository
    return Sender(
        name=provider.capitalize(),
        provider=provider,
        registry=home.removesuffix("team/app"),
        of_cluster=False,
        push=pushes(provider),
    )


def _is_git(repository: str) -> bool:
    return "://" in repository


def _event_grid(repository: str, tag: str) -> Example:
    """The registry's own payload in Event Grid's envelope."""
    registry, _, path = repository.partition("/")
    data = json.loads(pushes("azure")(repository, tag).body)
    event = {
        "id": str(uuid4()),
        "topic": f"/subscriptions/0/providers/Microsoft.ContainerRegistry/registries/{registry.partition('.')[0]}",
        "subject": f"{path}:{tag}",
        "eventType": "Microsoft.ContainerRegistry.ImagePushed",
        "eventTime": data["timestamp"],
        "data": data,
        "dataVersion": "1.0",
        "metadataVersion": "1",
    }
    headers = {"content-type": "application/json", "aeg-event-type": "Notification"}
    return Example(headers, json.dumps([event]).encode())


SENDERS = (
    Sender(name="ACR", provider="azure", registry="one.azurecr.io/", of_cluster=True, push=pushes("azure")),
    Sender(name="Event Grid", provider="azure", registry="two.azurecr.io/", of_cluster=False, push=_event_grid),
    Sender(name="Quay", provider="quay", registry="quay.io/", of_cluster=False, push=pushes("quay")),
    Sender(name="Docker Hub", provider="dockerhub", registry="", of_cluster=True, push=pushes("dockerhub")),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """A repository. Two Warehouses of its project subscribe to it."""

    number: int
    project: str
    sender: Sender

    @property
    def repository(self) -> str:
        return f"{self.sender.registry}team/app-{self.number}"

    @property
    def targets(self) -> tuple[Target, Target]:
        return Target(self.project, f"app-{self.number}"), Target(self.project, f"bundle-{self.number}")

    @property
    def path(self) -> str:
        """Of the URL that its pushes are posted to."""
        hook = self.sender.hook(self.project)
        return f"/{self.sender.route or hook.provider}/{hook.token}"

    def push(self, tag: str) -> Example:
        """A push of a tag, as its sender posts and proves it."""
        hook = self.sender.hook(self.project)
        receiver = Receiver(provider=hook.provider, name=hook.name, project=hook.project, source="")
        example = self.sender.push(self.repository, tag)
        return PROVIDERS[hook.provider].proven(example, receiver, hook.secret.encode())


def image(number: int) -> Image:
    """The drill's image of that number."""
    return Image(number=number, project=f"drill-{number % PROJECTS}", sender=SENDERS[number % len(SENDERS)])


def objects(images: Sequence[Image], senders: Sequence[Sender] = SENDERS) -> Iterator[Object]:
    """Everything that the cluster must hold: Warehouses, receivers and their Secrets."""
    of_cluster = [sender.hook("") for sender in senders if sender.of_cluster]
    of_project = [sender for sender in senders if not sender.of_cluster]
    yield from (_secret(hook, SECRETS_NAMESPACE) for hook in of_cluster)
    yield cluster_config(of_cluster)
    for project in projects(images):
        hooks = [sender.hook(project) for sender in of_project]
        yield from (_secret(hook, project) for hook in hooks)
        yield project_config(hooks, project=project)
    for each in images:
        for target in each.targets:
            yield _subscriber(target, each.repository)


def projects(images: Iterable[Image]) -> list[str]:
    """The namespaces of Warehouses."""
    return sorted({each.project for each in images})


def _subscriber(target: Target, repository: str) -> Object:
    if _is_git(repository):
        return git_warehouse(target.name, project=target.namespace, repository=repository, constraint="^1.0.0")
    return warehouse(target.name, project=target.namespace, image=repository, constraint="^1.0.0")


def _secret(hook: Hook, namespace: str) -> Object:
    return secret_of(hook, key=PROVIDERS[hook.provider].secret_keys[0], namespace=namespace)
