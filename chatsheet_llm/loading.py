"""Let the garbage collector wait while large modules load.  Decides nothing about what is in them."""

from __future__ import annotations

import gc
from types import TracebackType


class Loading:
    """What an import makes is there to stay: to look at all of it, over and over, takes a tenth of the SDK's import.

    Behind it that counts as old, as it would after some collections.
    """

    def __enter__(self) -> None:
        self._waits = gc.isenabled()
        gc.disable()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._waits:
            return
        if gc.get_freeze_count() == 0:
            # Both in a row make everything old.  What a program has frozen itself stays so.
            gc.freeze()
            gc.unfreeze()
        gc.enable()
