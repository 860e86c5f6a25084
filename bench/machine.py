"""What the figures were measured on."""

import os
import platform
import re
from importlib.metadata import version
from pathlib import Path

PACKAGES = ("azure-functions-runtime", "aiohttp", "msgspec", "uvloop", "uvicorn", "httptools")


def describe() -> list[str]:
    """Lines for people: processor, memory, versions, and how busy the machine was."""
    model = _first(r"^model name\s*:\s*(.+)$", "/proc/cpuinfo")
    memory = int(_first(r"^MemTotal:\s+(\d+) kB", "/proc/meminfo") or 0) / 1024 / 1024
    packages = ", ".join(f"{package} {version(package)}" for package in PACKAGES)
    return [
        f"{os.cpu_count()} cores, {model or platform.processor()}; {memory:.0f} GB; Linux {platform.release()}",
        f"Python {platform.python_version()}; {packages}",
        f"load average at the start: {os.getloadavg()[0]:.1f}",
    ]


def _first(pattern: str, file: str) -> str:
    found = re.search(pattern, Path(file).read_text(encoding="utf-8"), re.MULTILINE)
    return found[1].strip() if found else ""
