"""What is known of all providers without importing them."""

import subprocess
import sys

import pytest

from receivers.kargo.configs import KEYS
from receivers.providers import GIT_HOSTS, PROVIDERS, SECRET_KEYS, STAND_INS, missing, segment, serving


@pytest.mark.parametrize("kind", [*PROVIDERS, "unknown", ""])
def test_the_providers_that_serve_a_kind_are_those_that_say_so(kind: str) -> None:
    assert serving(kind) == [provider for provider in PROVIDERS.values() if kind in provider.kinds]


def test_every_kind_is_the_name_of_a_provider() -> None:
    assert {kind for provider in PROVIDERS.values() for kind in provider.kinds} == set(PROVIDERS)


def test_every_data_key_of_a_secret_is_known() -> None:
    assert {key for provider in PROVIDERS.values() for key in provider.secret_keys} == SECRET_KEYS


def test_a_generic_receiver_can_stand_for_those_that_kargo_has_no_receiver_for() -> None:
    beyond = {name for name, provider in PROVIDERS.items() if not set(provider.kinds) & set(KEYS)}
    assert beyond == STAND_INS
    assert {name: segment(name) for name in PROVIDERS} == {
        name: "generic" if name in beyond else name for name in PROVIDERS
    }


def test_a_sender_in_generic_s_place_is_imported_alone_and_when_it_is_asked_for() -> None:
    program = (
        "import sys; from receivers.providers import PROVIDERS; from receivers.events import Receiver; "
        "loaded = lambda: sorted(name for name in sys.modules if name.startswith('receivers.providers.')); "
        "options = {'kargo-receivers/sender': 'push'}; "
        "receiver = Receiver(provider='generic', name='r', project=None, source='', options=options); "
        "provider = PROVIDERS['generic']; before = loaded(); provider.of(receiver); print(before, loaded())"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert (
        done.stdout == "['receivers.providers.generic'] ['receivers.providers.generic', 'receivers.providers.push']\n"
    )


def test_git_hosts_are_known_without_importing_them() -> None:
    """Of a Git host's events some tell of pull requests; Azure's host has no receivers of its own kind."""
    telling = [each for each in PROVIDERS.values() if each.pull_request is not None and "://" in each.home.repository]
    assert {kind for provider in telling for kind in provider.kinds} == GIT_HOSTS


def test_what_asking_for_a_provider_imports_is_told_until_it_is_imported() -> None:
    program = (
        "from receivers.providers import PROVIDERS, missing; before = missing('acr'); PROVIDERS['acr']; "
        "print(before, missing('acr'), missing('quay'))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "receivers.providers.azure None receivers.providers.quay\n"
    assert all(missing(name) is None for name in PROVIDERS if PROVIDERS[name])


def test_none_is_imported_before_it_is_asked_for() -> None:
    program = (
        "import sys, function_app; from receivers.providers import PROVIDERS, serving; "
        "loaded = lambda: [name for name in sys.modules if name.startswith('receivers.providers.')]; "
        "before = loaded(); serving('quay'); print(before, loaded())"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[] ['receivers.providers.quay']\n"
