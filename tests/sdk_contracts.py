"""What the contract tests of the SDKs share: which symbols a test stands for, and calls that are overheard."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import httpx2
import openai
import pytest

from chatsheet_llm import Route

ROUTE = Route(seconds=1.5)
HELLO: dict[str, Any] = {"model": "gpt-5", "messages": [{"role": "user", "content": "Hello"}]}
TIMEOUT = httpx2.Timeout(10.0)

_T = TypeVar("_T", bound=Callable[..., object])


def contract(*symbols: str) -> Callable[[_T], _T]:
    """Say which private symbols a test stands for; read from the file, and so written out."""
    return lambda test: test


class Asked(Exception):
    """Carries what a resource hands to `request()`."""

    def __init__(self, cast_to: type[Any], options: Any, stream: bool, stream_cls: type[Any] | None) -> None:
        super().__init__()
        self.cast_to, self.options, self.stream, self.stream_cls = cast_to, options, stream, stream_cls


class Listener(openai.OpenAI):
    """Raises what it is asked for: a resource that goes another way than through `request()` cannot be heard."""

    def request(
        self, cast_to: type[Any], options: Any, *, stream: bool = False, stream_cls: type[Any] | None = None
    ) -> Any:
        raise Asked(cast_to, options, stream, stream_cls)


def asked(call: Callable[..., object], **arguments: Any) -> Asked:
    with pytest.raises(Asked) as caught:
        call(**arguments)
    return caught.value
