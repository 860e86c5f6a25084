"""Writes infra/providers.json: what Terraform has to know of the providers.

    scripts/infra_providers.py [--check] [FOLDER]      or `make providers`

With ``--check`` it changes nothing, and fails if the file is not in step.
"""

import argparse
import json
import sys
from pathlib import Path

from receivers.kargo.configs import KEYS
from receivers.providers import PROVIDERS


def document() -> str:
    """The file: by a provider's name the data key of its Secret, and whether Kargo's own resources can have it."""
    known = {
        name: {"data_key": provider.secret_keys[0], "in_kargo": name in KEYS}
        for name, provider in sorted(PROVIDERS.items())
    }
    return json.dumps(known, indent=2) + "\n"


def main() -> int:
    """Exit code 1: not in step."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("folder", nargs="?", type=Path, default=Path(__file__).parent.parent / "infra")
    arguments = parser.parse_args()
    file = arguments.folder / "providers.json"
    if not arguments.check:
        file.write_text(document())
    elif not file.exists() or file.read_text() != document():
        print(f"{file} is not in step with the providers; run `make providers`", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
