"""What subscriptions want of their repositories, and why they take a push or do not.

One module for each kind of subscription, ``selector`` of which reads one; what they share is beside them. The rules are
Kargo's, and where one is not, its module says so.
"""

from receivers.kargo.selectors.deciding import Broken, Selector, Unchecked

__all__ = ["Broken", "Selector", "Unchecked"]
