"""What is known of all providers without importing them."""

import subprocess
import sys

import pytest

from receivers.providers import PROVIDERS, SECRET_KEYS, serving


@pytest.mark.parametrize("kind", [*PROVIDERS, "unknown", ""])
def test_the_providers_that_serve_a_kind_are_those_that_say_so(kind: str) -> None:
    assert serving(kind) == [provider for provider in PROVIDERS.values() if kind in provider.kinds]


def test_every_kind_is_the_name_of_a_provider() -> None:
    assert {kind for provider in PROVIDERS.values() for kind in provider.kinds} == set(PROVIDERS)


def test_every_data_key_of_a_secret_is_known() -> None:
    assert {key for provider in PROVIDERS.values() for key in provider.secret_keys} == SECRET_KEYS


def test_none_is_imported_before_it_is_asked_for() -> None:
    program = (
        "import sys, function_app; from receivers.providers import PROVIDERS, serving; "
        "loaded = lambda: [name for name in sys.modules if name.startswith('receivers.providers.')]; "
        "before = loaded(); serving('quay'); print(before, loaded())"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[] ['receivers.providers.quay']\n"
