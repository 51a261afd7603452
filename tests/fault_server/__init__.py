"""A server that fails on purpose, in front of any upstream: toxiproxy's faults and those that it lacks.  Tests only.

``FaultServer(upstream)`` passes bytes on; ``FaultServer(answer=...)`` answers requests itself.  ``set`` names what goes
wrong from then on.  It knows nothing of this library, so that anything that speaks HTTP can be driven against it.
"""

from __future__ import annotations

from fault_server.certificates import Certificates
from fault_server.faults import FAULTS, Fault, Reply, parse
from fault_server.server import FaultServer

__all__ = ["FAULTS", "Certificates", "Fault", "FaultServer", "Reply", "parse"]
