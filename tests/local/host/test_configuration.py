from pathlib import Path

import pytest

from receivers.local.host.configuration import local_settings, route_prefix, shows_home_page
from receivers.local.host.errors import UnusableConfiguration


@pytest.mark.parametrize(
    ("host_json", "prefix"),
    [
        ('{"version": "2.0"}', "api"),
        ('{"extensions": {}}', "api"),
        ('{"extensions": {"http": {}}}', "api"),
        ('{"extensions": {"http": {"routePrefix": ""}}}', ""),
        ('{"extensions": {"http": {"routePrefix": "/v1/"}}}', "v1"),
        ('\ufeff{"extensions": {"http": {"routePrefix": "bom"}}}', "bom"),
    ],
)
def test_the_route_prefix_stands_in_host_json(tmp_path: Path, host_json: str, prefix: str) -> None:
    (tmp_path / "host.json").write_text(host_json)
    assert route_prefix(tmp_path, {}) == prefix


@pytest.mark.parametrize("prefix", ["", "other"])
def test_an_app_setting_overrides_the_route_prefix(tmp_path: Path, prefix: str) -> None:
    (tmp_path / "host.json").write_text('{"extensions": {"http": {"routePrefix": "v1"}}}')
    assert route_prefix(tmp_path, {"AzureFunctionsJobHost__extensions__http__routePrefix": prefix}) == prefix


@pytest.mark.parametrize(
    ("host_json", "complaint"), [(None, "missing"), ("{", "not JSON"), ("[]", "must hold a JSON object")]
)
def test_a_folder_without_a_usable_host_json_is_no_app(tmp_path: Path, host_json: str | None, complaint: str) -> None:
    if host_json is not None:
        (tmp_path / "host.json").write_text(host_json)
    with pytest.raises(UnusableConfiguration, match=complaint):
        route_prefix(tmp_path, {})


@pytest.mark.parametrize(("setting", "shown"), [({}, True), ("true", False), ("True", False), ("false", True)])
def test_the_home_page_can_be_switched_off(setting: str, *, shown: bool) -> None:
    assert shows_home_page({"AzureWebJobsDisableHomepage": setting} if setting else {}) is shown


def test_local_settings_do_not_override_what_is_set(tmp_path: Path) -> None:
    (tmp_path / "local.settings.json").write_text('{"IsEncrypted": false, "Values": {"A": "1", "B": "2"}}')
    assert local_settings(tmp_path, {"B": "mine"}) == {"A": "1"}


@pytest.mark.parametrize("content", [None, "{}", '{"Values": null}'])
def test_local_settings_may_be_absent(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "local.settings.json").write_text(content)
    assert local_settings(tmp_path, {}) == {}


@pytest.mark.parametrize(
    ("content", "complaint"),
    [('{"IsEncrypted": true, "Values": {}}', "encrypted"), ('{"Values": {"A": 1, "B": "x", "C": {}}}', "of A, C must")],
)
def test_local_settings_that_cannot_be_read_say_why(tmp_path: Path, content: str, complaint: str) -> None:
    (tmp_path / "local.settings.json").write_text(content)
    with pytest.raises(UnusableConfiguration, match=complaint):
        local_settings(tmp_path, {})
