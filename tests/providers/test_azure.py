"""Azure: what arrived is told by its body."""

import pytest

from receivers.events import Ignored, Malformed, Ping, Pushed
from receivers.providers import PROVIDERS
from tests.providers.deliveries import deliver

PUSH = b'{"action": "push", "target": {"repository": "a", "tag": "1"}, "request": {"host": "r.azurecr.io"}}'


@pytest.mark.parametrize("agent", ["", "AzureContainerRegistry/1.0", "VSServices/19.0", "curl/8.0"])
def test_the_user_agent_does_not_matter(agent: str) -> None:
    (event,) = deliver("azure", PUSH, {"user-agent": agent})
    assert isinstance(event, Pushed)


@pytest.mark.parametrize("body", [b"null", b"{}", b"1", b'"push"', b'{"updated_tags": []}', b'{"resource": {}}'])
def test_what_no_azure_service_sends_is_malformed_in_kargos_words(body: bytes) -> None:
    with pytest.raises(Malformed, match="request does not appear to have originated from a supported service"):
        deliver("azure", body)


@pytest.mark.parametrize("body", [b"[]", b"[null]", b"[{}]", b"[[[]]]"])
def test_a_list_without_events_is_malformed(body: bytes) -> None:
    with pytest.raises(Malformed):
        deliver("azure", body)


@pytest.mark.parametrize("event_type", [b"git.push", b"git.pullrequest.merged", b"build.complete"])
def test_azure_devops_is_ignored_for_now(event_type: bytes) -> None:
    body = b'{"eventType": "' + event_type + b'", "resource": {"repository": {}}}'
    assert deliver("azure", body) == [Ignored("Azure DevOps events are not supported yet")]


@pytest.mark.parametrize("body", [b'{"target": {}}', b'{"request": {}}', b'{"action": ""}', b'{"action": null}'])
def test_a_registry_body_without_action_is_ignored(body: bytes) -> None:
    assert deliver("azure", body) == [Ignored("the body has no action")]


def test_the_documentation_that_called_it_acr_still_holds() -> None:
    assert PROVIDERS["acr"].secret_keys == ("secret-token", "secret")
    assert PROVIDERS["acr"].serves == ("acr", "azure")
    assert deliver("acr", b'{"action": "ping"}') == [Ping()]
