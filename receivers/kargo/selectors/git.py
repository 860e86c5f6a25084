"""What a ``git`` subscription wants: some refs and, where it names paths, changes of some files.

The rule is Kargo's, but for one: where the subscription names no branch and the sender tells which is the default one,
that one counts, and else Kargo's guess.
"""

from dataclasses import dataclass

from receivers import limits
from receivers.kargo import fields as reading
from receivers.kargo import path_filters, verdicts
from receivers.kargo.changes import GUESSED, Change
from receivers.kargo.effort import Effort, TooMuch
from receivers.kargo.fields import Fields, Unreadable
from receivers.kargo.path_filters import PathFilter
from receivers.kargo.selectors import tags, terms
from receivers.kargo.selectors.deciding import QualifierSelector, Selector, Unchecked, refused
from receivers.kargo.selectors.tags import AllowedTags, SemverTags
from receivers.kargo.verdicts import Verdict

_BRANCHES = "refs/heads/"
_TAGS = "refs/tags/"


@dataclass(frozen=True, slots=True)
class Branch(Selector):
    """One branch; the default one, if it has no name."""

    name: str

    def weigh(self, change: Change, effort: Effort) -> Verdict:
        """The reason tells of the ref that is wanted, or else of the first."""
        wanted = frozenset({self.name}) if self.name else change.default_branches
        refusals: dict[str, None] = {}
        for ref in change.qualifiers:
            effort.demand(verdicts.BASE)
            verdict = self._judge(ref, wanted)
            if verdict.accepted:
                return verdict
            refusals[verdict.reason] = None
        return refused(refusals)

    def _judge(self, ref: str, wanted: frozenset[str]) -> Verdict:
        if not ref.startswith(_BRANCHES):
            return Verdict(False, f"ref {verdicts.shown(ref)} is not a branch")
        branch = ref.removeprefix(_BRANCHES)
        if branch in wanted:
            return Verdict(True, f"branch {verdicts.shown(branch)} is {self._described(wanted)}")
        return Verdict(False, f"branch {verdicts.shown(branch)} is not {self._named(wanted)}")

    def _described(self, wanted: frozenset[str]) -> str:
        if self.name:
            return "the one subscribed to"
        return "taken for the default branch" if wanted == GUESSED else "the default branch"

    def _named(self, wanted: frozenset[str]) -> str:
        names = " or ".join(verdicts.shown(name) for name in sorted(wanted)[:2])
        return f"{names}, {self._described(wanted)}"


@dataclass(frozen=True, slots=True)
class Tags(QualifierSelector):
    """Some tags."""

    tags: AllowedTags | SemverTags

    def preparation(self) -> int:
        return self.tags.preparation()

    def price(self, qualifier: str) -> int:
        return self.tags.price(qualifier)

    def judge(self, qualifier: str) -> Verdict:
        if not qualifier.startswith(_TAGS):
            return Verdict(False, f"ref {verdicts.shown(qualifier)} is not a tag")
        return self.tags.judge(qualifier.removeprefix(_TAGS))


@dataclass(frozen=True, slots=True)
class Commits(Selector):
    """Some refs, and changes of some files if the push tells which files it changes."""

    refs: Branch | Tags
    paths: PathFilter

    def weigh(self, change: Change, effort: Effort) -> Verdict:
        """The reason tells of the ref and, if it was looked at, of a file."""
        verdict = self.refs.weigh(change, effort)
        if not verdict.accepted or not self.paths or not change.changed_files:
            return verdict
        by_path = self.paths.weigh(change.changed_files, effort)
        return Verdict(by_path.accepted, f"{verdict.reason}, and {by_path.reason}")


def selector(fields: Fields, effort: Effort | None = None) -> Selector:
    """Read a ``git`` subscription. ``effort`` is that of its Warehouse; without it there is one for itself.

    Raises:
        Unreadable: with the field and what is wrong with it.
    """
    effort = effort or Effort(limits.READING_EFFORT)
    terms.repository_url(fields)
    try:
        return Commits(_refs(fields, effort), path_filters.read(fields, effort))
    except TooMuch as too_much:
        return Unchecked.because(too_much)


def _refs(fields: Fields, effort: Effort) -> Branch | Tags:
    match strategy := reading.text(fields, "commitSelectionStrategy"):
        case "NewestFromBranch" | "":
            return Branch(reading.tag(fields, "branch"))
        case "Lexical" | "NewestTag":
            return Tags(tags.selector(fields, effort, constraint=None))
        case "SemVer":
            return Tags(tags.selector(fields, effort, constraint="semverConstraint"))
        case _:
            raise Unreadable(f"commitSelectionStrategy {verdicts.shown(strategy)} is unknown")
