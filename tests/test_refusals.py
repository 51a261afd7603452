"""A model that refuses has answered: no error, no other hop, and its words reach the caller.  In every format."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from client_cases import settings_for
from either import KINDS, Either, Kind

from chatsheet_llm import route_of
from chatsheet_llm.sandbox import Sandbox
from chatsheet_llm.sandbox.answers import REFUSAL

WORDS = "Please refuse politely"
HOPS: Mapping[str, str] = {
    "litellm/chat": "gpt-5",
    "azure/chat": "gpt-5",
    "azure/responses": "gpt-5",
    "anthropic/messages": "claude-sonnet-4-5",
}
CLAUDE = "anthropic/messages"


def refused(made: Either, api: str, model: str, *, stream: bool) -> tuple[list[Any], Any]:
    """What came, in parts, and its route."""
    if api == "chat":
        message = {"role": "user", "content": WORDS}
        answer = made.wait(
            made.client.chat.completions.create(model=model, messages=[message], max_tokens=64, stream=stream)
        )
    else:
        answer = made.wait(made.client.responses.create(model=model, input=WORDS, stream=stream))
    parts = [answer]
    if stream:
        parts = []
        while True:
            try:
                parts.append(made.next_of(answer))
            except (StopIteration, StopAsyncIteration):
                break
    return parts, route_of(answer)


def said(api: str, parts: list[Any], *, stream: bool) -> str:
    """The refusal's words, wherever the format has them."""
    if api == "chat":
        choices = [choice for part in parts for choice in part.choices]
        return "".join((choice.delta if stream else choice.message).refusal or "" for choice in choices)
    if stream:
        return "".join(part.delta for part in parts if part.type == "response.refusal.delta")
    return "".join(part.refusal for item in parts[0].output for part in item.content if part.type == "refusal")


def ends(api: str, parts: list[Any], *, stream: bool) -> str:
    """How the answer says that it ended."""
    if api == "chat":
        return next(choice.finish_reason for part in reversed(parts) for choice in part.choices if choice.finish_reason)
    return str((parts[-1].response if stream else parts[0]).status)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("api", ["chat", "responses"])
@pytest.mark.parametrize("hop", HOPS)
def test_a_refusal_is_an_answer(hop: str, api: str, stream: bool, kind: Kind, box: Sandbox) -> None:
    chain = [hop, "azure/responses" if hop == "litellm/chat" else "litellm/chat"]
    claude = {"anthropic_base_url": box.anthropic_url, "anthropic_api_key": box.api_key}
    with Either(kind, settings_for(box, **claude), chain=chain) as made:
        parts, route = refused(made, api, HOPS[hop], stream=stream)

    assert [(attempt.hop, attempt.outcome) for attempt in route.attempts] == [(hop, "ok")]
    assert len(box.requests) == 1
    if hop == CLAUDE:
        # It has no words but those of its stop details.
        assert ends(api, parts, stream=stream) == {"chat": "content_filter", "responses": "incomplete"}[api]
        assert REFUSAL in "".join(part.model_dump_json() for part in parts)
    else:
        assert ends(api, parts, stream=stream) == {"chat": "stop", "responses": "completed"}[api]
        assert said(api, parts, stream=stream) == REFUSAL
