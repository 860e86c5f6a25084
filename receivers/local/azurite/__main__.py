"""``python -m receivers.local.azurite`` installs Azurite unless it is there, and prints its folder."""

import logging
import sys

from receivers.local.azurite.installation import Unavailable, install


def main() -> int:
    """Exit status 1: it could not be installed, and said why."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    try:
        print(install().folder)
    except Unavailable as unavailable:
        print(unavailable, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
