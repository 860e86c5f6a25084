"""The tests are shared out among workers."""

import pytest

from tests import sharing


def test_what_is_named_is_there() -> None:
    folders = {*sharing.MEASURED, *sharing.PATIENT, *sharing.TOGETHER}
    assert [name for name in (*folders, *sharing.LONG) if not (sharing.HERE / name).exists()] == []


@pytest.mark.parametrize(
    ("nodeid", "share"),
    [
        ("tests/test_sharing.py::test_one", "tests/test_sharing.py"),
        ("tests/kargo/test_urls.py::test_one[a/b::c]", "tests/kargo/test_urls.py"),
        ("tests/pages/test_browser.py::test_one", "pages"),
        ("tests/pages/test_site.py::test_other", "pages"),
    ],
)
def test_a_file_is_one_workers_and_so_is_a_folder_with_servers_of_its_own(nodeid: str, share: str) -> None:
    assert sharing.share_of(nodeid) == share
