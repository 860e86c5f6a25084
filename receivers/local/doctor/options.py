"""What a receiver of the settings, or a sender in generic's place, says that nobody reads: a misspelt option."""

import re
from collections.abc import Iterable, Iterator

from receivers.kargo.configs import SENDER
from receivers.kargo.generic import sender
from receivers.local.addresses import Address
from receivers.local.doctor.findings import Finding, Severity
from receivers.nearest import nearest
from receivers.providers import PROVIDERS
from receivers.static_receivers import KEYS

_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_./-]{0,63}")  # any other name may be anything, and is not shown


def check(address: Address) -> Iterator[Finding]:
    """A finding for each option that its provider does not know, and for each value that is no choice.

    The API server refuses what Kargo's own receivers do not have; of those it is not asked.
    """
    receiver = address.receiver
    if address.sender not in PROVIDERS or (receiver.source != "settings" and sender(receiver.options) is None):
        return
    takes = PROVIDERS[address.sender].takes
    for name, value in receiver.options.items():
        if name == SENDER:
            continue
        if name not in takes:
            known = takes if sender(receiver.options) is not None else [*takes, *KEYS]
            yield _finding(address, name, "nobody reads it", _unknown(name, known), Severity.WARNING)
        elif takes[name].choices and value and value not in takes[name].choices:
            choices = ", ".join(takes[name].choices)
            yield _finding(
                address, name, "its value is none that there is: deliveries get 401", f"take one of {choices}"
            )


def _unknown(name: str, known: Iterable[str]) -> str:
    meant = nearest(name, known)
    return f"correct it: {meant} may be meant" if meant else "correct it, or leave it out"


def _finding(address: Address, name: str, problem: str, remedy: str, severity: Severity = Severity.ERROR) -> Finding:
    shown = name if _PLAIN.fullmatch(name) else "a field with an odd name"
    return Finding(severity=severity, subject=f"{_place(address)}, {shown}", problem=problem, remedy=remedy)


def _place(address: Address) -> str:
    """Where its options stand."""
    stands_in = sender(address.receiver.options) is not None
    return f"receiver {address.name}" + (", actions[0].parameters" if stands_in else "")
