"""``schema``: the JSON schema of the receivers in the settings."""

import argparse

from receivers.local import receivers_schema, terminal
from receivers.local.commands import output


def run(_options: argparse.Namespace) -> int:
    """Print it."""
    terminal.show(output.encoded(receivers_schema.schema(), indent=2).split("\n"))
    return 0
