"""Chat Completions: reads a request body, and writes an answer as JSON or as chunks.  Chooses no words."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Literal

from chatsheet_llm.sandbox.answers import Answer, Ask, Tool, Usage
from chatsheet_llm.sandbox.shapes import DONE, Event, Json, Malformed, flat_text, new_id, obj, objs, pieces, text, whole

Dialect = Literal["azure", "openai", "litellm"]

_FINISH = {
    "stop": "stop",
    "tool_calls": "tool_calls",
    "length": "length",
    "refusal": "stop",
    "content_filter": "content_filter",
}
SAFE: Json = {name: {"filtered": False, "severity": "safe"} for name in ("hate", "self_harm", "sexual", "violence")}
PROMPT_SAFE: Json = {**SAFE, "jailbreak": {"filtered": False, "detected": False}}
_MOST_CHOICES = 128
_NAMELESS: Json = {"id": "", "object": "", "created": 0, "model": ""}
"""The head of Azure's chunks that belong to its content filter and not to the model."""


@dataclass(frozen=True, slots=True)
class Style:
    """How a role writes: its dialect, the ``model`` it names in replies, and whether Azure's oddities are on."""

    dialect: Dialect
    model: str
    quirks: bool = True

    @property
    def azure(self) -> bool:
        """Whether replies carry Azure's content filter fields."""
        return self.dialect == "azure" and self.quirks


def read(body: Json) -> Ask:
    """Return what a Chat Completions body asks for.  Raises Malformed without messages."""
    messages = objs(body.get("messages"))
    if not messages:
        raise Malformed("Missing required parameter: 'messages'.", param="messages", code="missing_required_parameter")
    last = max((at for at, message in enumerate(messages) if message.get("role") == "user"), default=-1)
    tools, forced = _tools(body)
    shape = obj(body.get("response_format"))
    effort = body.get("reasoning_effort")
    stop = body.get("stop")
    return Ask(
        model=text(body.get("model")),
        user=flat_text(messages[last].get("content")) if last >= 0 else "",
        prompt_words=sum(len(pieces(flat_text(message.get("content")))) for message in messages),
        tools=tools,
        forced=forced,
        parallel=body.get("parallel_tool_calls") is not False and "functions" not in body,
        results=tuple(
            flat_text(item.get("content")) for item in messages[last + 1 :] if item.get("role") in ("tool", "function")
        ),
        schema=obj(obj(shape.get("json_schema")).get("schema")) if shape.get("type") == "json_schema" else None,
        json_object=shape.get("type") == "json_object",
        effort=effort if isinstance(effort, str) else text(obj(effort).get("effort")) or None,
        max_tokens=whole(body.get("max_completion_tokens")) or whole(body.get("max_tokens")),
        stop=(stop,) if isinstance(stop, str) else tuple(map(text, stop)) if isinstance(stop, list) else (),
        choices=min(max(1, whole(body.get("n")) or 1), _MOST_CHOICES),
    )


def _tools(body: Json) -> tuple[tuple[Tool, ...], tuple[str, ...]]:
    """Return the tools the model may use, and the names it is forced to choose from."""
    if "functions" in body:  # the legacy spelling
        tools = tuple(Tool(text(item.get("name")), obj(item.get("parameters"))) for item in objs(body["functions"]))
        choice: object = body.get("function_call")
        forced = (text(obj(choice).get("name")),) if isinstance(choice, dict) else ()
        return ((), ()) if choice == "none" else (tools, forced)
    tools = tuple(_tool(item) for item in objs(body.get("tools")))
    choice = body.get("tool_choice")
    if choice == "none":
        return (), ()
    if choice == "required":
        return tools, tuple(tool.name for tool in tools)
    wanted = obj(choice)
    if wanted.get("type") == "allowed_tools":
        allowed = obj(wanted.get("allowed_tools"))
        names = [_tool(item).name for item in objs(allowed.get("tools"))]
        kept = tuple(tool for tool in tools if tool.name in names)
        return kept, tuple(names) if allowed.get("mode") == "required" else ()
    return tools, (_tool(wanted).name,) if wanted else ()


def _tool(item: Json) -> Tool:
    if item.get("type") == "custom":
        return Tool(text(obj(item.get("custom")).get("name")), custom=True)
    function = obj(item.get("function"))
    return Tool(text(function.get("name")), obj(function.get("parameters")))


def usage_json(usage: Usage) -> Json:
    """Return usage in Chat Completions' words."""
    return {
        "completion_tokens": usage.completion,
        "completion_tokens_details": {
            "accepted_prediction_tokens": 0,
            "audio_tokens": 0,
            "reasoning_tokens": usage.reasoning,
            "rejected_prediction_tokens": 0,
        },
        "prompt_tokens": usage.prompt,
        "prompt_tokens_details": {"audio_tokens": 0, "cached_tokens": 0},
        "total_tokens": usage.total,
    }


def whole_reply(given: Answer, ask: Ask, body: Json, style: Style) -> Json:
    """Return the answer as a ``chat.completion`` object."""
    message: Json = {"role": "assistant", "content": given.text or None, "refusal": given.refusal, "annotations": []}
    finish = _FINISH[given.finish]
    if given.tool_calls and "functions" in body:
        call = given.tool_calls[0]
        message["function_call"] = {"name": call.name, "arguments": call.arguments}
        finish = "function_call"
    elif given.tool_calls:
        message["tool_calls"] = _calls_json(given)
    if given.finish == "content_filter" or (not given.tool_calls and given.refusal is None):
        message["content"] = given.text
    choices: list[Json] = [
        {"index": index, "message": message, "logprobs": None, "finish_reason": finish} for index in range(ask.choices)
    ]
    reply: Json = {
        "id": new_id("chatcmpl-"),
        "object": "chat.completion",
        "created": int(time.time()),
        "model": style.model,
        "choices": choices,
        "usage": usage_json(given.usage),
        "system_fingerprint": "fp_sandbox",
        "service_tier": "default",
    }
    if style.azure:
        results = filter_results(given)
        reply["choices"] = [{**choice, "content_filter_results": results} for choice in choices]
        reply["prompt_filter_results"] = [{"prompt_index": 0, "content_filter_results": PROMPT_SAFE}]
    return reply


def _calls_json(given: Answer) -> list[Json]:
    return [
        {"id": call.id, "type": "custom", "custom": {"name": call.name, "input": call.arguments}}
        if call.custom
        else {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
        for call in given.tool_calls
    ]


def filter_results(given: Answer) -> Json:
    """Return what Azure's content filter says of an answer; nothing for tool calls."""
    if given.tool_calls:
        return {}
    if given.finish == "content_filter":
        return {**SAFE, "violence": {"filtered": True, "severity": "medium"}}
    return SAFE


def events(given: Answer, ask: Ask, body: Json, style: Style) -> list[Event]:
    """Return the answer as the chunks of a stream, ``[DONE]`` included, in the role's dialect."""
    want_usage = obj(body.get("stream_options")).get("include_usage") is True
    head: Json = {
        "id": new_id("chatcmpl-"),
        "object": "chat.completion.chunk",
        "created": int(time.time()),
        "model": style.model,
        "system_fingerprint": "fp_sandbox",
    }
    if want_usage and style.dialect != "litellm":
        head["usage"] = None
    made: list[Event] = []
    if style.azure:
        judged: Json = {"prompt_index": 0, "content_filter_results": PROMPT_SAFE}
        made.append(Event({**_NAMELESS, "choices": [], "prompt_filter_results": [judged]}))
    for index in range(ask.choices):
        made.extend(_choice_events(given, index, head, style, legacy="functions" in body))
    if want_usage:
        tail: list[Json] = [{"index": 0, "delta": {}}] if style.dialect == "litellm" else []
        made.append(Event({**head, "choices": tail, "usage": usage_json(given.usage)}))
    return [*made, DONE]


def _choice_events(given: Answer, index: int, head: Json, style: Style, *, legacy: bool) -> list[Event]:
    """The chunks of one choice: the role, the content, the reason to stop, and Azure's late verdict."""

    def chunk(delta: Json, results: Json, *, finish: str | None = None, content: bool = False) -> Event:
        choice: Json = {"index": index, "delta": delta, "logprobs": None, "finish_reason": finish}
        if style.azure:
            choice["content_filter_results"] = results
        return Event({**head, "choices": [choice]}, content=content)

    made: list[Event] = []
    deltas = _deltas(given, legacy=legacy)
    opening: Json = {"role": "assistant", "content": None if given.tool_calls else "", "refusal": None}
    if style.dialect == "litellm" and deltas:  # the proxy folds the role into the first content chunk
        deltas[0] = {"role": "assistant", **deltas[0]}
    else:
        made.append(chunk(opening, {}))
    made += [chunk(delta, {} if given.tool_calls else SAFE, content=True) for delta in deltas]
    blocked = given.finish == "content_filter"
    finish = "function_call" if given.tool_calls and legacy else _FINISH[given.finish]
    made.append(chunk({}, filter_results(given) if blocked else {}, finish=finish))
    if style.azure and given.text:
        made.append(_annotation(index, len(given.text)))
    return made


def _deltas(given: Answer, *, legacy: bool) -> list[Json]:
    if given.refusal is not None:
        return [{"refusal": piece} for piece in pieces(given.refusal)]
    if not given.tool_calls:
        return [{"content": piece} for piece in pieces(given.text)]
    if legacy:
        call = given.tool_calls[0]
        made: list[Json] = [{"function_call": {"name": call.name, "arguments": ""}}]
        return made + [{"function_call": {"arguments": piece}} for piece in pieces(call.arguments)]
    made = []
    for index, call in enumerate(given.tool_calls):
        kind, field = ("custom", "input") if call.custom else ("function", "arguments")
        opening: Json = {"index": index, "id": call.id, "type": kind, kind: {"name": call.name, field: ""}}
        made.append({"tool_calls": [opening]})
        for piece in pieces(call.arguments):
            made.append({"tool_calls": [{"index": index, kind: {field: piece}}]})
    return made


def _annotation(index: int, end: int) -> Event:
    """The asynchronous filter's verdict: no id, no delta, after the reason to stop."""
    offsets: Json = {"check_offset": 0, "start_offset": 0, "end_offset": end}
    choice: Json = {
        "index": index,
        "finish_reason": None,
        "content_filter_results": SAFE,
        "content_filter_offsets": offsets,
    }
    return Event({**_NAMELESS, "choices": [choice]})
