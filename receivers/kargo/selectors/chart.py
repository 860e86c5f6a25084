"""What a ``chart`` subscription wants.

The rule is Kargo's, but for two: an OCI chart's tag may have ``_`` where the version has ``+``, since Helm pushes it
so; and nothing here asks a registry.
"""

from dataclasses import dataclass

from receivers import limits
from receivers.kargo import references, verdicts
from receivers.kargo.effort import Effort, TooMuch
from receivers.kargo.fields import Fields, Unreadable
from receivers.kargo.selectors import terms
from receivers.kargo.selectors.deciding import QualifierSelector, Selector, Unchecked
from receivers.kargo.verdicts import Verdict


@dataclass(frozen=True, slots=True)
class ChartVersions(QualifierSelector):
    """Chart versions that satisfy the constraint, if there is one."""

    constraint: str
    is_oci: bool

    def preparation(self) -> int:
        return verdicts.CONSTRAINT_CHARACTER * len(self.constraint)

    def price(self, qualifier: str) -> int:
        return verdicts.BASE + verdicts.price_of_version(qualifier, self.constraint)

    def judge(self, qualifier: str) -> Verdict:
        version = qualifier.replace("_", "+") if self.is_oci else qualifier
        return verdicts.of_version("version", version, self.constraint, strict=False)


def selector(fields: Fields, effort: Effort | None = None) -> Selector:
    """Read a ``chart`` subscription. ``effort`` is that of its Warehouse; without it there is one for itself.

    Raises:
        Unreadable: with the field and what is wrong with it.
    """
    effort = effort or Effort(limits.READING_EFFORT)
    url = terms.repository_url(fields)
    is_oci = url.startswith("oci://")
    if not is_oci and not url.startswith(("https://", "http://")):
        raise Unreadable("repoURL starts with none of oci://, https:// and http://")
    if is_oci and not references.is_oci(url.removeprefix("oci://")):
        raise Unreadable("repoURL is not oci://<registry>/<repository> in lower case")
    try:
        return ChartVersions(terms.constraint(fields, "semverConstraint", effort), is_oci)
    except TooMuch as too_much:
        return Unchecked.because(too_much)
