"""Small requests and replies in which a difference occurs that no recording shows: one at least for each such row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from alike import Json
from conversations import written

from chatsheet_llm.route import Mode

_TOOL = {"type": "object", "properties": {"q": {"type": "string"}}, "required": ["q"], "additionalProperties": False}
_CHAT_TOOLS = [{"type": "function", "function": {"name": "f", "parameters": _TOOL, "strict": True}}]
_TOOLS = [{"type": "function", "name": "f", "parameters": _TOOL, "strict": True}]
_OWN_TOOLS = [{"name": "f", "input_schema": _TOOL}]
_ASKED = {"chat": [{"role": "user", "content": "go"}], "responses": [{"role": "user", "content": "go"}]}


def _chat(**more: object) -> Json:
    return {"model": "m", "messages": _ASKED["chat"], **more}


def _responses(**more: object) -> Json:
    return {"model": "m", "input": _ASKED["responses"], **more}


def _messages(**more: object) -> Json:
    return {"model": "m", "max_tokens": 99, "messages": _ASKED["chat"], **more}


_THOUGHT = {"home": "responses", "text": "hm", "seal": "s"}
_CALLED = {
    "settings": {},
    "tools": [],
    "turns": [
        {"kind": "user", "said": "go"},
        {"kind": "assistant", "reasoning": [_THOUGHT], "said": None, "calls": [{"id": "c", "name": "f", "given": {}}]},
        {"kind": "results", "results": [{"id": "c", "said": "x"}]},
    ],
}

ODD_REQUESTS: Mapping[Mode, Sequence[Json]] = {
    "chat": (
        _chat(modalities=["text"]),
        _chat(top_logprobs=0),
        _chat(logprobs=True, top_logprobs=0),
        _chat(store=False),
        _chat(parallel_tool_calls=False),
        _chat(tool_choice="none"),
        _chat(verbosity="medium"),
        _chat(stream=True, stream_options={"include_obfuscation": False}),
        _chat(
            tools=_CHAT_TOOLS,
            tool_choice={
                "type": "allowed_tools",
                "allowed_tools": {"mode": "required", "tools": [{"type": "function", "function": {"name": "f"}}]},
            },
        ),
        _chat(temperature=1, top_p=1),
    ),
    "responses": (
        _responses(tools=None, temperature=None),
        _responses(tools=[{**_TOOLS[0], "description": None}], text={"format": None, "verbosity": "low"}),
        _responses(top_logprobs=0),
        _responses(background=False),
        _responses(truncation="disabled"),
        _responses(parallel_tool_calls=False),
        _responses(tools=[{"type": "function", "name": "f", "parameters": None, "strict": False}]),
        _responses(reasoning={"context": "auto"}),
        _responses(reasoning={}, text={}),
        _responses(text={"verbosity": "medium"}),
        _responses(temperature=1, top_p=1),
        _responses(stream=True, stream_options={"include_obfuscation": False}),
        _responses(
            text={
                "format": {"type": "json_schema", "name": "n", "description": "why", "schema": _TOOL, "strict": False}
            }
        ),
        _responses(
            tools=_TOOLS,
            tool_choice={"type": "allowed_tools", "mode": "required", "tools": [{"type": "function", "name": "f"}]},
        ),
        {
            "model": "m",
            "input": [
                {"role": "system", "content": "one"},
                {"role": "user", "content": "go"},
                {"role": "developer", "content": "two"},
                {"type": "custom_tool_call", "call_id": "c", "name": "f", "input": "x"},
                {"type": "custom_tool_call_output", "call_id": "c", "output": "y"},
            ],
        },
        {
            "model": "m",
            "input": [
                {"role": "user", "content": "go"},
                {
                    "id": "msg_1",
                    "type": "message",
                    "role": "assistant",
                    "status": "completed",
                    "content": [{"type": "refusal", "refusal": "no"}],
                },
                {"role": "user", "content": ""},
                {"role": "user", "content": "do"},
            ],
        },
    ),
    "messages": (
        _messages(system=None, tools=None),
        _messages(tool_choice={"type": "auto"}),
        _messages(tools=_OWN_TOOLS, tool_choice={"type": "auto"}),
        _messages(tool_choice={"type": "auto", "disable_parallel_tool_use": True}),
        _messages(speed="standard"),
        _messages(top_p=1),
        _messages(tools=[{**_OWN_TOOLS[0], "type": "custom"}]),
        _messages(tools=[{**_OWN_TOOLS[0], "strict": False}]),
        _messages(tool_choice={"type": "none"}),
        _messages(thinking={"type": "adaptive", "display": "omitted"}),
        written("messages", _CALLED),
        _messages(
            messages=[
                {"role": "user", "content": "go"},
                {"role": "assistant", "content": [{"type": "tool_use", "id": "c", "name": "f", "input": {}}]},
                {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "c"}]},
            ]
        ),
    ),
}
"""Format -> requests."""

_COUNTS = {"input_tokens": 1, "output_tokens": 1}
_OUTPUT = {"type": "function_call", "call_id": "c", "name": "f", "arguments": '{"q": "x"}', "status": "completed"}
ODD_REPLIES: Mapping[Mode, Sequence[Json]] = {
    "chat": (
        {
            "id": "x",
            "object": "chat.completion",
            "created": 1,
            "model": "m",
            "choices": [
                {
                    "index": 0,
                    "message": {"role": "assistant", "content": "a", "reasoning": "b"},
                    "finish_reason": "stop",
                }
            ],
        },
    ),
    "responses": (
        {
            "id": "x",
            "object": "response",
            "created_at": 1,
            "model": "m",
            "status": "completed",
            "output": [_OUTPUT],
            "usage": {**_COUNTS, "total_tokens": 2},
        },
    ),
    "messages": (),
}
"""Format -> replies."""

ODD_ANSWER: Json = {
    "id": "msg_1",
    "created": 1,
    "model": "m",
    "end": "stop",
    "usage": {"input": 2, "cached": 1, "new": 0, "output": 2, "thought": 1},
    "tier": None,
    "pieces": [{"kind": "reasoning", "text": "hm", "seal": "s"}, {"kind": "text", "text": "so"}],
}
"""An answer that each format writes in its own way; told as in `random_answers`."""
