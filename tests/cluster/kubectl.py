"""kubectl, as an independent client of the API servers under test."""

import asyncio
import json
from pathlib import Path
from typing import Any

type Json = Any  # whatever JSON can say

HOW_TO_GET_KUBECTL = "needs kubectl on the PATH: https://kubernetes.io/docs/tasks/tools"


class Kubectl:
    """Runs kubectl: ``await kubectl("get", "warehouses", "-A")`` is what it printed."""

    def __init__(self, program: str, kubeconfig: Path) -> None:
        self._command = [program, "--kubeconfig", str(kubeconfig), "--cache-dir", str(kubeconfig.parent / "cache")]

    async def __call__(self, *arguments: str, stdin: str = "") -> str:
        """Standard output. The test fails with kubectl's complaint when it exits with another code than 0."""
        process = await self.start(*arguments)
        out, error = await process.communicate(stdin.encode())
        assert process.returncode == 0, error.decode()
        return out.decode()

    async def json(self, *arguments: str) -> Json:
        """What ``-o json`` prints, decoded."""
        return json.loads(await self(*arguments, "-o", "json"))

    async def start(self, *arguments: str) -> asyncio.subprocess.Process:
        """A kubectl that goes on: ``--watch``. Whoever starts it ends it."""
        pipe = asyncio.subprocess.PIPE
        return await asyncio.create_subprocess_exec(*self._command, *arguments, stdin=pipe, stdout=pipe, stderr=pipe)
