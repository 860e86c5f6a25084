"""Docker Hub: one object per pushed tag, and nothing else ever. Its ``callback_url`` is never called.

Payload: https://docs.docker.com/docker-hub/repos/manage/webhooks/
"""

from datetime import datetime
from uuid import uuid4

import msgspec

from receivers.events import Authenticated, Event, Example, Home, Provider, Push, Registration
from receivers.wire import examples
from receivers.wire.authentication import by_url
from receivers.wire.claims import artifact_pushed, pushed_by_digest, tags
from receivers.wire.go_json import Reader


class PushData(msgspec.Struct, frozen=True):
    """What was pushed."""

    tag: str = ""
    media_type: str = ""  # not documented, not always there


class Repository(msgspec.Struct, frozen=True):
    """Where it was pushed to."""

    repo_name: str = ""  # "team/app"; an official image is "library/app" or "app"


class Payload(msgspec.Struct):
    """The fields used of a webhook's body."""

    push_data: PushData = PushData()
    repository: Repository = Repository()


_PAYLOAD = Reader(Payload)


def parse(proof: Authenticated) -> list[Event]:
    """The push. A body without ``repo_name`` concerns no subscriber, one without a tag all of its repository's."""
    payload = _PAYLOAD.decode(proof.request.body)
    repository = payload.repository.repo_name
    tag = payload.push_data.tag
    if tag and not tags((tag,)):
        return [pushed_by_digest(repository)]
    return [
        artifact_pushed(
            repository_urls=(repository,),
            qualifiers=(tag,),
            registry="docker.io",
            repository=repository,
            media_type=payload.push_data.media_type,
        )
    ]


def example(push: Push, now: datetime) -> Example:
    """What Docker Hub posts after a push; ``repository`` is ``team/app``, or ``app`` for an official image."""
    namespace, _, name = push.repository.rpartition("/")
    owner = namespace or "library"
    pushed_at = int(now.timestamp())
    return examples.json_example(
        {
            "callback_url": f"https://registry.hub.docker.com/u/{push.repository}/hook/{uuid4().hex}/",
            "push_data": {
                "pushed_at": pushed_at,
                "pusher": owner,
                "tag": push.tag,
                "images": [],
                "media_type": push.media_type,
            },
            "repository": {
                "repo_name": push.repository,
                "namespace": owner,
                "name": name,
                "owner": owner,
                "repo_url": f"https://hub.docker.com/r/{push.repository}",
                "status": "Active",
                "is_private": False,
                "is_official": owner == "library",
                "is_trusted": False,
                "star_count": 0,
                "comment_count": 0,
                "date_created": pushed_at,
                "description": "",
                "full_description": "",
                "dockerfile": "",
            },
        },
        user_agent="Go-http-client/2.0",
    )


DOCKERHUB = Provider(
    name="dockerhub",
    secret_keys=("secret",),
    authentication=by_url,
    parse=parse,
    home=Home(repository="team/app", registries="index.docker.io", alone=True, own=("index.docker.io",)),
    example=example,
    registration=Registration(
        steps=(
            "In the repository: Webhooks. A name, and the URL as Webhook URL, then Create.",
            "Docker Hub posts once and never again; what is lost is found when the Warehouse polls.",
        ),
    ),
)
