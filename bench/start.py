"""(a) Start to first answer, memory, and the import of function_app, beside the trivial function."""

import asyncio
import compileall
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from statistics import median

from bench import clusters, first_seconds, load, workload
from bench.figures import Chapter, Figure, say, spread
from bench.load import ROOT
from bench.service import Service, service, trivial
from bench.size import Size

IMPORT = 0.4  # seconds
RESIDENT = 120.0  # MB

FIRST_SECONDS = 10.0
HELD = 0.05  # seconds: the promise of docs/security.md

AMPLE = "30"  # seconds of answer budget: a busy machine is slow to start, and what counts is when the answer is there

IMPORTED = "import function_app"
NOTHING = "pass"
# Says what it takes when it is done, as the kernel counts it.
PROGRAM = "{}; import re; print(re.search(r'VmRSS:\\s+(\\d+)', open('/proc/self/status').read())[1])"


@dataclass(frozen=True, slots=True)
class Start:
    """One fresh process."""

    first_answer: float  # seconds since the process was started
    resident: float  # MB, after that answer


def measure(size: Size) -> Chapter:
    """Fresh processes in turn, of the app and of the trivial function; the first of each is not counted.

    They find byte code, as a package of ours brings it, and the cluster by its URL and a token, as an app in Azure.
    """
    compileall.compile_dir(ROOT / "receivers", quiet=1)
    compileall.compile_file(ROOT / "function_app.py", quiet=1)
    with clusters.embedded() as server:
        asyncio.run(server.apply(*workload.receiver(), *workload.warehouses(1)))
        settings = {
            "CLUSTER_SERVER": server.url,
            "CLUSTER_TOKEN": server.token("admin"),
            "ANSWER_BUDGET_SECONDS": AMPLE,
        }
        ours: list[Start] = []
        trivials: list[Start] = []
        for number in range(size.starts + 1):
            ours.append(_start(lambda: service(**settings), workload.HOOK.path))
            trivials.append(_start(trivial, "/hello"))
            say(f"  start {number} of {size.starts}: {ours[-1].first_answer:.2f} s, {trivials[-1].first_answer:.2f} s")
        held = [_held(settings) for _ in range(size.holds)]
    imports = [(_import(NOTHING), _import(IMPORTED)) for _ in range(size.starts + 1)][1:]
    ours, trivials = ours[1:], trivials[1:]
    took = [with_app[0] - without[0] for without, with_app in imports]
    resident = [with_app[1] for _, with_app in imports]
    serving = [start.resident for start in ours]
    return Chapter(
        "(a) Start and memory",
        [
            Figure(
                "import of function_app, beyond the interpreter",
                spread([seconds * 1000 for seconds in took], "ms"),
                f"below {IMPORT * 1000:.0f} ms",
                median(took) < IMPORT,
            ),
            Figure(
                "resident after the import",
                spread(resident, "MB"),
                f"at most {RESIDENT:.0f} MB",
                median(resident) <= RESIDENT,
            ),
            Figure("start to the first delivery answered", _times(ours)),
            Figure("trivial function: start to the first answer", _times(trivials)),
            Figure(
                "resident after the first delivery, with the local host",
                spread(serving, "MB"),
                f"at most {RESIDENT:.0f} MB",
                median(serving) <= RESIDENT,
            ),
            Figure(
                f"event loop held at most, in the first {FIRST_SECONDS:.0f} s of serving",
                spread([each.longest * 1000 for each in held], "ms"),
                f"at most {HELD * 1000:.0f} ms",
                median(each.longest for each in held) <= HELD,
            ),
            Figure(
                "trivial function: resident after the first answer",
                spread([start.resident for start in trivials], "MB"),
            ),
        ],
    )


def _start(host: Callable[[], AbstractContextManager[Service]], path: str) -> Start:
    began = time.monotonic()
    with host() as running:
        request = workload.delivery(running.url, 0, path=path)
        answer = asyncio.run(load.run(load.Plan(url=running.url, requests=[request], connections=1, count=1)))
        exchange = answer.exchanges[0]
        if exchange.status != 200:
            raise RuntimeError(f"the first answer was {exchange.status}")
        return Start(first_answer=exchange.answered - began, resident=running.resident)


def _held(settings: Mapping[str, str]) -> first_seconds.Held:
    """What a fresh process does that gets deliveries of every sender and visits of a page, one after the other."""
    receivers, _ = workload.of_every_sender("http://127.0.0.1")
    everything = {**settings, "RECEIVERS": receivers}
    with first_seconds.running(everything, FIRST_SECONDS) as (url, held):
        _, others = workload.of_every_sender(url)
        requests = [workload.delivery(url, 0), *others, workload.visit(url, "/receivers")]
        asyncio.run(load.run(load.Plan(url=url, requests=requests, connections=1, count=len(requests))))
        return held()


def _import(statement: str) -> tuple[float, float]:
    """Seconds and MB of a fresh interpreter that imports."""
    began = time.monotonic()
    command = [sys.executable, "-c", PROGRAM.format(statement)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return time.monotonic() - began, int(done.stdout) / 1024


def _times(starts: list[Start]) -> str:
    return spread([start.first_answer * 1000 for start in starts], "ms")
