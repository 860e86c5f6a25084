"""A Kubernetes API in this process, for trying the service where there is no cluster.

It has the kinds that the service reads and writes, and of the API what kubectl and the usual clients need for them. It
is a convenience: what must hold in a real cluster is tested against a real API server.
"""

from receivers.local.embedded.api import Denial
from receivers.local.embedded.cluster import BROKEN, DEMO, EmbeddedCluster, documents

__all__ = ["BROKEN", "DEMO", "Denial", "EmbeddedCluster", "documents"]
