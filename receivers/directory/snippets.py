"""A receiver, as YAML to apply, that would tell of what is only polled."""

import json
from dataclasses import dataclass

from receivers.directory import coverage
from receivers.events import Target
from receivers.kargo import repositories, words
from receivers.kargo.subscriptions import Subscription
from receivers.providers import GENERIC, PROVIDERS, STAND_INS

PIPELINE = "push"  # whoever pushes can tell of it, wherever it is
# What names of hosts say of who serves them, where they are nobody's own
_HINTS = ("harbor", "artifactory", "nexus", "gitlab", "gitea", "bitbucket", "zot")
_LIKE = {"forgejo": "gitea", "jfrog": "artifactory"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Suggestion:
    """A provider, and its receiver with the Secret. The secret itself is for people to make."""

    provider: str
    yaml: str


def suggest(target: Target, subscription: Subscription) -> Suggestion:
    """The receiver that would tell of a Warehouse's subscription. Where nothing says who could, the pipeline."""
    registry = repositories.registry(subscription.kind, words.repository(subscription.url))
    provider = _provider(subscription, registry)
    return Suggestion(provider=provider, yaml=_yaml(target.namespace, provider, registry))


def _provider(subscription: Subscription, registry: str) -> str:
    classic = coverage.is_classic(subscription)
    found = coverage.of_host(subscription.kind, registry) or _hinted(registry)
    if found and coverage.tells(PROVIDERS[found].home, subscription.kind, registry, classic=classic):
        return found
    return PIPELINE


def _hinted(registry: str) -> str:
    like = {**{name: name for name in _HINTS}, **_LIKE}
    return next((provider for name, provider in like.items() if name in registry), "")


def _yaml(project: str, provider: str, registry: str) -> str:
    name = f"{provider}-webhook"
    key = "secret" if provider in STAND_INS else PROVIDERS[provider].secret_keys[0]
    secret = [
        "apiVersion: v1",
        "kind: Secret",
        "metadata:",
        f"  name: {name}",
        f"  namespace: {project}",
        "  labels:",
        "    kargo.akuity.io/cred-type: generic",
        "stringData:",
        f"  {key}: REPLACE_ME # with a long random text: openssl rand -hex 32",
    ]
    config = [
        "apiVersion: kargo.akuity.io/v1alpha1",
        "kind: ProjectConfig",
        "metadata:",
        f"  name: {project}",
        f"  namespace: {project}",
        "spec:",
        "  webhookReceivers: # beside those that it has",
        f"    - name: {provider}",
        f"      {GENERIC if provider in STAND_INS else provider}:",
        "        secretRef:",
        f"          name: {name}",
        *(_standing_in(provider, registry) if provider in STAND_INS else ()),
    ]
    return "\n".join([*config, "---", *secret]) + "\n"


def _standing_in(provider: str, registry: str) -> list[str]:
    """The action of a generic receiver that stands for another sender's."""
    required = "registry" in PROVIDERS[provider].requires
    return [
        "        actions:",
        "          - action: Refresh",
        "            parameters:",
        f"              kargo-receivers/sender: {provider}",
        *([f"              registry: {json.dumps(registry)}"] if required else []),
        "            targetSelectionCriteria: # Kargo's CRD demands one; it does not count here",
        "              - kind: Warehouse",
        "                name: nothing-but-what-the-sender-tells",
    ]
