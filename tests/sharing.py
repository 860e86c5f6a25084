"""How the tests are shared out among workers: pytest -n, which `make test` runs."""

from pathlib import Path
from typing import override

import pytest
from xdist.scheduler import LoadFileScheduling

HERE = Path(__file__).parent
MEASURED = ("kargo", "providers", "wire")  # rooms of receivers/ of which every line and branch is covered
PATIENT = ("bench", "infra", "scripts")  # folders whose tests run whole programs, and may take ten minutes
TOGETHER = ("infra", "pages")  # folders with servers that one worker has for all of their files
# What takes long, the longest first: whatever worker had it last would be busy with it alone.
LONG = (
    "infra/",
    "bench/test_drill.py",
    "pages/",
    "providers/test_properties.py",
    "bench/test_siege.py",
    "scripts/test_package.py",
    "local/commands/",
    "test_function_app.py",
)


def prepare(items: list[pytest.Item]) -> None:
    """What takes long comes first, and coverage is measured by the tests of the rooms that promise it alone."""
    for item in items:
        room = item.path.relative_to(HERE).parts[0]
        if room not in MEASURED:
            item.add_marker("no_cover")
        if room in PATIENT:
            item.add_marker(pytest.mark.time_limit(600))
    items.sort(key=lambda item: _turn(item.path.relative_to(HERE).as_posix()))


def _turn(file: str) -> int:
    return next((turn for turn, long in enumerate(LONG) if file.startswith(long)), len(LONG))


class Shares(LoadFileScheduling):  # type: ignore[misc]  # it has no types
    """Each file is one worker's, and so is each folder whose files share servers. In the order of the tests."""

    @override
    def _split_scope(self, nodeid: str) -> str:
        return share_of(nodeid)


def share_of(nodeid: str) -> str:
    """The folder or file that one worker has the whole of."""
    file = Path(nodeid.partition("::")[0])
    folder = file.parts[file.parts.index(HERE.name) + 1] if HERE.name in file.parts else ""
    return folder if folder in TOGETHER else str(file)
