"""The API servers that benchmarks run against, each in a process of its own."""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from testbed.servers import HOW_TO_GET_A_REAL_SERVER, ApiServer, embedded_server, real_programs, real_server


class NotHere(Exception):
    """What a benchmark needs is not on this machine. The text says how to get it."""


@contextmanager
def embedded() -> Iterator[ApiServer]:
    """The embedded API: cheap, so that the service is what is measured."""
    with tempfile.TemporaryDirectory() as folder:
        server = embedded_server(Path(folder))
        try:
            yield server
        finally:
            server.close()


@contextmanager
def real(*, flags: Sequence[str] = ()) -> Iterator[ApiServer]:
    """A kube-apiserver with its etcd, and with further ``flags``. Raises :class:`NotHere`."""
    programs = real_programs()
    if programs is None:
        raise NotHere(HOW_TO_GET_A_REAL_SERVER)
    with tempfile.TemporaryDirectory() as folder:
        server = real_server(Path(folder), programs, flags=flags)
        try:
            yield server
        finally:
            server.close()
