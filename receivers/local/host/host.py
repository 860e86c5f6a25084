"""The local host: an ASGI application that runs a function app as Azure does."""

import asyncio
import contextlib
import logging
import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from receivers.local.host import http, worker
from receivers.local.host.configuration import route_prefix, shows_home_page
from receivers.local.host.errors import IndexingFailed
from receivers.local.host.routes import Route, RouteTable, decode_path
from receivers.local.host.triggers import QUEUE_TRIGGER, TIMER_TRIGGER, Listener, listeners
from receivers.local.host.worker import HTTP_TRIGGER, Function, InvocationFailed

log = logging.getLogger(__name__)

FIRED = {HTTP_TRIGGER, QUEUE_TRIGGER, TIMER_TRIGGER}  # functions with other triggers are listed, and never called
LAST_INVOCATIONS = 10.0  # seconds that what messages and timers started has once the host was told to stop


class FunctionHost:
    """Runs the function app in ``app_root``. ``settings`` are its app settings; they win over the environment.

    One app per process: the worker library and Python's module table are global.
    """

    def __init__(self, app_root: Path, *, settings: Mapping[str, str] | None = None) -> None:
        self.functions: list[Function] = []
        self._app_root = app_root.resolve()
        self._settings = settings or {}
        self._routes: RouteTable[Function] = RouteTable("", [])
        self._home_page = http.home_page(shown=True)
        self._running = contextlib.ExitStack()
        self._stopping = asyncio.Event()
        self._listening: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Index the app, and begin to listen to its queues and timers.

        Raises :class:`~receivers.local.host.errors.HostError` with all there is to say.
        """
        with contextlib.ExitStack() as starting:
            starting.enter_context(environment(self._settings))
            prefix = route_prefix(self._app_root, os.environ)
            script = self._app_root / os.environ.get("PYTHON_SCRIPT_FILE_NAME", "function_app.py")
            starting.enter_context(importable(script))
            starting.callback(worker.stop)
            self.functions = await worker.index(script)
            self._routes = RouteTable(prefix, map(http_route, self._triggered_by(HTTP_TRIGGER)))
            self._home_page = http.home_page(shown=shows_home_page(os.environ))
            found = await listeners(self.functions, self._app_root, os.environ)
            self._running = starting.pop_all()
        for function in self.functions:
            if function.trigger not in FIRED:
                log.warning("%s: the local host does not run a %s", function.name, function.trigger)
        self._stopping = asyncio.Event()  # of this event loop
        self._listening = {asyncio.create_task(listen(listener, self._stopping)) for listener in found}

    async def finish(self) -> None:
        """Take no more messages, start no more timers, and wait for what they started.

        That has ``LAST_INVOCATIONS`` seconds, then it is cut short. Requests are still answered.
        """
        self._stopping.set()
        if self._listening:
            _, late = await asyncio.wait(self._listening, timeout=LAST_INVOCATIONS)
            self.abandon()
            if late:
                await asyncio.wait(late)

    def abandon(self) -> None:
        """Cut short what messages and timers started. Messages come back."""
        for task in self._listening:
            task.cancel()

    async def stop(self) -> None:
        """:meth:`finish`, and give back what :meth:`start` took. Requests under way must have been answered."""
        await self.finish()
        self._listening.clear()
        self._running.close()

    async def __call__(self, scope: http.Scope, receive: http.Receive, send: http.Send) -> None:
        """Answer one HTTP request."""
        try:
            await http.send_answer(send, await self._answer(scope, receive))
        except http.Disconnected:
            log.debug("a client went away while it sent its request")

    async def _answer(self, scope: http.Scope, receive: http.Receive) -> http.Answer:
        path = decode_path(scope["raw_path"])
        found = self._routes.find(scope["method"], path)
        if found is None:
            return self._home_page if path == "/" else http.Answer(404)
        function, parameters = found
        try:
            headers = http.headers_of(scope)
            body = await http.read_body(headers, receive)
        except http.Refused as refused:
            return http.Answer(refused.status)
        value = http.trigger_value(scope, headers, parameters, body)
        try:
            return http.answer(await worker.invoke(function, value))
        except (InvocationFailed, ValueError) as failure:
            log.error("%s failed\n%s", function.name, failure)  # noqa: TRY400, the message is the app's traceback
            return http.Answer(500)

    def _triggered_by(self, trigger: str) -> Iterator[Function]:
        return (function for function in self.functions if function.trigger == trigger)


def http_route(function: Function) -> Route[Function]:
    """Where an HTTP function is reached."""
    return Route(function.route or function.name, function.methods, function)


async def listen(listener: Listener, stopping: asyncio.Event) -> None:
    """Run a listener. A defect of ours that ends it is told when it happens, not when the host stops."""
    try:
        await listener.run(stopping)
    except Exception:
        log.exception("the local host has stopped listening to a trigger")


@contextlib.contextmanager
def environment(settings: Mapping[str, str]) -> Iterator[None]:
    """App settings are environment variables."""
    before = {name: os.environ.get(name) for name in settings}
    os.environ.update(settings)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@contextlib.contextmanager
def importable(script: Path) -> Iterator[None]:
    """The app's own modules come first, whatever folder the host was started in. Its script is imported anew each time.

    Python imports a module once, so a second app with the same module name would silently be the first one.
    """
    loaded = getattr(sys.modules.get(script.stem), "__file__", None)
    if loaded is not None and Path(loaded).resolve() != script:
        raise IndexingFailed(f"{script} cannot be loaded: this process has already imported {loaded}")
    sys.path.insert(0, str(script.parent))
    try:
        yield
    finally:
        sys.path.remove(str(script.parent))
        sys.modules.pop(script.stem, None)
