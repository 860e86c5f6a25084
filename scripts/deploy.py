"""Deploys the package to a Function App that infra/ made, and sees that it runs there. The Azure CLI must be signed in.

    scripts/deploy [--subscription NAME_OR_ID] APP RESOURCE_GROUP [PACKAGE]

Tries again where waiting helps: a role that was just assigned counts only after minutes, another deployment may be
under way. Exit code 1: it is not deployed, or the app does not run what was deployed; the reason is on stderr.
"""

import argparse
import http.client
import json
import re
import shutil
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PACKAGE = Path(__file__).parent.parent / "dist" / "kargo-receivers.zip"
BUILD = "receivers/build.txt"  # in the package: its version
PREFIX = "AzureFunctionsJobHost__extensions__http__routePrefix"  # the setting that holds the base path
API = "api-version=2025-05-01"
REFERENCES = "config/configreferences/appsettings/refresh?api-version=2022-03-01"

ROLES_COUNT = 900.0  # seconds; Azure says ten minutes at worst
STARTS = 300.0  # seconds for the app to run what was deployed; a cold start takes seconds
GETS_READY = 60.0  # seconds for it to read the cluster
FIRST_DELAY, LONGEST_DELAY = 5.0, 30.0  # seconds between two tries, doubled each time
ASK_EVERY = 2.0  # seconds
ONE_ANSWER = 20.0  # seconds; a cold start answers late

# What az says where another try may succeed. Other refusals, such as 415 for a content type, would only be repeated.
PASSING = {
    "a role that was just assigned to count": r"AuthorizationFailed|does not have authorization|Forbidden|\b403\b",
    "another deployment to end": r"ongoing deployment|another deployment is in progress|\b409\b",
    "Azure to answer": r"\b(429|50[0234])\b|InternalServerError|ServiceUnavailable|TooManyRequests|ConnectionError"
    r"|Connection aborted|Max retries exceeded|timed out",
}
# az has deployed by then, and could not see whether the app is well, which it may have no right to. That is asked here.
DEPLOYED = re.compile(r"Deployment was successful|Failed to fetch host key")
# What App Service answers whom its access restrictions keep out. No waiting changes that.
BLOCKED = re.compile(r"Ip Forbidden|has blocked your access")
MUTE = 403  # of the app: by its rules this machine may not ask it


class NotDeployed(Exception):
    """Why not, and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """An ended command."""

    succeeded: bool
    output: str
    errors: str


def main() -> int:
    """Exit code 1 when the package does not run there."""
    parser = argparse.ArgumentParser(
        prog="scripts/deploy", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--subscription", metavar="NAME_OR_ID", help="(default: the one that az has as its current)")
    parser.add_argument("app", help="the Function App")
    parser.add_argument("group", help="its resource group")
    parser.add_argument("package", nargs="?", type=Path, default=PACKAGE, help="(default: dist/kargo-receivers.zip)")
    options = parser.parse_args()
    try:
        deploy(options)
    except NotDeployed as reason:
        print(f"not deployed: {reason}", file=sys.stderr)
        return 1
    return 0


def deploy(options: argparse.Namespace) -> None:
    """All steps, each with a line that says what is done."""
    version = version_of(options.package)
    subscription = current_subscription(options.subscription)
    say(f"{version} to {options.app} in {options.group}, subscription {subscription['name']} ({subscription['id']})")
    group = f"/subscriptions/{subscription['id']}/resourceGroups/{options.group}"
    site = f"{group}/providers/Microsoft.Web/sites/{options.app}"
    host = manage("get", f"{site}?{API}", query="properties.defaultHostName")
    # A reference to Key Vault that could not be resolved when it was set, because the app's right to read the secret
    # did not count yet, would otherwise stay so for up to a day.
    manage("post", f"{site}/{REFERENCES}")
    prefix = manage("post", f"{site}/config/appsettings/list?{API}", query=f"properties.{PREFIX}").strip("/")
    # `az functionapp deploy` sends a content type that Flex Consumption refuses (azure-cli#33688). Without the option
    # about a build the package would be built anew there.
    app = ["--name", options.app, "--resource-group", options.group, "--subscription", subscription["id"]]
    source = ["--build-remote", "false", "--src", str(options.package), "--output", "none"]
    patiently("az", "functionapp", "deployment", "source", "config-zip", *app, *source)
    check(f"https://{host}/{prefix}".rstrip("/"), version)


def version_of(package: Path) -> str:
    """The version that the package says it has. Raises :class:`NotDeployed` for what is none."""
    try:
        with zipfile.ZipFile(package) as archive:
            return archive.read(BUILD).decode().strip()
    except FileNotFoundError:
        raise NotDeployed(f"{package} is not there; run `make package`") from None
    except (zipfile.BadZipFile, KeyError):
        raise NotDeployed(f"{package} is not a package that `make package` built") from None


def current_subscription(chosen: str | None) -> dict[str, str]:
    """Name and id of the subscription that is deployed to."""
    if not shutil.which("az"):
        raise NotDeployed("the Azure CLI is needed: https://learn.microsoft.com/cli/azure/install-azure-cli")
    found = run("az", "account", "show", *(["--subscription", chosen] if chosen else []), "--output", "json")
    if not found.succeeded:
        raise NotDeployed(found.errors)
    subscription: dict[str, str] = json.loads(found.output)
    return subscription


def manage(method: str, path: str, *, query: str = "") -> str:
    """One value out of an answer of the management API, or nothing of it, of whatever cloud az is signed in to."""
    wanted = ["--query", query, "--output", "tsv"] if query else ["--output", "none"]
    return patiently("az", "rest", "--method", method, "--url", path, *wanted).strip()


def patiently(*command: str) -> str:
    """Run a command until it succeeds, as long as waiting can help; returns its output. Raises :class:`NotDeployed`."""
    deadline, delay = time.monotonic() + ROLES_COUNT, FIRST_DELAY
    while True:
        done = run(*command)
        if done.succeeded or DEPLOYED.search(done.errors):
            return done.output
        if BLOCKED.search(done.errors):
            raise NotDeployed(
                "the app's rules for its deployment endpoint (deployment_ip_ranges) keep this machine out"
            )
        waits = [reason for reason, pattern in PASSING.items() if re.search(pattern, done.errors)]
        if not waits or time.monotonic() + delay > deadline:
            raise NotDeployed(done.errors)
        say(f"waiting {delay:g} s for {waits[0]}; az said: {done.errors.splitlines()[-1]}")
        time.sleep(delay)
        delay = min(2 * delay, LONGEST_DELAY)


def run(*command: str) -> Done:
    """Run a command, and pass on what az says on its way."""
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stderr is not None  # noqa: S101, PT018 - for the type checker
        lines = []
        for line in process.stderr:  # a few lines; what goes to stdout is small and fits its pipe
            if line.startswith("WARNING: "):
                say(f"az: {line.removeprefix('WARNING: ').strip()}")
            elif line.strip():
                lines.append(line.strip().removeprefix("ERROR: "))
        output = process.stdout.read()
    return Done(succeeded=process.returncode == 0, output=output, errors="\n".join(lines) or "az gave no reason")


def check(base: str, version: str) -> None:
    """See that the app lives, runs this version, and whether it is ready. Raises :class:`NotDeployed`."""
    say(f"waiting for {base}/healthz")
    deadline = time.monotonic() + STARTS
    while True:
        status, answer = ask(f"{base}/healthz")
        if status == MUTE:
            say(f"deployed, but not seen to run: this machine may not ask the app (403). Ask {base}/readyz elsewhere")
            return
        if status == http.client.OK:
            _, answer = ask(f"{base}/readyz")
            if (answer or {}).get("version") == version:
                break
        if time.monotonic() > deadline:
            running = (answer or {}).get("version")
            raise NotDeployed(
                f"{base} still runs {running or 'another version'}, not {version}"
                if status == http.client.OK
                else f"{base}/healthz does not answer 200 ({status or answer}): see the app's log"
            )
        time.sleep(ASK_EVERY)
    say(f"{base} runs {version}; waiting for it to be ready")
    tell_readiness(base)


def tell_readiness(base: str) -> None:
    """Say whether the app is ready, after a while. What is missing may come later: rights in the cluster, say."""
    deadline = time.monotonic() + GETS_READY
    while True:
        _, answer = ask(f"{base}/readyz")
        if (answer or {}).get("ready"):
            say("deployed and ready")
            return
        if time.monotonic() > deadline:
            say(f"deployed, but not ready yet: {base}/readyz says {json.dumps(answer)}")
            return
        time.sleep(ASK_EVERY)


def ask(url: str) -> tuple[int | None, dict[str, Any] | None]:
    """Status and document of an answer, None where there is none; without an answer the document says why."""
    try:
        trust = ssl.create_default_context()
        with urllib.request.urlopen(url, timeout=ONE_ANSWER, context=trust) as response:  # noqa: S310 - https
            return response.status, _document(response.read())
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code, _document(refused.read())
    except (OSError, http.client.HTTPException) as error:
        return None, {"error": str(getattr(error, "reason", error))}


def _document(body: bytes) -> dict[str, Any] | None:
    try:
        document = json.loads(body)
    except ValueError:
        return None
    return document if isinstance(document, dict) else None


def say(line: str) -> None:
    """One line on stderr, at once."""
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
