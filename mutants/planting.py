"""A plugin of pytest. It plants a mutant, ends what hangs, and tells how long tests take and which of them fail.

The environment says what to do, so that nothing is written into the working tree.
"""

import importlib.abc
import importlib.machinery
import importlib.util
import json
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from types import CodeType, ModuleType

import pytest
from _pytest.runner import runtestprotocol

MODULE = "MUTANTS_MODULE"  # the name of a module
SOURCE = "MUTANTS_SOURCE"  # a file with the source that it has
PATIENCE = "MUTANTS_PATIENCE"  # seconds that one test may take
IMPORTING = 120.0  # seconds until the first test
MEASURED = "MUTANTS_MEASURED"  # the file to write into what was measured


class _Loader(importlib.machinery.SourceFileLoader):
    def get_code(self, fullname: str) -> CodeType:  # noqa: ARG002 - there is but one
        source = Path(os.environ[SOURCE]).read_bytes()
        return compile(source, self.path, "exec", dont_inherit=True)


class _Finder(importlib.abc.MetaPathFinder):
    """Finds the one module."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, _target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname != os.environ[MODULE]:
            return None
        found = importlib.machinery.PathFinder.find_spec(fullname, path)
        if found is None or found.origin is None:
            raise ImportError(f"there is no module {fullname}")
        return importlib.util.spec_from_file_location(fullname, found.origin, loader=_Loader(fullname, found.origin))


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests() -> None:
    """Before anything of this project is imported."""
    if MODULE in os.environ:
        sys.meta_path.insert(0, _Finder())
        _end_after(IMPORTING)


def pytest_runtest_logstart() -> None:
    """Each test has its time."""
    if PATIENCE in os.environ:
        _end_after(float(os.environ[PATIENCE]))


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> bool:
    """A test that fails is run once more, so that a busy machine catches no mutant."""
    item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    reports = runtestprotocol(item, log=False, nextitem=nextitem)
    if any(report.failed for report in reports):
        reports = runtestprotocol(item, log=False, nextitem=nextitem)
    for report in reports:
        item.ihook.pytest_runtest_logreport(report=report)
    item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
    return True


def _end_after(seconds: float) -> None:
    """When the time is over the system ends this process, whatever it does."""
    signal.setitimer(signal.ITIMER_REAL, seconds)


class _Measuring:
    """Of the tests that may run against two kinds of API server one is enough: the one that starts at once."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._seconds: dict[str, float] = {}
        self._failed: set[str] = set()

    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        slow = [item for item in items if isinstance(item, pytest.Function) and _needs_real_server(item)]
        config.hook.pytest_deselected(items=slow)
        items[:] = [item for item in items if item not in slow]

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._seconds[report.nodeid] = self._seconds.get(report.nodeid, 0.0) + report.duration
        if not report.passed:
            self._failed.add(report.nodeid)

    def pytest_sessionfinish(self) -> None:
        passed = {test: seconds for test, seconds in self._seconds.items() if test not in self._failed}
        self._file.write_text(json.dumps({"passed": passed, "failed": sorted(self._failed)}))


def pytest_configure(config: pytest.Config) -> None:
    """Measure, if that is asked for."""
    if MEASURED in os.environ:
        config.pluginmanager.register(_Measuring(Path(os.environ[MEASURED])))


def _needs_real_server(item: pytest.Function) -> bool:
    parameters = item.callspec.params.values() if hasattr(item, "callspec") else ()
    return "running_real_server" in item.fixturenames or "real" in [
        each for each in parameters if isinstance(each, str)
    ]
