"""``python -m receivers.local.host --root DIR --port 7071`` runs any function app folder."""

import argparse
import logging
import os
import sys
from pathlib import Path

from receivers.local import terminal
from receivers.local.host import FunctionHost, HostError, local_settings, serve


def main(arguments: list[str] | None = None) -> int:
    """Serve until a signal. Prints one line when ready. Exit status 1: it could not start, and said why."""
    parser = argparse.ArgumentParser(prog="python -m receivers.local.host", description="Runs a function app folder.")
    parser.add_argument("--root", type=Path, default=Path(), help="the folder with host.json (default: this one)")
    parser.add_argument("--address", default="127.0.0.1", help="where to listen (default: %(default)s)")
    parser.add_argument("--port", type=int, default=7071, help="0 takes any free port (default: %(default)s)")
    options = parser.parse_args(arguments)
    handler = logging.StreamHandler()
    handler.setFormatter(terminal.Formatter("%(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    try:
        host = FunctionHost(options.root, settings=local_settings(options.root, os.environ))
        serve(host, address=options.address, port=options.port, on_ready=announce)
    except HostError as error:
        terminal.complain(str(error))
        return 1
    return 0


def announce(url: str) -> None:
    terminal.show([f"listening on {url}"])


if __name__ == "__main__":
    sys.exit(main())
