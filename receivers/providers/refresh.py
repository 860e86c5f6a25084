"""The simplest of all: whatever is posted, the Warehouses that the receiver names are refreshed."""

from datetime import datetime

from receivers.events import (
    Authenticated,
    Event,
    Example,
    Home,
    Ignored,
    Provider,
    Push,
    Receiver,
    Registration,
    Requirement,
    Selected,
    Selection,
)
from receivers.wire import examples
from receivers.wire.authentication import unsigned

_NAMES, _LABELS = "warehouses", "labels"
_NOTHING = "the receiver has neither warehouses nor labels"


def parse(proof: Authenticated) -> list[Event]:
    """What the receiver's options select: ``warehouses``, names with commas between, or ``labels`` as kubectl has them.

    The body is not looked at, and there may be none.
    """
    selections = selects(proof.receiver)
    return [Selected(selections=selections)] if selections else [Ignored(_NOTHING)]


def selects(receiver: Receiver) -> tuple[Selection, ...]:
    """The same before anything is posted."""
    options = receiver.options
    names = [name for name in map(str.strip, options.get(_NAMES, "").split(",")) if name]
    labels = tuple(_label(each) for each in map(str.strip, options.get(_LABELS, "").split(",")) if each)
    return tuple([Selection(name=name, labels=labels) for name in names] or [Selection(labels=labels)] * bool(labels))


def faults(receiver: Receiver) -> list[str]:
    """What is wrong with its options."""
    return [] if receiver.options.get(_NAMES) or receiver.options.get(_LABELS) else [_NOTHING]


def _label(written: str) -> Requirement:
    """``team=a``, ``team==a``, ``team!=a``, ``team`` and ``!team``."""
    for sign, operator in (("!=", "NotIn"), ("==", "In"), ("=", "In")):
        key, found, value = written.partition(sign)
        if found:
            return Requirement(key.strip(), operator, (value.strip(),))
    key = written.removeprefix("!").strip()
    return Requirement(key, "Exists" if key == written else "DoesNotExist")


def example(_push: Push, now: datetime) -> Example:
    """Anything."""
    return examples.json_example({"timestamp": examples.timestamp(now)}, user_agent="curl/8.5.0")


REFRESH = Provider(
    name="refresh",
    secret_keys=("secret",),
    authentication=unsigned,
    parse=parse,
    faults=faults,
    selects=selects,
    home=Home(repository="registry.example.com/team/app", kinds=frozenset()),
    example=example,
    registration=Registration(
        steps=(
            "The receiver needs warehouses (names, with commas between) or labels (as kubectl has "
            "them: team=a,tier!=b). With both, the Warehouses of these names that have these labels.",
            "Post anything to the URL, or nothing.",
        ),
        command='curl -X POST --data "" "$URL"',
    ),
)
