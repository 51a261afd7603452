"""What holds for everything that is left of a call with planted secrets in it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import remains
from canaries import Canaries
from secret_calls import KEYS, WORDS, done

from chatsheet_llm import errors

OURS = ("chatsheet_llm", "asyncio", "warnings")
"""The loggers that answer for nobody else; what the SDKs' own say is another test's business."""


def nothing_of(canaries: Canaries, text: str | bytes) -> bool:
    found = canaries.found_in(text)
    assert found == []
    return True


def failed(client: Any, call: Callable[[Any], Any], kind: type[BaseException] = errors.ChatsheetError) -> BaseException:
    with pytest.raises(kind) as caught:
        done(client, call)
    return caught.value


def check(error: BaseException, client: Any, heap: remains.Heap, *, told: str = "") -> None:
    """What holds for every error: no key in anything, no prompt but in frames of the caller and of the SDK above us."""
    kept = remains.of_error(error) + remains.of_route(error) + remains.of_client(client) + told
    assert nothing_of(KEYS, kept + heap.of(*OURS) + remains.locals_of(error))
    assert nothing_of(WORDS, kept + heap.of(*OURS))
    assert nothing_of(WORDS, remains.locals_of(error, "chatsheet_llm"))
