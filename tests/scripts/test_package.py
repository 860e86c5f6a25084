"""The package: what is in it, that the same input gives the same bytes, and that it runs with nothing beside it."""

import hashlib
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path, PurePosixPath

import pytest

from receivers import version
from scripts import package

ROOT = Path(__file__).parent.parent.parent
SITE_PACKAGES = str(package.SITE_PACKAGES)
BUILD_IN_ANOTHER_PROCESS = """
import sys
from pathlib import Path
from scripts import package
root, dependencies, to = map(Path, sys.argv[1:])
package.write(package.contents(root, dependencies), to)
"""


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package of this checkout."""
    to = tmp_path_factory.mktemp("package") / "app.zip"
    subprocess.run([sys.executable, ROOT / "scripts" / "package.py", "--to", to], check=True)
    return to


def names(file: Path) -> set[str]:
    with zipfile.ZipFile(file) as archive:
        return set(archive.namelist())


def prove(file: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "scripts" / "prove_package.py"), str(file)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def without(file: Path, prefix: str, to: Path) -> Path:
    """The package without the files whose names begin so."""
    with zipfile.ZipFile(file) as old, zipfile.ZipFile(to, "w") as new:
        for name in old.namelist():
            if not name.startswith(prefix):
                new.writestr(name, old.read(name))
    return to


def test_it_holds_the_app_and_nothing_that_only_developers_need(built: Path) -> None:
    app = {name for name in names(built) if not name.startswith(".python_packages/")}
    assert {"host.json", "function_app.py", "requirements.txt", "receivers/runtime.py"} <= app
    top = {name.partition("/")[0] for name in app}
    assert top == {"host.json", "function_app.py", "requirements.txt", "receivers", "__pycache__"}
    assert not {name for name in app if name.startswith("receivers/local")}


def test_its_dependencies_are_for_linux_whatever_machine_built_it(built: Path) -> None:
    assert any(name.endswith(".cpython-313-x86_64-linux-gnu.so") for name in names(built))
    assert not any(name.endswith((".pyd", ".dylib", "-darwin.so")) for name in names(built))


def test_it_is_small_enough(built: Path) -> None:
    assert built.stat().st_size < package.LARGEST


def test_every_module_has_byte_code_that_no_time_stamp_can_spoil(built: Path) -> None:
    with zipfile.ZipFile(built) as archive:
        every = set(archive.namelist())
        modules = {PurePosixPath(name) for name in every if name.startswith("receivers/") and name.endswith(".py")}
        for module in modules | {PurePosixPath("function_app.py")}:
            code = archive.read(str(module.parent / "__pycache__" / f"{module.stem}.cpython-313.pyc"))
            assert code[4:8] == b"\1\0\0\0", "flags: hash-based, unchecked"
            assert b"/home/site/wwwroot/" in code, "tracebacks name the place where it runs"
            assert str(ROOT).encode() not in code


def test_the_same_input_gives_the_same_bytes(tmp_path: Path) -> None:
    dependencies = tmp_path / "dependencies"
    (dependencies / "library").mkdir(parents=True)
    (dependencies / "library" / "__init__.py").write_text("NAMES = frozenset({'a', 'b'})\n")
    digests = set()
    for folder in ("here", "there"):
        clone = tmp_path / folder / "checkout"
        subprocess.run(["git", "clone", "--quiet", ROOT, clone], check=True)
        for age, file in enumerate(clone.rglob("*.py")):
            os.utime(file, (age, age))
        to = tmp_path / f"{folder}.zip"
        command = [sys.executable, "-c", BUILD_IN_ANOTHER_PROCESS, *map(str, (clone, dependencies, to))]
        subprocess.run(command, cwd=ROOT, check=True, env={**os.environ, "PYTHONHASHSEED": str(len(folder))})
        digests.add(hashlib.sha256(to.read_bytes()).hexdigest())
    assert len(digests) == 1


def test_its_version_is_that_of_the_source_and_tells_other_contents(built: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(built) as archive:
        build = archive.read("receivers/build.txt").decode()
    assert re.fullmatch(rf"{re.escape(version.VERSION)}\+[0-9a-f]{{12}}\n", build)
    root, dependencies = tmp_path / "app", tmp_path / "dependencies"
    subprocess.run(["git", "clone", "--quiet", ROOT, root], check=True)
    dependencies.mkdir()
    builds = set()
    for content in ("one", "other"):
        (root / "function_app.py").write_text(f"# {content}\n")
        builds.add(dict(package.contents(root, dependencies))[package.BUILD_FILE])
    assert len(builds) == 2


def test_its_version_can_be_told_without_importing_the_app() -> None:
    assert package.version(ROOT) == version.VERSION


def test_it_runs_under_the_worker_library_with_nothing_else_on_the_path(built: Path) -> None:
    done = prove(built)
    assert done.returncode == 0, done.stderr
    assert 'ping: 200 {"msg":"ping event received, webhook is configured correctly"}' in done.stdout


@pytest.mark.parametrize(
    "missing", [f"{SITE_PACKAGES}/msgspec/", "function_app.py", "receivers/providers/", "host.json"]
)
def test_a_package_that_lacks_something_does_not_pass(built: Path, tmp_path: Path, missing: str) -> None:
    assert prove(without(built, missing, tmp_path / "broken.zip")).returncode != 0


@pytest.mark.parametrize(
    ("path", "pattern", "named"),
    [
        ("tests/conftest.py", "tests", True),
        ("receivers/local/cli.py", "receivers/local", True),
        ("receivers/locality.py", "receivers/local", False),
        (".gitignore", ".git*", True),
        ("requirements-dev.in", "requirements*.in", True),
        ("requirements.txt", "requirements*.in", False),
    ],
)
def test_funcignore_names_files_and_folders(path: str, pattern: str, named: bool) -> None:
    assert package.matches(PurePosixPath(path), pattern) is named
