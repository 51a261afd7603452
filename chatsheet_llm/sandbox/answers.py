"""Decides what to answer to a request, whatever its wire format.  Pure: renders nothing and reads no body."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal

from chatsheet_llm.sandbox.instance import instance
from chatsheet_llm.sandbox.shapes import Json, dumps, new_id, pieces

Finish = Literal["stop", "tool_calls", "length", "refusal", "content_filter"]

REFUSE = "refuse politely"
"""A user message with these words is refused."""
REFUSAL = "I am sorry, but I cannot help with that."

_REASONING = {"none": 0, "minimal": 4, "low": 16, "medium": 64, "high": 128, "xhigh": 256, "max": 512}
"""Reasoning tokens for an effort; 32 for one that is not listed."""
_ECHO = 60
"""How many words of a prompt or a tool result an answer quotes."""
_BRIEF = 6
"""How many words of a prompt go into the strings of a JSON answer and of tool arguments."""


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool that the model may call: a function with a JSON schema, or a custom tool that takes plain text."""

    name: str
    schema: Json = field(default_factory=dict)
    custom: bool = False


@dataclass(frozen=True, slots=True)
class Ask:
    """What a request asks for, without its wire format.

    ``results`` are the tool results that follow the last user text.  ``forced`` names the tools the model must choose
    from; empty when it may answer with text.  ``max_tokens`` counts words, as all tokens here.
    """

    model: str
    user: str
    prompt_words: int
    tools: tuple[Tool, ...] = ()
    forced: tuple[str, ...] = ()
    parallel: bool = True
    results: tuple[str, ...] = ()
    schema: Json | None = None
    json_object: bool = False
    effort: str | None = None
    max_tokens: int | None = None
    stop: tuple[str, ...] = ()
    choices: int = 1


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call of a tool; ``arguments`` is JSON text, or plain text for a custom tool."""

    name: str
    arguments: str
    custom: bool = False
    id: str = field(default_factory=lambda: new_id("call_"))


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens, which are words here.  ``completion`` includes ``reasoning``."""

    prompt: int
    completion: int
    reasoning: int = 0

    @property
    def total(self) -> int:
        """Prompt and completion together."""
        return self.prompt + self.completion


@dataclass(frozen=True, slots=True)
class Answer:
    """What the model says.  A refusal's words are in ``refusal``; ``text`` is empty then, and beside tool calls."""

    usage: Usage
    text: str = ""
    finish: Finish = "stop"
    tool_calls: tuple[ToolCall, ...] = ()
    refusal: str | None = None
    reasoning: str | None = None
    stopped_by: str | None = None


def answer(ask: Ask, *, hop: str) -> Answer:
    """Return the answer of ``hop`` (``"azure/chat"``) to a request.  The same request gets the same words."""
    if REFUSE in ask.user.lower():
        return _counted(ask, finish="refusal", refusal=REFUSAL)
    calls = _calls(ask)
    if calls:
        return _counted(ask, finish="tool_calls", calls=calls)
    if ask.schema is not None:
        return _spoken(ask, dumps(instance(ask.schema, _clip(ask.user, _BRIEF))))
    said = f"The tool answered: {_clip(' and '.join(ask.results))}" if ask.results else f"You said: {_clip(ask.user)}"
    by = f"Answered by {hop} as {ask.model}."
    return _spoken(ask, dumps({"answer": said, "by": by}) if ask.json_object else f"{said}\n{by}")


def filtered(given: Answer) -> Answer:
    """Return the answer as the content filter leaves it: the first half of its text, no tool call, no refusal."""
    words = pieces(given.text or given.refusal or "Some text that came first.")
    kept = words[: max(1, len(words) // 2)]
    usage = replace(given.usage, completion=len(kept) + given.usage.reasoning)
    return Answer(usage, "".join(kept), "content_filter", reasoning=given.reasoning)


def _spoken(ask: Ask, words: str) -> Answer:
    """Text, as far as a stop sequence and the token limit let it come."""
    stopped_by = next((mark for mark in ask.stop if mark and mark in words), None)
    if stopped_by is not None:
        words = words[: words.index(stopped_by)]
    split = pieces(words)
    if ask.max_tokens is not None and len(split) > ask.max_tokens:
        return _counted(ask, "".join(split[: ask.max_tokens]), "length")
    return _counted(ask, words, stopped_by=stopped_by)


def _counted(
    ask: Ask,
    words: str = "",
    finish: Finish = "stop",
    *,
    calls: tuple[ToolCall, ...] = (),
    refusal: str | None = None,
    stopped_by: str | None = None,
) -> Answer:
    tokens = _REASONING.get(ask.effort, 32) if ask.effort is not None else 0
    reasoning = f"Thinking about the request with {ask.effort} effort." if tokens else None
    spent = sum(len(pieces(part)) for part in (words, refusal or "", *(call.arguments for call in calls)))
    usage = Usage(ask.prompt_words, spent * ask.choices + tokens, tokens)
    return Answer(usage, words, finish, calls, refusal, reasoning, stopped_by)


def _calls(ask: Ask) -> tuple[ToolCall, ...]:
    """Call the tools that the caller forces, or that the user's words name when no result is there yet."""
    named = [tool for tool in ask.tools if tool.name and tool.name in ask.user]
    if ask.forced:
        allowed = [tool for tool in ask.tools if tool.name in ask.forced]
        chosen = [tool for tool in allowed if tool in named] or allowed[:1]
    else:
        chosen = [] if ask.results else named
    return tuple(_call(tool, _clip(ask.user, _BRIEF)) for tool in (chosen if ask.parallel else chosen[:1]))


def _call(tool: Tool, words: str) -> ToolCall:
    if tool.custom:
        return ToolCall(tool.name, words, custom=True)
    return ToolCall(tool.name, dumps(instance({"type": "object", **tool.schema}, words)))


def _clip(words: str, limit: int = _ECHO) -> str:
    parts = words.split()
    return " ".join(parts) if len(parts) <= limit else " ".join(parts[:limit]) + " ..."
