"""The local host: runs a function app without Azure, through the worker library that Azure itself loads.

Routes, methods, headers, queries and bodies reach the app as the Functions host gives them; what the app returns
reaches the client as the Functions host sends it.
"""

from receivers.local.host.configuration import local_settings
from receivers.local.host.errors import HostError
from receivers.local.host.host import FunctionHost
from receivers.local.host.serving import run, serve
from receivers.local.host.worker import Function

__all__ = ["Function", "FunctionHost", "HostError", "local_settings", "run", "serve"]
