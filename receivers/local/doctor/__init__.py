"""Finds what is wrong with settings, cluster, permissions, receivers and subscriptions. Changes nothing."""

from receivers.local.doctor.examination import Examination, examine
from receivers.local.doctor.findings import Finding, Severity

__all__ = ["Examination", "Finding", "Severity", "examine"]
