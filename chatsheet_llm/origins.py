"""Remember which endpoint made what only it can read: ids and seals, as digests.  Decides no route, does no I/O."""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Iterable

MEMORY = 20_000
"""How many tokens are remembered; the oldest are forgotten first."""

NOBODY = "nobody"
"""The origin of an id that a bridge gave to what has none where it comes from: no endpoint would know it."""


class Origins:
    """Token -> origin of the endpoint whose reply held it.  Bounded, thread-safe, of this process alone."""

    def __init__(self, size: int = MEMORY) -> None:
        self._size = size
        self._known: OrderedDict[bytes, str] = OrderedDict()
        self._lock = threading.Lock()

    def remember(self, tokens: Iterable[str], origin: str) -> None:
        """Note that these came from an endpoint."""
        digests = [_digest(token) for token in tokens]
        with self._lock:
            for digest in digests:
                self._known[digest] = origin
                self._known.move_to_end(digest)
            while len(self._known) > self._size:
                self._known.popitem(last=False)

    def of(self, token: str) -> str | None:
        """Return the origin that made it, or None where that is not known: another process may have asked for it."""
        digest = _digest(token)
        with self._lock:
            # What is still in use is not the oldest.
            if digest in self._known:
                self._known.move_to_end(digest)
            return self._known.get(digest)

    def __len__(self) -> int:
        return len(self._known)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({len(self)} known)"


def _digest(token: str) -> bytes:
    return hashlib.blake2b(token.encode(errors="surrogatepass"), digest_size=16).digest()
