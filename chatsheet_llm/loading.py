"""Import a module that is large, and only when it is needed.  Decides nothing about what is in it."""

from __future__ import annotations

import gc
from importlib import import_module
from types import ModuleType


def load(name: str) -> ModuleType:
    """Import a module of this package, or return it where it was imported before.

    The garbage collector waits meanwhile: all that an import makes is there to stay, and looking at it over and over
    takes a tenth of the SDK's import.
    """
    waits = gc.isenabled()
    gc.disable()
    try:
        return import_module(f"chatsheet_llm.{name}")
    finally:
        if waits:
            gc.enable()
