"""Tells infra/ of the providers: writes providers.json for Terraform, and the paths of the ingress.

    scripts/infra_providers.py [--check] [FOLDER]      or `make providers`

With ``--check`` it changes nothing, and fails if a file is not in step.
"""

import argparse
import json
import re
import sys
from pathlib import Path

from receivers.kargo.configs import KEYS
from receivers.providers import PROVIDERS

INGRESS = "kubernetes/ingress/ingress.yaml"
_PATHS = re.compile(r"(?: +- \{path: .*\n)+")


def providers(_: str) -> str:
    """providers.json: by name the data key of a provider's Secret, whether Kargo's own resources can have it, and which
    options a receiver needs.
    """
    known = {
        name: {"data_key": provider.secret_keys[0], "in_kargo": name in KEYS, "requires": provider.requires}
        for name, provider in sorted(PROVIDERS.items())
    }
    return json.dumps(known, indent=2) + "\n"


def ingress(before: str) -> str:
    """The ingress with a path for each provider."""
    first, *others = sorted(PROVIDERS)
    service = "&service {service: {name: kargo-receivers, port: {name: http}}}"
    lines = [
        f"      - {{path: /{first}, pathType: Prefix, backend: {service}}}\n",
        *(f"      - {{path: /{name}, pathType: Prefix, backend: *service}}\n" for name in others),
    ]
    return _PATHS.sub("".join(lines), before, count=1)


WRITERS = {"providers.json": providers, INGRESS: ingress}


def main() -> int:
    """Exit code 1: not in step."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("folder", nargs="?", type=Path, default=Path(__file__).parent.parent / "infra")
    arguments = parser.parse_args()
    stale = []
    for name, write in WRITERS.items():
        file = arguments.folder / name
        before = file.read_text() if file.exists() else ""
        after = write(before)
        if after != before:
            stale.append(file)
            if not arguments.check:
                file.write_text(after)
    if arguments.check and stale:
        names = " and ".join(map(str, stale))
        print(f"{names}: not in step with the providers; run `make providers`", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
