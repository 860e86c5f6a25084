"""Which version this is: the one place that says so.

``VERSION`` is raised with CHANGELOG.md. A package also has the build, a hash of what it was made from, so that two
packages of one version can be told apart: ``0.1.0+1f0c4e8a92b7``.
"""

from pathlib import Path

VERSION = "0.1.0"
BUILD = Path(__file__).parent / "build.txt"  # scripts/package.py writes it into the package; a checkout has none


def shown() -> str:
    """What ``/readyz`` and ``--version`` show."""
    try:
        return BUILD.read_text(encoding="ascii").strip()
    except FileNotFoundError:
        return VERSION
