"""Alibaba Cloud's Container Registry: one object per pushed tag, of the shape of Docker Hub's.

https://www.alibabacloud.com/help/en/acr/user-guide/manage-webhooks
"""

from datetime import datetime

import msgspec

from receivers.events import Authenticated, Event, Example, Home, Provider, Push, Registration
from receivers.wire import examples
from receivers.wire.authentication import by_url
from receivers.wire.claims import manifest_pushed
from receivers.wire.go_json import Reader


class PushData(msgspec.Struct, frozen=True):
    """What was pushed."""

    tag: str = ""
    digest: str = ""


class Repository(msgspec.Struct, frozen=True):
    """Where it was pushed to."""

    repo_full_name: str = ""  # "team/app"


class Payload(msgspec.Struct, frozen=True):
    """The fields used of a webhook's body."""

    push_data: PushData = PushData()
    repository: Repository = Repository()


_PAYLOAD = Reader(Payload)


def parse(proof: Authenticated) -> list[Event]:
    """The push. The receiver's option ``registry`` is the instance's host, which the webhook does not tell."""
    payload = _PAYLOAD.decode(proof.request.body)
    return [
        manifest_pushed(
            registry=proof.receiver.options.get("registry", ""),
            repository=payload.repository.repo_full_name,
            tag=payload.push_data.tag,
            digest=payload.push_data.digest,
        )
    ]


def example(push: Push, now: datetime) -> Example:
    """What the registry posts after a push."""
    path = push.repository.partition("/")[2]
    namespace, _, name = path.rpartition("/")
    document = {
        "push_data": {"digest": push.digest, "pushed_at": f"{now:%Y-%m-%d %H:%M:%S}", "tag": push.tag},
        "repository": {
            "date_created": f"{now:%Y-%m-%d %H:%M:%S}",
            "name": name,
            "namespace": namespace,
            "region": "cn-hangzhou",
            "repo_authentication_type": "NO_CERTIFIED",
            "repo_full_name": path,
            "repo_origin_type": "NO_CERTIFIED",
            "repo_type": "PRIVATE",
        },
    }
    return examples.json_example(document, user_agent="Go-http-client/1.1")


ALIBABA = Provider(
    name="alibaba",
    secret_keys=("secret",),
    authentication=by_url,
    parse=parse,
    home=Home(
        repository="registry.cn-hangzhou.aliyuncs.com/team/app",
        registries=".aliyuncs.com",
        own=(".aliyuncs.com",),
        named=True,
    ),
    example=example,
    registration=Registration(
        steps=(
            "In the console: the instance, the repository, Trigger, Create. URL: the URL. Trigger: All.",
            "The receiver needs registry: the instance's host, as subscriptions have it.",
        ),
    ),
    requires=("registry",),
)
