"""A URL that was a receiver's: whose, until when, and why it is no longer."""

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from receivers.events import Receiver


class Standing(StrEnum):
    """What there is now of a receiver that had a URL."""

    THERE = "there"
    GONE = "gone"
    UNREADABLE = "unreadable"  # as it is configured
    UNKNOWN = "unknown"  # the cluster does not tell


class Why(StrEnum):
    """What became of it. The values of the first three are those in storage; the others hold for the moment."""

    ROTATED = "rotated"
    CHANGED = "changed"
    DELETED = "deleted"
    REPLACED = "replaced"
    UNREADABLE = "unreadable"

    def given(self, standing: Standing) -> "Why":
        """What is to be told, while this is what there is of the receiver."""
        if standing is Standing.THERE:
            return Why.REPLACED if self is Why.DELETED else self
        return {Standing.GONE: Why.DELETED, Standing.UNREADABLE: Why.UNREADABLE}.get(standing, self)

    @property
    def phrase(self) -> str:
        """What happened, as a clause."""
        return _PHRASES[self]

    @property
    def remedy(self) -> str:
        """What to do about a sender that still posts there."""
        if self is Why.DELETED:
            return "remove the webhook at the sender"
        if self is Why.UNREADABLE:
            return "mend the configuration, and leave the webhook at the sender as it is"
        return "register the new URL with the sender"


_PHRASES = {
    Why.ROTATED: "its Secret was rotated",
    Why.CHANGED: "it has another Secret or another kind of sender now",
    Why.DELETED: "it was deleted",
    Why.REPLACED: "it was made again with another URL",
    Why.UNREADABLE: "its configuration cannot be read",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Former:
    """The URL of a receiver as it was, told by a hash of its token alone."""

    voucher: str
    kind: str  # the receiver's provider
    project: str | None
    name: str
    until: datetime  # when this service noticed
    why: Why
    asked_at: datetime | None = None  # when something was posted there last, a minute ago at most

    @classmethod
    def of(cls, receiver: Receiver, voucher: str, *, why: Why, now: datetime) -> "Former":
        """A URL that a receiver has just lost."""
        return cls(
            voucher=voucher, kind=receiver.provider, project=receiver.project, name=receiver.name, until=now, why=why
        )

    @property
    def place(self) -> str:
        """``receiver acr of project kargo-demo``."""
        return f"receiver {self.name} of " + (f"project {self.project}" if self.project else "the cluster")

    @property
    def ended(self) -> str:
        """``until 2026-11-28 10:32 UTC; its Secret was rotated``."""
        return f"until {self.until.astimezone(UTC):%Y-%m-%d %H:%M} UTC; {self.why.phrase}"

    @property
    def told(self) -> str:
        """All of it in a sentence, with the remedy."""
        return f"this was the URL of {self.place} {self.ended}: {self.why.remedy}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Something was posted to a former URL."""

    former: Former
    is_news: bool  # False: within a minute of what was recorded, and so only counted
