"""Drives the worker library that Azure loads, in this process: it imports and indexes the app, binds and invokes.

The library speaks with its host in protocol messages, of which it only ever reads and writes attributes. Plain
namespaces serve it as well as protobuf does, and cost no serialisation. It keeps what it indexed in module globals, so
a process has one app.
"""

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import azure_functions_runtime as library

from receivers.local.host.errors import IndexingFailed

log = logging.getLogger(__name__)
library_log = logging.getLogger("azure.functions")

HTTP_TRIGGER = "httpTrigger"


class Message(SimpleNamespace):
    """A protocol message: whatever attributes it was made with."""


class OneOf(Message):
    """A message of which the first attribute is the one that is set, and may say which."""

    def WhichOneof(self, _group: str) -> str | None:  # noqa: N802, protobuf's name
        return next(iter(self.__dict__), None)


class TypedData(OneOf):
    """A value on its way to or from a function: ``http``, ``string``, ``bytes`` or ``json``."""


class BindingInfo(Message):
    out = 1
    inout = 2
    undefined = None


class StatusResult(Message):
    Failure = 0
    Success = 1


class Cookie(Message):
    """A response cookie. ``same_site`` is the attribute's value, ``""`` for none."""

    SameSite = SimpleNamespace(**{"None": "", "Lax": "lax", "Strict": "strict", "ExplicitNone": "none"})


# The messages that the library makes.
PROTOCOL = SimpleNamespace(
    BindingInfo=BindingInfo,
    FunctionMetadataResponse=Message,
    InvocationResponse=Message,
    NullableBool=Message,
    NullableDouble=Message,
    NullableString=Message,
    NullableTimestamp=Message,
    ParameterBinding=Message,
    RpcException=Message,
    RpcFunctionMetadata=Message,
    RpcHttp=Message,
    RpcHttpCookie=Cookie,
    RpcRetryOptions=Message,
    StatusResult=StatusResult,
    Timestamp=Message,
    TypedData=TypedData,
    WorkerInitResponse=Message,
    WorkerMetadata=Message,
)

NO_TRACE = Message(trace_parent="", trace_state="", attributes={})
FIRST_TRY = Message(retry_count=0, max_retry_count=0, exception=None)


class InvocationFailed(Exception):
    """The function raised. The message is its traceback."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Function:
    """An indexed function."""

    name: str
    function_id: str
    trigger: str  # the trigger's type: "httpTrigger", "queueTrigger", "timerTrigger"
    parameter: str  # the name of the parameter that gets the trigger's value
    binding: Mapping[str, Any] = field(repr=False)  # the trigger as declared: route, queueName, schedule

    @property
    def route(self) -> str | None:
        """The route template without its prefix; the function's name where none was given. HTTP only."""
        if self.trigger != HTTP_TRIGGER:
            return None
        return self.binding.get("route") or self.name

    @property
    def methods(self) -> frozenset[str] | None:
        """The HTTP methods it serves; ``None`` for all."""
        declared = self.binding.get("methods")
        return frozenset(method.upper() for method in declared) if declared else None

    @property
    def auth_level(self) -> str | None:
        """ "ANONYMOUS", "FUNCTION" or "ADMIN". Keys are not enforced locally, as with Core Tools."""
        return self.binding.get("authLevel")


async def index(script: Path) -> list[Function]:
    """Import the app and list its functions, in the order of the code.

    Raises :class:`IndexingFailed` with the app's traceback. The script's folder must be on ``sys.path``.
    """
    library.start_threadpool_executor()
    # The library logs each invocation at INFO and DEBUG, and reports a failed import both there and to us.
    library_log.setLevel(logging.CRITICAL)
    initialisation = Message(worker_init_request=Message(capabilities={}, function_app_directory=str(script.parent)))
    response = await library.worker_init_request(
        Message(request=initialisation, properties={"host": "127.0.0.1", "protos": PROTOCOL})
    )
    library_log.setLevel(logging.WARNING)
    if response.result.status != StatusResult.Success:
        raise IndexingFailed(f"{script} cannot be indexed\n\n{response.result.exception.stack_trace}")
    metadata = await library.functions_metadata_request(Message())
    if not metadata.function_metadata_results:
        raise IndexingFailed(f"{script} is missing or has no functions")
    return [function(entry) for entry in metadata.function_metadata_results]


def stop() -> None:
    """End the threads that run functions declared with ``def``, once they have finished."""
    library.stop_threadpool_executor()


async def invoke(
    function: Function, value: TypedData, *, metadata: Mapping[str, TypedData] | None = None
) -> TypedData | None:
    """Run a function with the value of its trigger, and return what it returns, encoded by its return binding.

    ``metadata`` is what a queue or timer trigger tells beside the value. Raises :class:`InvocationFailed`.
    """
    invocation = Message(
        invocation_id=str(uuid4()),
        function_id=function.function_id,
        input_data=[OneOf(data=value, name=function.parameter)],
        trigger_metadata=metadata,
        trace_context=NO_TRACE,
        retry_context=FIRST_TRY,
    )
    response = await library.invocation_request(Message(request=Message(invocation_request=invocation)))
    if response.result.status != StatusResult.Success:
        raise InvocationFailed(response.result.exception.stack_trace)
    returned: TypedData | None = response.return_value
    return returned


def function(entry: Message) -> Function:
    """A function from the metadata that the library gives its host."""
    bindings = [json.loads(binding) for binding in entry.raw_bindings]
    trigger = next(binding for binding in bindings if binding["type"].endswith("Trigger"))
    for binding in bindings:
        if binding["direction"] == "OUT" and binding["type"] != "http":
            log.warning("%s: the local host drops what is written to its %s binding", entry.name, binding["type"])
    return Function(
        name=entry.name,
        function_id=entry.function_id,
        trigger=trigger["type"],
        parameter=trigger["name"],
        binding=trigger,
    )
