"""Decide in which failure domains a hop lies, and how they are named.  Knows nothing of how they fare."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Protocol

from chatsheet_llm.faults import Reach

PROXY = "proxy "
"""What the names of domains begin with that are HTTP proxies."""
WITHIN: Mapping[Reach, tuple[Reach, ...]] = {
    "proxy": ("origin", "surface"),
    "origin": ("surface",),
    "surface": (),
    "none": (),
}
"""The domains that lie within one of this reach."""


class Located(Protocol):
    """Anything that has a place in the failure domains."""

    @property
    def proxy(self) -> str:
        """The HTTP proxy before it, or nothing."""

    @property
    def origin(self) -> str:
        """The resource and its credential."""

    @property
    def surface(self) -> str:
        """One API of one deployment at that origin."""


def domains_of(hop: Located) -> Iterator[tuple[Reach, str]]:
    """Yield the domains of a hop, the widest first."""
    if hop.proxy:
        yield "proxy", f"{PROXY}{hop.proxy}"
    yield "origin", hop.origin
    yield "surface", hop.surface


def parts_of(key: str) -> tuple[str, str, str]:
    """Return the origin, the API and the deployment that a domain is named by: a proxy and an origin have only that."""
    origin, _, rest = key.partition(" ") if not key.startswith(PROXY) else (key, "", "")
    mode, _, deployment = rest.partition(" ")
    return origin, mode, deployment


def within(key: str, origin: str, deployment: str | None = None) -> bool:
    """Whether a domain is a surface of that origin, or of one deployment there."""
    return key.startswith(f"{origin} ") and (deployment is None or key.endswith(f" {deployment}"))
