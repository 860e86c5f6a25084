"""Which Promotions wait for a pull request: those whose step ``git-wait-for-pr`` is or was under way."""

import re
from collections import Counter, defaultdict
from functools import lru_cache

import msgspec

from receivers import limits
from receivers.events import Decision, Target
from receivers.kargo import shallow

RUNNING = "Running"
WAITING_STEP = "git-wait-for-pr"
REASON = "waits for this pull request"

_ABSENT = msgspec.Raw(b"null")
# What the decoder takes as the name of a member; Kargo's names of steps are letters, digits and dashes.
_ALIAS = re.compile(r'[^"\\\x00-\x1f]{1,253}')


class _Status(msgspec.Struct):
    phase: msgspec.Raw = _ABSENT
    current_step: msgspec.Raw = msgspec.field(name="currentStep", default=_ABSENT)
    state: msgspec.Raw = _ABSENT


class _Step(msgspec.Struct):
    uses: msgspec.Raw = _ABSENT
    alias: msgspec.Raw = msgspec.field(name="as", default=_ABSENT)


class _PullRequest(msgspec.Struct):
    url: msgspec.Raw = _ABSENT


class _Output(msgspec.Struct):
    pr: msgspec.Raw = _ABSENT


def pull_requests(steps: msgspec.Raw, status: msgspec.Raw) -> tuple[str, ...]:
    """The URLs of the pull requests that a Promotion waits for, each once.

    ``steps`` is its ``spec.steps`` and ``status`` its status, as JSON: anything at all. What is not as Kargo writes it
    yields nothing.
    """
    told = _decoded(status, _Status)
    if told is None or shallow.value(told.phase) != RUNNING:
        return ()
    aliases = _aliases(steps, _number(told.current_step))
    if not aliases:
        return ()
    state = _decoded(told.state, _state(aliases))
    outputs = () if state is None else msgspec.structs.astuple(state)
    return tuple(dict.fromkeys(filter(None, map(_url, outputs))))


def _aliases(steps: msgspec.Raw, current: int) -> tuple[str, ...]:
    """The names of the steps that wait for a pull request, up to the current one."""
    found = shallow.elements(steps, at_most=limits.PROMOTION_STEPS)
    names: dict[str, None] = {}
    for encoded in found.first[: current + 1] if found and current >= 0 else ():
        step = _decoded(encoded, _Step)
        if step is not None and _text(step.uses) == WAITING_STEP and _ALIAS.fullmatch(name := _text(step.alias)):
            names[name] = None
    return tuple(names)[-limits.PROMOTION_PULL_REQUESTS :]  # the latest: those before are closed already


def _url(output: msgspec.Raw) -> str:
    found = _decoded(output, _Output)
    pull_request = _decoded(found.pr, _PullRequest) if found else None
    return _text(pull_request.url) if pull_request else ""


def _text(encoded: msgspec.Raw) -> str:
    """A text that is not too long, else ""."""
    found = shallow.value(encoded) if len(encoded) <= 2 + limits.NAME else ""
    return found if isinstance(found, str) else ""


def _number(encoded: msgspec.Raw) -> int:
    """A number of a step; 0 where there is none, and -1 for what is no such number."""
    try:
        return msgspec.json.decode(encoded, type=int | None) or 0
    except shallow.NO_JSON:
        return -1


def _decoded[Record: msgspec.Struct](encoded: msgspec.Raw, record: type[Record]) -> Record | None:
    try:
        return msgspec.json.decode(encoded, type=record)
    except shallow.NO_JSON:
        return None


@lru_cache(maxsize=limits.PROMOTION_STATES_REMEMBERED)
def _state(aliases: tuple[str, ...]) -> type[msgspec.Struct]:
    """A Promotion's state, of which a decoder keeps what these steps have put there, and passes over the rest."""
    names = {f"step_{position}": alias for position, alias in enumerate(aliases)}
    fields = [(name, msgspec.Raw, _ABSENT) for name in names]
    return msgspec.defstruct("State", fields, rename=names)


class PullRequestIndex:
    """The Promotions that wait for pull requests, by the pull request's URL, exactly as it stands there."""

    def __init__(self) -> None:
        self._urls: dict[Target, tuple[str, ...]] = {}
        self._waiting: defaultdict[str, set[Target]] = defaultdict(set)
        self._promotions_in: Counter[str] = Counter()

    def __len__(self) -> int:
        """How many Promotions wait."""
        return len(self._urls)

    def __contains__(self, target: Target) -> bool:
        return target in self._urls

    def put(self, target: Target, urls: tuple[str, ...]) -> None:
        """Add or replace a Promotion; without URLs it waits for nothing, and is forgotten."""
        self.remove(target)
        if urls:
            self._urls[target] = urls
            self._promotions_in[target.namespace] += 1
            for url in urls:
                self._waiting[url].add(target)

    def remove(self, target: Target) -> None:
        """Forget a Promotion; one that is not there is forgotten already."""
        for url in (urls := self._urls.pop(target, ())):
            self._waiting[url].discard(target)
            if not self._waiting[url]:
                del self._waiting[url]
        if urls:
            self._promotions_in[target.namespace] -= 1
            if not self._promotions_in[target.namespace]:
                del self._promotions_in[target.namespace]

    def count(self, project: str) -> int:
        """How many Promotions of a project wait."""
        return self._promotions_in[project]

    def targets(self) -> list[Target]:
        """Every Promotion that waits, in no particular order."""
        return list(self._urls)

    def decisions(self, url: str, *, project: str | None) -> list[Decision]:
        """Every Promotion of a project (None: of all) that waits for this pull request, by namespace and name."""
        waiting = (target for target in self._waiting.get(url, ()) if project in (None, target.namespace))
        return [Decision(target=target, refresh=True, reason=REASON) for target in sorted(waiting)]
