"""Docker Hub: one object per pushed tag, and nothing else ever. Its ``callback_url`` is never called.

Payload: https://docs.docker.com/docker-hub/repos/manage/webhooks/
"""

import msgspec

from receivers.events import Authenticated, Event, Provider
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


DOCKERHUB = Provider(name="dockerhub", secret_keys=("secret",), authenticate=by_url, parse=parse)
