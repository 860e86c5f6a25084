"""Plugins of pytest: one plants a mutant and ends what hangs, one tells how long tests take and which of them fail."""

import contextlib
import importlib.abc
import importlib.machinery
import importlib.util
import json
import os
import signal
import sys
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import CodeType, ModuleType

import pytest
from _pytest.runner import runtestprotocol

IMPORTING = 120.0  # seconds until the first test
# What is imported already cannot have its assertions written anew; nothing of it has any that matter here.
OPTIONS = ("-q", "-p", "no:cacheprovider", "-W", "ignore::pytest.PytestAssertRewriteWarning")


def run(root: Path, log: Path, arguments: Sequence[str], environment: Mapping[str, str], *plugins: object) -> None:
    """Run pytest in this process, which ends with its exit code."""
    os.environ.update(environment)
    os.chdir(root)
    sys.path.insert(0, str(root))
    code: int = pytest.ExitCode.INTERNAL_ERROR
    with log.open("w") as told, contextlib.redirect_stdout(told), contextlib.redirect_stderr(told):
        try:
            code = pytest.main([*OPTIONS, *arguments], [*plugins, Patient()])
        except Exception:  # noqa: BLE001 - whatever it is, no test has failed
            traceback.print_exc()
    sys.exit(int(code))


class Patient:
    """A test that fails is run once more, so that a busy machine catches no mutant."""

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item, nextitem: pytest.Item | None) -> bool:
        item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
        reports = runtestprotocol(item, log=False, nextitem=nextitem)
        if any(report.failed for report in reports):
            reports = runtestprotocol(item, log=False, nextitem=nextitem)
        for report in reports:
            item.ihook.pytest_runtest_logreport(report=report)
        item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
        return True


class Planting(importlib.abc.MetaPathFinder):
    """A module has this source, whatever its file holds, and no test takes longer than so many seconds."""

    def __init__(self, module: str, source: bytes, *, patience: float) -> None:
        self._module = module
        self._source = source
        self._patience = patience

    def pytest_load_initial_conftests(self) -> None:
        """Before anything of the project is imported."""
        sys.meta_path.insert(0, self)
        _end_after(IMPORTING)

    def pytest_runtest_logstart(self) -> None:
        _end_after(self._patience)

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, _target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname != self._module:
            return None
        found = importlib.machinery.PathFinder.find_spec(fullname, path)
        if found is None or found.origin is None:
            raise ImportError(f"there is no module {fullname}")
        loader = _Loader(fullname, found.origin, self._source)
        return importlib.util.spec_from_file_location(fullname, found.origin, loader=loader)


class _Loader(importlib.machinery.SourceFileLoader):
    def __init__(self, fullname: str, path: str, source: bytes) -> None:
        super().__init__(fullname, path)
        self._source = source

    def get_code(self, fullname: str) -> CodeType:  # noqa: ARG002 - there is but one
        return compile(self._source, self.path, "exec", dont_inherit=True)


def _end_after(seconds: float) -> None:
    """When the time is over the system ends this process, whatever it does."""
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_REAL, seconds)


class Measuring:
    """Writes down the tests. Of those that run against two kinds of API server one is enough, that starts at once."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._seconds: dict[str, float] = {}
        self._failed: set[str] = set()

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        for item in items:  # also where `make test` measures no coverage
            item.own_markers[:] = [mark for mark in item.own_markers if mark.name != "no_cover"]
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


def _needs_real_server(item: pytest.Function) -> bool:
    parameters = item.callspec.params.values() if hasattr(item, "callspec") else ()
    return "running_real_server" in item.fixturenames or "real" in [
        each for each in parameters if isinstance(each, str)
    ]
