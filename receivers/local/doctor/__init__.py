"""Finds what is wrong with settings, cluster, permissions, receivers and subscriptions. Changes nothing."""

from receivers.local.doctor.examination import Examination, examine
from receivers.local.doctor.findings import Check, Finding, Severity

__all__ = ["Check", "Examination", "Finding", "Severity", "examine"]
