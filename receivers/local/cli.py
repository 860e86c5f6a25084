"""``kargo-receivers``: what the command line understands. What a command does is in :mod:`receivers.local.commands`.

A command's module is imported when the command is given, so that ``--help`` is there at once.
"""

import argparse
import importlib
import re
import sys
import textwrap
from collections.abc import Sequence

from receivers import version
from receivers.local import terminal
from receivers.local.errors import Unable
from receivers.providers import PROVIDERS

DONE, FAILED, UNABLE, INTERRUPTED = 0, 1, 2, 130
WIDTH = 80  # characters of a line of help
FINDINGS = ("found", "sought", "missing")
STATES = ("refreshed", "nothing", "queued", "failed", "ping", "ignored", "refused")
LISTED = "0  listed\n  1  the service has no such page, refuses what is asked for, or gave no answer"
_DURATION = re.compile("[0-9]{1,6}[smhd]")
_ID = re.compile("[0-9a-f]{24}")
_WAREHOUSE = re.compile("[^/]+/[^/]+")
SETTINGS = "Settings are environment variables, and what local.settings.json has beside them."


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command. Returns the exit code."""
    terminal.open_streams()
    options = parser().parse_args(arguments)
    try:
        command = importlib.import_module(f"receivers.local.commands.{options.command}")
        status: int = command.run(options)
    except terminal.Unwritable as error:
        terminal.give_up()
        return _complain(options.command, str(error))
    except Unable as error:
        return _complain(options.command, str(error))
    except ModuleNotFoundError as error:
        return _complain(options.command, f"the Python package {error.name} is missing; `make run` installs everything")
    except BrokenPipeError:  # whoever reads has enough
        terminal.give_up()
        return DONE
    except KeyboardInterrupt:
        return DONE if options.command == "serve" else INTERRUPTED
    return status


def _complain(command: str, complaint: str) -> int:
    terminal.complain(f"kargo-receivers {command}: {complaint}")
    return UNABLE


def parser() -> argparse.ArgumentParser:
    """All commands with their options."""
    top = argparse.ArgumentParser(
        prog="kargo-receivers",
        description="Webhook receivers for Kargo: run them here, look at them, try them.",
        epilog=f"{SETTINGS} Each command has its own --help, with an example and its exit codes.",
    )
    top.add_argument("--version", action="version", version=f"%(prog)s {version.shown()}")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _serve(commands)
    _urls(commands)
    _compare(commands)
    _send(commands)
    _explain(commands)
    _status(commands)
    _warehouses(commands)
    _ping(commands)
    _doctor(commands)
    _deliveries(commands)
    _show(commands)
    _redeliver(commands)
    _queue(commands)
    _schema(commands)
    return top


type _Commands = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001 - argparse has no public name for it


def _command(
    commands: _Commands,
    name: str,
    *,
    about: str,
    example: str,
    exit_codes: str,
    json: bool = True,
    cluster: bool = True,
) -> argparse.ArgumentParser:
    """``cluster``: whether the command asks one."""
    unable = "bad usage or settings, or no cluster" if cluster else "bad usage or settings"
    command = commands.add_parser(
        name,
        help=about.partition(".")[0],
        description=textwrap.fill(f"{about} {SETTINGS}", WIDTH),
        epilog=f"example:\n  {example}\n\nexit codes:\n  {exit_codes}\n  2  {unable}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    if json:
        command.add_argument(
            "--output", choices=["text", "json"], default="text", help="json: one document (default: %(default)s)"
        )
    return command


def _base_url(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--base-url",
        metavar="URL",
        help="where the service is (default: EXTERNAL_WEBHOOK_SERVER_BASE_URL, else http://127.0.0.1:7071)",
    )


def _serve(commands: _Commands) -> None:
    command = _command(
        commands,
        "serve",
        about="Run the service here, until Ctrl-C. One line on stdout for each delivery.",
        example="kargo-receivers serve --embedded",
        exit_codes="0  ended by Ctrl-C or SIGTERM",
        json=False,
    )
    command.add_argument("--host", default="127.0.0.1", help="where to listen (default: %(default)s)")
    command.add_argument("--port", type=_port, default=7071, help="(default: %(default)s)")
    command.add_argument(
        "--embedded", action="store_true", help="with a Kubernetes API of its own that holds a sample project"
    )
    command.add_argument(
        "--kubernetes-port", type=_port, default=0, metavar="PORT", help="of that API (default: any free port)"
    )
    command.add_argument("--verbose", action="store_true", help="more about the service itself, on stderr")


def _urls(commands: _Commands) -> None:
    command = _command(
        commands,
        "urls",
        about="List the receivers and their URLs. A URL is a credential: its token is masked.",
        example="kargo-receivers urls --reveal",
        exit_codes="0  listed",
    )
    command.add_argument("--reveal", action="store_true", help="print whole tokens")
    command.add_argument(
        "--steps",
        action="store_true",
        help="print how each is registered at its sender; with --reveal, its URL filled in",
    )
    _base_url(command)


def _compare(commands: _Commands) -> None:
    command = _command(
        commands,
        "compare",
        about="Set the path of each receiver beside the one that Kargo published, and say why they differ.",
        example="kargo-receivers compare --output json",
        exit_codes="0  all are the same\n  1  some differ",
    )
    command.add_argument("--reveal", action="store_true", help="print whole tokens")


def _send(commands: _Commands) -> None:
    command = _command(
        commands,
        "send",
        about="Post to a receiver what its sender posts after a push, and show the answer.",
        example="kargo-receivers send quay --repository quay.io/team/app --tag 1.2.3",
        exit_codes="0  answered with 2xx\n  1  answered with another status, or not at all",
    )
    command.add_argument("provider", choices=tuple(PROVIDERS), help="the sender: %(choices)s", metavar="PROVIDER")
    command.add_argument("--receiver", metavar="NAME", help="of several receivers, the one of this name")
    command.add_argument("--project", metavar="NAME", help="of several receivers, the one of this project")
    command.add_argument(
        "--url",
        help="a receiver's whole URL; then the cluster is not asked, and where a sender proves its deliveries by the "
        "secret, the environment's RECEIVER_SECRET is that",
    )
    _base_url(command)
    command.add_argument("--repository", help="(default: one that a Warehouse subscribes to)")
    command.add_argument("--tag", help="(default: one that this Warehouse takes)")
    command.add_argument("--digest", metavar="sha256:…", help="(default: a made-up one); of Git, the commit")
    command.add_argument("--media-type", metavar="TYPE", help="(default: that of an image, or of a chart)")
    command.add_argument("--ref", metavar="refs/heads/…", help="of Git (default: one that this Warehouse takes)")
    command.add_argument(
        "--changed-file", metavar="FILE", action="append", help="of Git; again for each further one (default: as --ref)"
    )
    command.add_argument("--pull-request", metavar="URL", help="tell that this pull request was merged, and of no push")


def _explain(commands: _Commands) -> None:
    command = _command(
        commands,
        "explain",
        about=(
            "Say which Warehouses a push would refresh, and why or why not; or what a sender's request would mean to a "
            "receiver. Nothing is posted and nothing refreshed; what proves the sender is not looked at."
        ),
        example=(
            "kargo-receivers explain myregistry.azurecr.io/team/app:1.2.3\n"
            "  kargo-receivers explain https://github.com/team/app --ref refs/heads/main --changed-file app.yaml\n"
            "  kargo-receivers explain generic --body body.json --header 'X-Event: published'"
        ),
        exit_codes="0  something would be refreshed\n  1  nothing would, or the request would be refused",
    )
    command.add_argument(
        "what",
        metavar="PUSH|PROVIDER",
        help="a push: registry/repository:tag, oci://registry/chart:version, https://host/charts:version, the URL of a "
        f"Git repository; or whose request --body is: {', '.join(PROVIDERS)}",
    )
    command.add_argument("--media-type", default="", metavar="TYPE", help="of a push to a registry (default: unknown)")
    command.add_argument("--ref", default="", metavar="refs/heads/…", help="of a push of Git (default: any)")
    command.add_argument(
        "--changed-file", metavar="FILE", action="append", default=[], help="of Git; again for each further one"
    )
    command.add_argument("--body", metavar="FILE", help="of a sender's request; - for stdin (default: -)")
    command.add_argument(
        "--header",
        metavar="'NAME: VALUE'",
        action="append",
        default=[],
        help="of the request; again for each further one",
    )
    command.add_argument("--query", default="", metavar="NAME=VALUE&…", help="of the request's URL")
    command.add_argument("--receiver", metavar="NAME", help="of several receivers, the one of this name")
    command.add_argument(
        "--project", metavar="NAME", help="only Warehouses of this project; of several receivers, the one of it"
    )


def _warehouses(commands: _Commands) -> None:
    command = _command(
        commands,
        "warehouses",
        about=(
            "List the Warehouses: what each subscription wants, and which receivers can tell of it. Those that nobody "
            "tells of, or that cannot be read, come first."
        ),
        example="kargo-receivers warehouses --only-uncovered --snippets",
        exit_codes="0  a receiver can tell of every subscription\n  1  some are only polled, or cannot be read",
    )
    command.add_argument("--project", metavar="NAME", help="only of this project")
    command.add_argument("--only-uncovered", action="store_true", help="only those that come first")
    command.add_argument("--snippets", action="store_true", help="with a receiver, as YAML, that would tell of each")
    command.add_argument(
        "--limit", type=_limit, default=100, metavar="N", help="at most so many (default: %(default)s)"
    )


def _status(commands: _Commands) -> None:
    command = _command(
        commands,
        "status",
        about="Say whether a running service is well, what to do next, and what arrived within 24 hours.",
        example="kargo-receivers status --output json",
        exit_codes="0  all is well, or there are warnings\n  1  something fails, or there was no answer",
        cluster=False,
    )
    _service(command)


def _ping(commands: _Commands) -> None:
    command = _command(
        commands,
        "ping",
        about=(
            "Ask a running service whether it lives and is ready, and post a ping to every receiver whose sender has "
            "one. Nothing is refreshed."
        ),
        example="kargo-receivers ping --base-url https://my-receivers.azurewebsites.net",
        exit_codes="0  every answer was 2xx\n  1  one was not, or there was none",
    )
    _base_url(command)


def _doctor(commands: _Commands) -> None:
    command = _command(
        commands,
        "doctor",
        about=(
            "Check settings, cluster, permissions, receivers and subscriptions, and say for each fault what to do. "
            "Nothing is changed."
        ),
        example="kargo-receivers doctor --output json",
        exit_codes="0  no errors; there may be warnings\n  1  errors",
    )
    command.add_argument(
        "--base-url",
        metavar="URL",
        help="where the service runs that is asked for what it has (default: EXTERNAL_WEBHOOK_SERVER_BASE_URL)",
    )


def _deliveries(commands: _Commands) -> None:
    command = _command(
        commands,
        "deliveries",
        about="List the latest deliveries and what became of each, as a running service recorded them.",
        example="kargo-receivers deliveries --follow --state failed",
        exit_codes=LISTED,
        cluster=False,
    )
    how = command.add_mutually_exclusive_group()
    how.add_argument("--follow", action="store_true", help="go on until Ctrl-C; with json a document on each line")
    how.add_argument(
        "--all", action="store_true", help="every one, newest first, as JSON: a document on each line; --limit is void"
    )
    command.add_argument("--provider", metavar="NAME", help="only of this sender")
    command.add_argument("--project", metavar="NAME", help="only for this project")
    command.add_argument("--state", choices=STATES, metavar="STATE", help="only: %(choices)s")
    command.add_argument(
        "--finding", choices=FINDINGS, metavar="FINDING", help="only what Kargo has, or has not, found: %(choices)s"
    )
    command.add_argument("--receiver", metavar="NAME", help="only for this receiver")
    command.add_argument(
        "--warehouse",
        type=_warehouse,
        metavar="PROJECT/NAME",
        help="only what this Warehouse was to be refreshed for",
    )
    command.add_argument("--repository", metavar="TEXT", help="only where the repository has this in its name")
    command.add_argument(
        "--search", metavar="TEXT", help="only where repository, tag, digest, id or Warehouse has this"
    )
    command.add_argument("--since", type=_duration, metavar="DURATION", help="only this young: 90s, 30m, 12h, 7d")
    command.add_argument("--until", type=_duration, metavar="DURATION", help="only this old, or older")
    command.add_argument("--limit", type=_limit, default=20, metavar="N", help="at most so many (default: %(default)s)")
    _service(command)


def _show(commands: _Commands) -> None:
    command = _command(
        commands,
        "show",
        about="Show one delivery: what arrived, what was decided on each Warehouse and why, every attempt.",
        example="kargo-receivers show 01a1fd8708e3666258b3eab0",
        exit_codes="0  shown\n  1  no such delivery, several that begin so, or no answer",
        cluster=False,
    )
    command.add_argument(
        "delivery",
        type=_beginning,
        metavar="ID",
        help="as in X-Delivery-Id, the log and the list; its beginning will do",
    )
    _service(command)


def _redeliver(commands: _Commands) -> None:
    command = _command(
        commands,
        "redeliver",
        about=(
            "Have a running service deliver again: one delivery, or all that failed and were not redelivered. Each is "
            "matched against the Warehouses as they are now."
        ),
        example="kargo-receivers redeliver --since 12h",
        exit_codes=(
            "0  every one was answered with 2xx, or is previewed\n  1  one was not, or no such delivery, or no answer"
        ),
        cluster=False,
    )
    which = command.add_mutually_exclusive_group(required=True)
    which.add_argument("delivery", type=_delivery, nargs="?", metavar="ID", help="one delivery")
    which.add_argument("--since", type=_duration, metavar="DURATION", help="all that failed since: 90s, 30m, 12h, 7d")
    command.add_argument("--preview", action="store_true", help="say what would be refreshed now, and do nothing")
    _service(command)


def _queue(commands: _Commands) -> None:
    command = _command(
        commands,
        "queue",
        about="Show which deliveries wait for another try, and which were given up, and why; try or discard those.",
        example="kargo-receivers queue --retry all",
        exit_codes="0  listed, tried again or discarded\n  1  no such message, no such page, or no answer",
        cluster=False,
    )
    which = command.add_mutually_exclusive_group()
    which.add_argument(
        "--retry", type=_message, metavar="ID|all", help="of what was given up, try one message again, or all"
    )
    which.add_argument("--discard", type=_message, metavar="ID", help="delete one message that was given up, for good")
    _service(command)


def _schema(commands: _Commands) -> None:
    _command(
        commands,
        "schema",
        about="Print the JSON schema of RECEIVERS and of the file that RECEIVERS_FILE names.",
        example="kargo-receivers schema > receivers.schema.json",
        exit_codes="0  printed",
        json=False,
        cluster=False,
    )


def _service(command: argparse.ArgumentParser) -> None:
    _base_url(command)
    command.add_argument("--key", help="of its pages (default: PAGES_KEY)")


def _duration(text: str) -> str:
    if not _DURATION.fullmatch(text):
        raise argparse.ArgumentTypeError("a duration is a number with s, m, h or d behind it: 90s, 30m, 12h, 7d")
    return text


def _warehouse(text: str) -> str:
    if not _WAREHOUSE.fullmatch(text):
        raise argparse.ArgumentTypeError("a Warehouse is written with its project: PROJECT/NAME")
    return text


def _message(text: str) -> str:
    if not text.strip():
        raise argparse.ArgumentTypeError("it is empty; `kargo-receivers queue` lists the ids")
    return text


def _limit(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= 500:  # noqa: PLR2004 - the service's own limit
        raise argparse.ArgumentTypeError("a limit is a number from 1 to 500")
    return int(text)


def _beginning(text: str) -> str:
    if not re.fullmatch("[0-9a-f]{4,24}", text):
        raise argparse.ArgumentTypeError("a delivery's id has 24 hex digits; 4 at least have to be given")
    return text


def _delivery(text: str) -> str:
    if not _ID.fullmatch(text):
        raise argparse.ArgumentTypeError("a delivery's id has 24 hex digits")
    return text


def _port(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= 65535:  # noqa: PLR2004 - TCP's own limit
        raise argparse.ArgumentTypeError("a port is a number from 1 to 65535")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
