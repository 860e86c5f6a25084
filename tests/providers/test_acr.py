"""Azure Container Registry: where a push names its registry, and what a chart is called."""

import pytest

from receivers.events import Ignored, Kind, Pushed
from receivers.providers.acr import Payload, Request, Target, event


def pushed(payload: Payload, registry: str = "") -> Pushed:
    result = event(payload, registry=registry)
    assert isinstance(result, Pushed)
    return result


def image(host: str = "demo.azurecr.io") -> Payload:
    return Payload(action="push", target=Target(repository="team/app", tag="1.2.3"), request=Request(host=host))


def chart(**target: str) -> Payload:
    return Payload(action="chart_push", target=Target(repository="charts", **target))


def test_the_host_of_a_push_comes_before_the_configured_registry() -> None:
    assert pushed(image(), registry="other.azurecr.io").repository_urls == ("demo.azurecr.io/team/app",)


def test_a_push_without_host_is_in_the_configured_registry() -> None:
    event = pushed(image(host=""), registry="demo.azurecr.cn")
    assert event.repository_urls == ("demo.azurecr.cn/team/app",)
    assert event.registry_suffix == ""


def test_a_push_without_any_registry_is_a_path_in_any_azure_registry() -> None:
    event = pushed(image(host=""))
    assert event.repository_urls == ("team/app",)
    assert event.registry_suffix == ".azurecr.io"


DIGEST = f"sha256:{'ab' * 32}"
BY_DIGEST = Ignored("team/app was pushed by digest alone, and subscriptions discover tags", "team/app")


@pytest.mark.parametrize(
    "media_type",
    [
        "application/vnd.oci.image.manifest.v1+json",  # of one platform, or a chart, or a signature
        "application/vnd.docker.distribution.manifest.v2+json",
        "application/vnd.oci.image.index.v1+json",
        "application/vnd.cncf.helm.config.v1+json",
        "",
    ],
)
@pytest.mark.parametrize("tag", ["", DIGEST, "sha512:00", "a:b", ":"])
def test_a_push_by_digest_concerns_nobody(tag: str, media_type: str) -> None:
    target = Target(repository="team/app", tag=tag, digest=DIGEST, media_type=media_type)
    assert event(Payload(action="push", target=target), registry="") == BY_DIGEST


@pytest.mark.parametrize("tag", [f"sha256-{'ab' * 32}", f"sha256-{'ab' * 32}.sig", "ab" * 32, "1.2.3"])
def test_a_tag_that_tells_of_a_digest_is_a_tag(tag: str) -> None:
    target = Target(repository="team/app", tag=tag, digest=DIGEST)
    assert pushed(Payload(action="push", target=target), registry="demo.azurecr.io").qualifiers == (tag,)


def test_a_push_with_neither_tag_nor_digest_concerns_every_subscriber() -> None:
    assert pushed(Payload(action="push", target=Target(repository="team/app"))).qualifiers == ()


def test_a_push_without_repository_concerns_nobody() -> None:
    payload = Payload(action="push", request=Request(host="demo.azurecr.io"))
    assert pushed(payload).repository_urls == ()


def test_a_chart_has_the_paths_of_the_legacy_store_and_of_oci() -> None:
    event = pushed(chart(name="web", version="5.4.0.tgz"), registry="demo.azurecr.io")
    assert event.kinds == (Kind.CHART,)
    assert event.repository_urls == (
        "demo.azurecr.io/charts",
        "demo.azurecr.io/charts/web",
        "https://demo.azurecr.io/helm/v1/charts",
    )


def test_a_chart_without_a_name_has_no_path_of_its_own() -> None:
    assert pushed(chart(version="5.4.0.tgz")).repository_urls == ("charts", "helm/v1/charts")


@pytest.mark.parametrize(
    ("target", "version"),
    [
        ({"version": "5.4.0.tgz"}, "5.4.0"),
        ({"version": "5.4.0"}, "5.4.0"),
        ({"version": "5.4.0.tgz", "tag": "web-1.0.0.tgz", "name": "web"}, "5.4.0"),
        ({"tag": "web-5.4.0.tgz", "name": "web"}, "5.4.0"),
        ({"tag": "web-2-5.4.0-rc.1.tgz", "name": "web-2"}, "5.4.0-rc.1"),
    ],
)
def test_the_version_of_a_chart(target: dict[str, str], version: str) -> None:
    assert pushed(chart(**target)).qualifiers == (version,)


@pytest.mark.parametrize("target", [{}, {"tag": "web-5.4.0.tgz"}, {"tag": "5.4.0.tgz", "name": "web"}])
def test_a_chart_whose_version_cannot_be_told_concerns_every_subscriber(target: dict[str, str]) -> None:
    assert pushed(chart(**target)).qualifiers == ()


def test_an_action_that_is_not_supported_is_quoted_safely() -> None:
    assert event(Payload(action="\x1b[2Jpwn"), registry="") == Ignored("action \ufffd[2Jpwn is not supported")


def test_a_body_without_action_is_ignored_and_says_so() -> None:
    assert event(Payload(target=Target(repository="team/app")), registry="") == Ignored("the body has no action")
