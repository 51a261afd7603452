"""The SDK's own resources, where a method has to tell the client more than the SDK does.  Sends nothing itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property, wraps
from inspect import iscoroutinefunction, unwrap
from typing import TYPE_CHECKING, Any, TypeVar, cast

from openai.resources import chat, responses
from openai.resources.chat import completions

from chatsheet_llm.exchange import HELPER
from chatsheet_llm.templates import template_of

_M = TypeVar("_M", bound=Callable[..., Any])


def _named(method: _M, name: str) -> _M:
    """Return the SDK's method so that its requests name it, as those of the SDK's other helpers do.

    The name wins over one that the caller sends: it says how the answer is read.
    """

    @wraps(method)
    def named(*args: Any, extra_headers: Mapping[str, object] | None = None, **more: Any) -> Any:
        return method(*args, extra_headers={**(extra_headers or {}), HELPER: name}, **more)

    return cast("_M", named)


def _plain(resource: Any) -> Any:
    """Return the resource's ``create`` so that it copies plain JSON where the SDK would walk it.

    While a request runs, no frame here holds what it says: some traceback printers show every local.
    """
    sdk_s = resource.create

    def begun(self: Any, held: list[dict[str, Any]]) -> Any:
        template = template_of(resource)
        options = None if template is None else template.request(held[-1])
        if template is None or options is None:
            return sdk_s(self, **held.pop())
        stream = bool(held.pop().get("stream"))
        request, cast_to, stream_cls = self._client.request, template.cast_to, template.stream_cls
        held_options, options = [options], None
        return request(cast_to, held_options.pop(), stream=stream, stream_cls=stream_cls)

    @wraps(sdk_s)
    def create(self: Any, **given: Any) -> Any:
        held = [given]
        del given
        return begun(self, held)

    @wraps(sdk_s)
    async def acreate(self: Any, **given: Any) -> Any:
        held = [given]
        del given
        return await begun(self, held)

    return acreate if iscoroutinefunction(unwrap(sdk_s)) else create


class Responses(responses.Responses):
    """``client.responses``."""

    if not TYPE_CHECKING:  # its overloads are the SDK\'s
        create = _plain(responses.Responses)
    stream = _named(responses.Responses.stream, "responses.stream")


class AsyncResponses(responses.AsyncResponses):
    """``client.responses`` of the asynchronous client."""

    if not TYPE_CHECKING:  # its overloads are the SDK\'s
        create = _plain(responses.AsyncResponses)
    stream = _named(responses.AsyncResponses.stream, "responses.stream")


class Completions(completions.Completions):
    """``client.chat.completions``."""

    if not TYPE_CHECKING:  # its overloads are the SDK\'s
        create = _plain(completions.Completions)


class AsyncCompletions(completions.AsyncCompletions):
    """``client.chat.completions`` of the asynchronous client."""

    if not TYPE_CHECKING:  # its overloads are the SDK\'s
        create = _plain(completions.AsyncCompletions)


class Chat(chat.Chat):
    """``client.chat``."""

    @cached_property
    def completions(self) -> Completions:
        """Chat Completions."""
        return Completions(self._client)


class AsyncChat(chat.AsyncChat):
    """``client.chat`` of the asynchronous client."""

    @cached_property
    def completions(self) -> AsyncCompletions:
        """Chat Completions."""
        return AsyncCompletions(self._client)
