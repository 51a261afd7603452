"""Run something in a child of this process, and read what came of it.  Asserts nothing."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from typing import Any

import pytest

forks = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
multithreaded = pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
"""From Python 3.12 on, a fork beside threads is warned of; here it is what is tested."""


def in_a_child(run: Callable[[], object]) -> Callable[[], Any]:
    """Fork, and run it in the child; what is returned gives its result, which must be JSON."""
    mine, its = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            signal.alarm(20)
            told = json.dumps(run())
        except BaseException as error:
            told = json.dumps(repr(error))
        os.write(its, told.encode())
        os._exit(0)
    os.close(its)

    def result() -> Any:
        with os.fdopen(mine) as pipe:
            told = pipe.read()
        os.waitpid(child, 0)
        return json.loads(told)

    return result
