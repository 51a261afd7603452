"""Warn of settings at the line that had them read, however deep in here it is noticed.  Decides not what to warn of."""

from __future__ import annotations

import sys
import warnings
from types import FrameType

_PACKAGE = __name__.partition(".")[0]


def warn(text: str) -> None:
    """Warn with the place of the nearest caller that is no module of ours."""
    level, frame = 2, sys._getframe(1)  # noqa: SLF001  inspect reads sources on the way
    while _is_ours(frame) and frame.f_back is not None:
        level, frame = level + 1, frame.f_back
    # Where all of them are ours, the outermost one.
    warnings.warn(text, stacklevel=level)


def _is_ours(frame: FrameType) -> bool:
    return str(frame.f_globals.get("__name__", "")).partition(".")[0] == _PACKAGE
