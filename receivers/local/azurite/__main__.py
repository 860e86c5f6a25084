"""``python -m receivers.local.azurite`` installs Azurite unless it is there, and prints its folder."""

import logging
import sys

from receivers.local import terminal
from receivers.local.azurite.installation import Unavailable, install


def main() -> int:
    """Exit status 1: it could not be installed, and said why."""
    handler = logging.StreamHandler()
    handler.setFormatter(terminal.Formatter())
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    try:
        terminal.show([str(install().folder)])
    except Unavailable as unavailable:
        terminal.complain(str(unavailable))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
