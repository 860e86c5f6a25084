"""Senders that Kargo has no receiver for, in the place of a generic one."""

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from receivers.events import Authenticated, Faulty, Receiver, Unauthenticated, WebhookError
from receivers.kargo.configs import SENDER
from receivers.providers import PROVIDERS, STAND_INS
from receivers.providers.generic import GENERIC
from tests.providers.proofs import receiver, request
from tests.providers.tellings import IMAGE, NOW

SECRET = b"the-secret-of-the-receiver"
REGISTRY = "registry.example.com"
every_stand_in = pytest.mark.parametrize("name", sorted(STAND_INS))


def standing(name: str, **options: str) -> Receiver:
    """A receiver in generic's place, as the configs of the cluster make it."""
    parameters = {"kargo-receivers/sender": name, **options}
    action = {"action": "Refresh", "parameters": parameters, "targetSelectionCriteria": []}
    kept = {key: value for key, value in parameters.items() if value}
    return replace(receiver("generic", **kept), configuration=json.dumps({"actions": [action]}).encode())


def whole(name: str, **options: str) -> Receiver:
    """One with what its sender requires."""
    return standing(name, **dict.fromkeys(PROVIDERS[name].requires, REGISTRY), **options)


@every_stand_in
def test_it_is_that_sender_s_receiver_and_reads_its_example(name: str) -> None:
    sender, configured = PROVIDERS[name], whole(name, warehouses="app")
    assert GENERIC.of(configured) is sender
    example = GENERIC.proven(sender.example(IMAGE, NOW), configured, SECRET)
    asked = request(example.body, **{key.lower(): value for key, value in example.headers.items()})
    asked = replace(asked, received_at=datetime.now(UTC))
    proof = sender.authentication.authenticate(asked, configured, (SECRET,))
    as_its_own = replace(configured, provider=name)
    assert GENERIC.events(proof) == sender.events(Authenticated(request=asked, receiver=as_its_own))
    assert not [event for event in GENERIC.events(proof) if isinstance(event, Faulty)]


@every_stand_in
def test_it_demands_what_the_sender_proves_itself_by(name: str) -> None:
    for options in ({}, {"authentication": "header"}, {"authentication": "no such way"}):
        configured = whole(name, **options)
        assert GENERIC.needs_secret(configured) == PROVIDERS[name].needs_secret(configured)


@every_stand_in
def test_without_a_required_option_it_refuses_what_is_proven(name: str) -> None:
    sender = PROVIDERS[name].of(standing(name))
    stands = GENERIC.of(standing(name))
    if not sender.requires:
        assert stands is sender
        return
    assert stands.name == name
    assert stands.authentication is sender.authentication
    proof = Authenticated(request=request(b"not JSON"), receiver=standing(name))
    fault = f"a receiver of {name} needs {' and '.join(sender.requires)}"
    assert GENERIC.events(proof) == [Faulty(fault)]
    assert stands.faults is not None
    assert list(stands.faults(standing(name))) == [fault]
    assert (stands.results, stands.laborious) == (None, False)


@pytest.mark.parametrize("name", ["azure", "acr", "generic", "github", "nobody", "${{ params.x }}", ""])
def test_another_sender_is_a_fault_and_not_generic(name: str) -> None:
    configured = replace(standing(name), options={"kargo-receivers/sender": name})
    stands = GENERIC.of(configured)
    assert (stands.name, stands.results) == ("generic", None)
    (event,) = GENERIC.events(Authenticated(request=request(b"{}"), receiver=configured))
    assert isinstance(event, Faulty)
    assert event.reason.startswith("sender must be one of alibaba, cdevents, ")
    assert not GENERIC.needs_secret(configured)


@pytest.mark.parametrize(
    ("configured", "fault"),
    [
        (
            replace(whole("zot"), options={"kargo-receivers/sender": "zot"}),
            "the parameters of a sender are no more than 8",
        ),
        (replace(whole("zot"), configuration=b'{"actions": [{"parameters": 1}]}'), "cannot be read"),
        (replace(whole("zot"), configuration=b'{"actions": [{}, {}]}'), "a receiver of a sender has one action"),
    ],
)
def test_a_configuration_that_is_more_than_a_sender_s_is_a_fault(configured: Receiver, fault: str) -> None:
    (event,) = GENERIC.events(Authenticated(request=request(b"{}"), receiver=configured))
    assert isinstance(event, Faulty)
    assert fault in event.reason


def test_in_the_settings_its_options_may_stand_by_themselves() -> None:
    configured = receiver("generic", **{SENDER: "zot", "registry": REGISTRY})
    assert GENERIC.of(configured) is PROVIDERS["zot"]
    assert GENERIC.of(replace(configured, configuration=b'{"actions": []}')) is PROVIDERS["zot"]


def test_a_sender_that_is_to_be_spared_refusals_is_spared_them_here() -> None:
    assert GENERIC.events(Authenticated(request=request(b"not JSON"), receiver=whole("distribution")))
    with pytest.raises(WebhookError):
        GENERIC.events(Authenticated(request=request(b"not JSON"), receiver=whole("nexus")))


def test_a_wrong_secret_proves_nothing() -> None:
    configured = whole("zot", authentication="header")
    with pytest.raises(Unauthenticated):
        GENERIC.of(configured).authentication.authenticate(request(b"{}"), configured, (SECRET,))


def test_without_a_sender_it_is_generic() -> None:
    assert GENERIC.of(receiver("generic")) is GENERIC
    assert PROVIDERS["zot"].of(whole("zot")) is PROVIDERS["zot"]
