"""The package: what is in it, that the same input gives the same bytes, and that it runs with nothing beside it."""

import hashlib
import os
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterable, Iterator
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
    assert top == {"host.json", "function_app.py", "requirements.txt", "receivers", "docs", "__pycache__"}
    assert {name for name in app if name.startswith("docs/")} == {
        f"docs/senders/{path.name}" for path in (ROOT / "docs" / "senders").iterdir()
    }
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


# What merely lies there

PLANTED = (
    ".env",
    ".env.production",
    "prod.env",
    "kubeconfig",
    "my-kubeconfig.yaml",
    ".kube/config",
    "prod.tfvars",
    "terraform.tfvars.json",
    "terraform.tfstate",
    "tls.key",
    "id_rsa",
    "receivers.json",
    "notes.py",
    "local.settings.json",
    "function_app.py.bak",
)


def planted(folder: Path) -> Iterator[PurePosixPath]:
    """Secrets that lie in a checkout: at its top, in the folder of the code and beneath; not ignored by git."""
    for place in (".", "receivers", "receivers/pages/templates", "receivers/new"):
        for name in PLANTED:
            path = PurePosixPath(place) / name
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text("SECRET")
            yield path


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    folder = tmp_path / "checkout"
    subprocess.run(["git", "clone", "--quiet", ROOT, folder], check=True)
    return folder


def test_what_merely_lies_there_is_not_packed(clone: Path) -> None:
    before = list(package.app_files(clone))
    assert PurePosixPath("receivers/runtime.py") in before
    lying = set(planted(clone))
    assert list(package.app_files(clone)) == before
    assert {path for path in lying if path.name == "notes.py"} - {PurePosixPath("notes.py")} == set(
        package.left_out(clone)
    )


def test_nor_is_what_was_committed_by_mistake(clone: Path) -> None:
    before = list(package.app_files(clone))
    lying = {path for path in planted(clone) if path.name != "notes.py"}
    subprocess.run(["git", "add", "--force", *map(str, lying)], cwd=clone, check=True)
    assert list(package.app_files(clone)) == before


@pytest.mark.parametrize("link", ["receivers/link.py", "receivers/pages"])
def test_a_symbolic_link_is_not_followed(clone: Path, tmp_path: Path, link: str) -> None:
    secret = tmp_path / "elsewhere"
    if (clone / link).is_dir():
        (clone / link).rename(secret)
    else:
        secret.write_text("SECRET")
    (clone / link).symlink_to(secret)
    subprocess.run(["git", "add", link.replace("pages", "runtime.py")], cwd=clone, check=True)
    with pytest.raises(SystemExit, match="symbolic link"):
        list(package.app_files(clone))


class CoreTools:
    """How ``func azure functionapp publish`` reads .funcignore.

    https://github.com/Azure/azure-functions-core-tools, src/Cli/func/Common/GitIgnoreParser.cs
    """

    def __init__(self, text: str) -> None:
        lines = [line.strip() for line in text.split("\n")]
        lines = [line for line in lines if line and not line.startswith("#")]
        self._denied = self._expression(line for line in lines if not line.startswith("!"))
        self._accepted = self._expression(line.removeprefix("!") for line in lines if line.startswith("!"))

    def accepts(self, path: PurePosixPath) -> bool:
        return bool(self._accepted.match(str(path)) or not self._denied.match(str(path)))

    @staticmethod
    def _expression(patterns: Iterable[str]) -> re.Pattern[str]:
        escaped = (re.sub(r"[-\[\]/{}()+?.\\^$|]", r"\\\g<0>", pattern) for pattern in sorted(patterns))
        regexes = [each.replace("**", "(.+)").replace("*", r"([^\/]+)") for each in escaped]
        return re.compile(f"^(({')|('.join(regexes)}))\\b", re.ASCII)


def test_func_publish_uploads_the_same_files(clone: Path) -> None:
    core_tools = CoreTools((clone / ".funcignore").read_text())
    # What Core Tools leaves out by itself: .funcignore, .gitignore, local.settings.json and the folder .git.
    every = {PurePosixPath(path.relative_to(clone).as_posix()) for path in clone.rglob("*") if path.is_file()}
    assert set(filter(core_tools.accepts, every)) == set(package.app_files(clone))
    lying = {path for path in planted(clone) if path.suffix not in {".py", ".bak"}}
    assert not set(filter(core_tools.accepts, lying))
