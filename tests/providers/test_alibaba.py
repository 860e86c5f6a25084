"""Alibaba Cloud's registry: pushes to the registry that the receiver names."""

import json

from receivers.events import Ignored, Pushed
from tests.providers.deliveries import deliver

OPTIONS = {"registry": "registry.cn-hangzhou.aliyuncs.com"}


def test_the_registry_is_the_receiver_s() -> None:
    body = {"push_data": {"tag": "1.2.3", "digest": "sha256:5"}, "repository": {"repo_full_name": "team/app"}}
    (event,) = deliver("alibaba", json.dumps(body).encode(), options=OPTIONS)
    assert isinstance(event, Pushed)
    assert event.repository_urls == ("registry.cn-hangzhou.aliyuncs.com/team/app",)
    assert (event.qualifiers, event.digest) == (("1.2.3",), "sha256:5")


def test_without_a_repository_it_is_ignored() -> None:
    assert deliver("alibaba", b"{}", options=OPTIONS) == [Ignored("the event names no repository")]
