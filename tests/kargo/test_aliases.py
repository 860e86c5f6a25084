"""Registries that have several names."""

import string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from receivers.events import Kind
from receivers.kargo import urls
from receivers.kargo.aliases import canonical
from tests.kargo import tables

patient = settings(deadline=None)  # the machine may be busy


@pytest.mark.parametrize(
    ("url", "key"),
    [
        ("shop.westeurope.geo.azurecr.io/team/app", "shop.azurecr.io/team/app"),
        ("shop.chinanorth3.geo.azurecr.cn/team/app", "shop.azurecr.cn/team/app"),
        ("shop.usgovvirginia.geo.azurecr.us/team/app", "shop.azurecr.us/team/app"),
        ("shop-abcdefgh12345678.eastus.geo.azurecr.io/app", "shop-abcdefgh12345678.azurecr.io/app"),
        ("shop.westeurope.geo.azurecr.io.:443/app", "shop.azurecr.io/app"),
        ("https://shop.westeurope.geo.azurecr.io:443/helm/v1/repo", "https://shop.azurecr.io/helm/v1/repo"),
        ("123456789012.dkr.ecr-fips.us-east-1.amazonaws.com/app", "123456789012.dkr.ecr.us-east-1.amazonaws.com/app"),
        ("123456789012.dkr-ecr.us-east-1.on.aws/app", "123456789012.dkr.ecr.us-east-1.amazonaws.com/app"),
        ("123456789012.dkr-ecr-fips.us-east-1.on.aws/app", "123456789012.dkr.ecr.us-east-1.amazonaws.com/app"),
        ("123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn/app", "123456789012.dkr.ecr.cn-north-1.amazonaws.com/app"),
        (
            "123456789012.dkr-ecr.cn-north-1.on.amazonwebservices.com.cn/app",
            "123456789012.dkr.ecr.cn-north-1.amazonaws.com/app",
        ),
        ("ecr-public.aws.com/team/app", "public.ecr.aws/team/app"),
        ("us-docker.pkg.dev/project/gcr.io/team/app", "gcr.io/project/team/app"),
        ("us-docker.pkg.dev/project/us.gcr.io/app", "us.gcr.io/project/app"),
        ("europe-docker.pkg.dev/project/eu.gcr.io/app", "eu.gcr.io/project/app"),
        ("asia-docker.pkg.dev/example.com/project/asia.gcr.io/app", "asia.gcr.io/example.com/project/app"),
        ("docker.io:443/library/busybox", "busybox"),
        ("registry-1.docker.io./team/app", "team/app"),
        ("registry.hub.docker.com/team/app", "team/app"),
        ("ghcr.io:443/team/app", "ghcr.io/team/app"),
        ("ghcr.io./team/app", "ghcr.io/team/app"),
        ("ghcr.io.:5000/team/app", "ghcr.io:5000/team/app"),
        ("localhost:443/app", "localhost/app"),
        ("[::1]:443/app", "[::1]/app"),
        ("https://charts.example.com:443", "https://charts.example.com"),
        ("http://charts.example.com:80/stable", "http://charts.example.com/stable"),
    ],
)
def test_a_registry_has_one_name(url: str, key: str) -> None:
    assert canonical(url) == key
    assert canonical(key) == key


@pytest.mark.parametrize(
    "url",
    [
        "",
        "busybox",
        "team/app",
        "ghcr.io",
        "ghcr.io:443",
        "foo:443/bar",  # without its port it would be Docker Hub's
        "foo./bar",
        "ghcr.io:5000/team/app",
        "[::1]:5000/app",
        "http://charts.example.com:443/stable",
        "https://charts.example.com:80/stable",
        "https://docker.io/team/app",
        "https://us-docker.pkg.dev/project/gcr.io/app",
        "docker.io/",
        "a.b:443:443/app",
        "shop.azurecr.io/team/app",
        "shop-abcdefgh12345678.azurecr.io/app",
        "westeurope.geo.azurecr.io/app",
        "a.shop.westeurope.geo.azurecr.io/app",
        "shop.westeurope.data.azurecr.io/app",
        "shop.westeurope.geo.azurecr.io.example.com/app",
        "shop.westeurope.geo.azurecr.io:5000/app",
        "12345.dkr.ecr.us-east-1.amazonaws.com.example.com/app",
        "eu.gcr.io/project/app",
        "us-docker.pkg.dev/project/eu.gcr.io/app",
        "us-docker.pkg.dev/project/repository/app",
        "us-docker.pkg.dev/project/gcr.io",
        "europe-west1-docker.pkg.dev/project/gcr.io/app",
        f"{'a' * 300}.westeurope.geo.azurecr.io/app",
        "docker.io/ghcr.io/app",
    ],
)
def test_what_has_no_other_name_is_its_own_key(url: str) -> None:
    assert canonical(url) == url


def test_a_registry_with_a_domain_name_label_is_not_the_one_without() -> None:
    assert canonical("shop-abcdefgh12345678.westeurope.geo.azurecr.io/app") != canonical("shop.azurecr.io/app")


def test_of_what_kargo_tells_apart_only_the_names_of_registries_are_merged() -> None:
    written = [row[0] for name in ("urls", "references") for row in tables.rows(name)]
    normalised = {urls.normalise(kind, url) for kind in (Kind.IMAGE, Kind.CHART) for url in written}
    changed = {url for url in normalised if canonical(url) != url}
    named = ("docker.io", "index.docker.io", "registry-1.docker.io", "https://[::1]:")
    assert changed
    assert {url for url in changed if not url.startswith(named) and ":443/" not in url} == set()


words = st.text(string.ascii_lowercase + string.digits, min_size=1, max_size=8)
hosts = st.one_of(
    words,
    st.builds("{}.{}".format, words, words),
    st.builds("{}.{}.geo.azurecr.io".format, words, words),
    st.sampled_from(["docker.io", "us-docker.pkg.dev", "gcr.io", "localhost", "123456789012.dkr-ecr.us-east-1.on.aws"]),
)
ends = st.sampled_from(["", ".", "..", ":443", ":80", ":5000", ".:443"])
paths = st.lists(words | st.sampled_from(["gcr.io", "docker.io", "library", "example.com", ""]), max_size=4)
schemes = st.sampled_from(["", "https://", "http://"])


@patient
@given(schemes, hosts, ends, paths)
def test_a_key_is_its_own_key(scheme: str, host: str, end: str, path: list[str]) -> None:
    key = canonical("/".join([f"{scheme}{host}{end}", *path]))
    assert canonical(key) == key


@patient
@given(st.text(max_size=200) | st.builds("{}/{}".format, st.text(":.[]/aA1", max_size=30), st.text(max_size=20)))
def test_any_text_has_a_key(text: str) -> None:
    key = canonical(text)
    assert canonical(key) == key
