"""Builds dist/kargo-receivers-<version>.zip: the Function App with its dependencies, to run on Azure as it is.

    scripts/package.py [--to FILE]

The same input gives the same bytes: files sorted, one time stamp, and byte code whose validity does not hang on time
stamps. Files of the app are those that git tracks, in the places and of the kinds that an app is made of: what merely
lies in the folder, such as an .env, a kubeconfig or a key, is never in it. Dependencies are the wheels pinned in
requirements.txt, for Linux on x86-64 whatever this machine is.
"""

import argparse
import hashlib
import os
import py_compile
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath

ROOT = Path(__file__).parent.parent
DIST = ROOT / "dist"
BUILD = ROOT / "build" / "package"
UV = ROOT / ".venv" / "bin" / "uv"
SITE_PACKAGES = PurePosixPath(".python_packages/lib/site-packages")  # where the Functions worker looks
INSTALLED_AT = PurePosixPath("/home/site/wwwroot")  # where Azure unpacks it; tracebacks show it
PYTHON, PLATFORM = "3.13", "x86_64-manylinux_2_28"
ZIP_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest a zip can say
BUILD_FILE = PurePosixPath("receivers/build.txt")  # which receivers/version.py reads
BUILD_LENGTH = 12  # hex digits: enough to tell packages apart
LARGEST = 60 * 1000 * 1000  # bytes

# What the app is made of; the rest is left out, tracked or not. .funcignore says the same to Core Tools.
TOP = ("function_app.py", "host.json", "requirements.txt")
CODE = PurePosixPath("receivers")
KINDS = (".py", ".html", ".css", ".js", ".svg")  # of the files there
LOCAL = CODE / "local"  # what runs without Azure
MANUAL = PurePosixPath("docs/senders")  # which the pages show

# What an installer leaves that differs from machine to machine (shebangs, and the hashes of those), or is of no use at
# run time.
LEFT_OUT = ("bin/*", "*/RECORD", "*/INSTALLER", "*/REQUESTED", "*/direct_url.json", "*.pyi", "*/__pycache__/*", ".lock")


def belongs(path: PurePosixPath) -> bool:
    """Whether a file of this place and name is one that the app is made of."""
    in_code = CODE in path.parents and LOCAL not in path.parents
    shown = path.parent == MANUAL and path.suffix == ".md"
    return str(path) in TOP or shown or (in_code and path.suffix in KINDS and not path.name.startswith("."))


def app_files(root: Path) -> Iterator[PurePosixPath]:
    """The files of the app, relative to ``root``. Ends the program at a symbolic link, which leads anywhere."""
    for path in filter(belongs, listed(root, "--cached")):
        source = root / path
        if any(each.is_symlink() for each in (source, *source.parents) if each.is_relative_to(root) and each != root):
            raise SystemExit(f"{path} is reached by a symbolic link, which the package cannot have")
        if source.is_file():
            yield path


def left_out(root: Path) -> Iterator[PurePosixPath]:
    """What looks like a part of the app, and is not, because git does not track it."""
    return (path for path in listed(root, "--others", "--exclude-standard") if belongs(path))


def listed(root: Path, *which: str) -> list[PurePosixPath]:
    """What git lists."""
    command = ["git", "ls-files", "-z", *which]
    names = subprocess.run(command, cwd=root, check=True, capture_output=True, text=True).stdout
    return [PurePosixPath(name) for name in sorted(set(names.split("\0")) - {""})]


def install_dependencies(requirements: Path) -> Path:
    """A folder with the pinned dependencies. It is made once for each content of ``requirements``."""
    digest = hashlib.sha256(requirements.read_bytes()).hexdigest()[:16]
    target = BUILD / f"site-packages-{digest}"
    if not target.exists():
        partial = BUILD / f"installing-{os.getpid()}"
        wheels = [
            "--require-hashes",
            "--only-binary=:all:",
            f"--python-version={PYTHON}",
            f"--python-platform={PLATFORM}",
        ]
        command = [str(UV), "pip", "install", "--quiet", "--link-mode=copy", f"--target={partial}", *wheels]
        subprocess.run([*command, f"--requirements={requirements}"], check=True)
        if target.exists():  # another build was faster
            shutil.rmtree(partial)
        else:
            partial.rename(target)
    return target


def dependency_files(folder: Path) -> Iterator[PurePosixPath]:
    """The files that are needed at run time, relative to ``folder``."""
    for path in sorted(folder.rglob("*")):
        relative = PurePosixPath(path.relative_to(folder).as_posix())
        if path.is_file() and not any(fnmatchcase(str(relative), pattern) for pattern in LEFT_OUT):
            yield relative


def byte_code(source: Path, archive_name: PurePosixPath) -> tuple[PurePosixPath, bytes] | None:
    """Name and content of the byte code for a module; None for what no Python 3.13 can compile, such as templates."""
    BUILD.mkdir(parents=True, exist_ok=True)
    compiled = BUILD / f"{os.getpid()}.pyc"
    try:
        py_compile.compile(
            str(source),
            cfile=str(compiled),
            dfile=str(INSTALLED_AT / archive_name),
            doraise=True,
            invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
            quiet=1,
        )
    except py_compile.PyCompileError:
        return None
    name = f"{archive_name.stem}.{sys.implementation.cache_tag}.pyc"
    code = compiled.read_bytes()
    compiled.unlink()
    return archive_name.parent / "__pycache__" / name, code


def version(root: Path) -> str:
    """The version that the app in ``root`` has, by its source: it is not imported."""
    text = (root / "receivers" / "version.py").read_text()
    (assignment,) = [line for line in text.splitlines() if line.startswith("VERSION = ")]
    return assignment.partition(" = ")[2].strip('"')


def contents(root: Path, dependencies: Path) -> Iterator[tuple[PurePosixPath, bytes]]:
    """Every file of the package, of the app in ``root`` and its installed dependencies: its name and its bytes.

    The last one names the build: the version, and a hash of all others.
    """
    sources = [(path, root / path) for path in app_files(root)]
    sources += [(SITE_PACKAGES / path, dependencies / path) for path in dependency_files(dependencies)]
    build = hashlib.sha256()
    for name, source in sources:
        data = source.read_bytes()
        build.update(f"{name} {len(data)}\n".encode() + data)
        yield name, data
        if name.suffix == ".py" and (compiled := byte_code(source, name)):
            yield compiled
    yield BUILD_FILE, f"{version(root)}+{build.hexdigest()[:BUILD_LENGTH]}\n".encode()


def write(files: Iterable[tuple[PurePosixPath, bytes]], to: Path) -> int:
    """Writes the zip; returns how many files are in it."""
    to.parent.mkdir(parents=True, exist_ok=True)
    count = 0
    with zipfile.ZipFile(to, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, data in sorted(files):
            entry = zipfile.ZipInfo(str(name), ZIP_EPOCH)
            entry.external_attr = 0o644 << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, data)
            count += 1
    return count


def main() -> int:
    """Exit code 1: the package is too large."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--to", type=Path, default=DIST / f"kargo-receivers-{version(ROOT)}.zip", metavar="FILE")
    to: Path = parser.parse_args().to
    for path in left_out(ROOT):
        print(
            f"{path} is not in the package: git does not track it; git add it, if it is a part of the app",
            file=sys.stderr,
        )
    count = write(contents(ROOT, install_dependencies(ROOT / "requirements.txt")), to)
    if to.parent == DIST:
        newest = DIST / "kargo-receivers.zip"
        newest.unlink(missing_ok=True)
        newest.symlink_to(to.name)
    size = to.stat().st_size
    print(f"{to}: {size / 1e6:.1f} MB, {count} files, sha256 {hashlib.sha256(to.read_bytes()).hexdigest()}")
    if size > LARGEST:
        print(f"the package is larger than {LARGEST / 1e6:.0f} MB", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
