"""``client.responses``: the SDK's own, whose ``stream`` says that it folds events together.  Sends nothing itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import wraps
from typing import TYPE_CHECKING, Any, TypeVar, cast

from chatsheet_llm.exchange import HELPER
from chatsheet_llm.loading import Loading
from chatsheet_llm.resources import plain

with Loading():
    from openai.resources import responses

_M = TypeVar("_M", bound=Callable[..., Any])


def _named(method: _M, name: str) -> _M:
    """Return the SDK's method so that its requests name it, as those of the SDK's other helpers do.

    The name wins over one that the caller sends: it says how the answer is read.
    """

    @wraps(method)
    def named(*args: Any, extra_headers: Mapping[str, object] | None = None, **more: Any) -> Any:
        return method(*args, extra_headers={**(extra_headers or {}), HELPER: name}, **more)

    return cast("_M", named)


class Responses(responses.Responses):
    """``client.responses``."""

    if not TYPE_CHECKING:  # its overloads are the SDK\'s
        create = plain(responses.Responses)
    stream = _named(responses.Responses.stream, "responses.stream")


class AsyncResponses(responses.AsyncResponses):
    """``client.responses`` of the asynchronous client."""

    if not TYPE_CHECKING:  # its overloads are the SDK\'s
        create = plain(responses.AsyncResponses)
    stream = _named(responses.AsyncResponses.stream, "responses.stream")
