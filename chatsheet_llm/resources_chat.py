"""``client.chat``: the SDK's own, whose ``create`` does not walk what is plain JSON.  Sends nothing itself."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from chatsheet_llm.loading import Loading
from chatsheet_llm.resources import plain

with Loading():
    from openai.resources import chat
    from openai.resources.chat import completions


class Completions(completions.Completions):
    """``client.chat.completions``."""

    if not TYPE_CHECKING:  # its overloads are the SDK\'s
        create = plain(completions.Completions)


class AsyncCompletions(completions.AsyncCompletions):
    """``client.chat.completions`` of the asynchronous client."""

    if not TYPE_CHECKING:  # its overloads are the SDK\'s
        create = plain(completions.AsyncCompletions)


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
