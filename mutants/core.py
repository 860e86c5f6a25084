"""The core: what decides whether a delivery is lost, accepted wrongly or refreshes nothing. And its tests."""

from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).parent.parent
ROOMS = ("retries", "directory", "deliveries", "cluster", "kargo", "journal", "storage")  # of receivers/ and of tests/
_KARGO = ("configs", "index", "references", "repositories", "subscriptions", "verdicts", "selectors/")
_PARTS = {"kargo": _KARGO, "journal": ("recorder", "rows")}  # of other rooms everything
_LEFT_OUT = ("cluster/credentials", "cluster/kubeconfig")  # libraries do their work


def modules() -> list[str]:
    """The files of the core, from the root."""
    files = [file for room in ROOMS for file in sorted((ROOT / "receivers" / room).rglob("*.py"))]
    return [str(file.relative_to(ROOT)) for file in files if _belongs(str(file.relative_to(ROOT / "receivers")))]


def rooms(files: Iterable[str]) -> list[str]:
    """The rooms that these files are in."""
    wanted = {file.split("/")[1] for file in files}
    return [room for room in ROOMS if room in wanted]


def _belongs(path: str) -> bool:
    room, _, rest = path.removesuffix(".py").partition("/")
    return rest != "__init__" and f"{room}/{rest}" not in _LEFT_OUT and rest.startswith(_PARTS.get(room, ("",)))


def distance(file: str, test: str) -> int:
    """How far a test is from a file: 0 for its namesake's, 1 for its room's, 2 for others'."""
    _, room, *_, name = file.split("/")
    if not test.startswith(f"tests/{room}/"):
        return 2
    return int(not test.partition("::")[0].endswith(f"/test_{name}"))
