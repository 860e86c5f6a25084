"""A real browser: Debian's Chromium, headless, driven by Playwright; and axe-core, which finds what bars people."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Page

ROOT = Path(__file__).parents[2]
NAMES = ("chromium", "chromium-browser", "google-chrome")
HOW_TO_GET_IT = "the pages' tests need Chromium and axe-core: `make browser` gets them"
# It runs as root in a container, and asks nobody but the service under test.
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


def program() -> str:
    """Chromium. Skips the test where there is none."""
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        pytest.skip(HOW_TO_GET_IT)
    return found


def axe() -> str:
    """The source of axe-core. Skips the test where it was not installed."""
    where = subprocess.run([ROOT / "scripts" / "browser", "--where"], capture_output=True, text=True, check=False)
    if where.returncode:
        pytest.skip(HOW_TO_GET_IT)
    return Path(where.stdout.splitlines()[-1]).read_text(encoding="utf-8")


async def violations(page: Page, source: str) -> list[str]:
    """What axe-core objects to, one line for each element."""
    await page.evaluate(source)
    options = json.dumps({"runOnly": RULES})
    found: dict[str, Any] = await page.evaluate(f"axe.run(document, {options})")
    return [
        f"{violation['id']}: {node['html']}: {node['failureSummary']}"
        for violation in found["violations"]
        for node in violation["nodes"]
    ]
