"""What an answer says, in words that all three wire formats share; and streams folded into the reply they make."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chatsheet_llm.route import Mode

Json = dict[str, Any]


@dataclass(frozen=True)
class Said:
    """The parts of an answer that no bridge may change."""

    text: str
    calls: tuple[tuple[str, str, str], ...]
    finish: str
    usage: tuple[int, int]


def parsed(arguments: object) -> str:
    """Arguments without regard to white space."""
    try:
        return json.dumps(json.loads(str(arguments) or "{}"), sort_keys=True)
    except ValueError:
        return str(arguments)


def said(mode: Mode, body: Json) -> Said:
    return _SAID[mode](body)


def _chat_said(body: Json) -> Said:
    choice = body["choices"][0]
    message = choice["message"]
    calls = [(call["id"], call[call["type"]]) for call in message.get("tool_calls") or []]
    legacy = [("", message["function_call"])] if message.get("function_call") else []
    usage = body.get("usage") or {}
    details = choice.get("finish_details") or {}
    finish = choice.get("finish_reason") or {"max_tokens": "length"}.get(details.get("type"))
    if finish == "function_call" or (finish == "stop" and (calls or legacy)):
        # A forced call ends with ``stop`` in Chat alone.
        finish = "tool_calls"
    return Said(
        text_of(message.get("content")) + (message.get("refusal") or ""),
        tuple((key, call["name"], parsed(call.get("arguments", call.get("input")))) for key, call in calls + legacy),
        finish,
        (usage.get("prompt_tokens") or 0, usage.get("completion_tokens") or 0),
    )


def text_of(content: object) -> str:
    if isinstance(content, list):
        return "".join(part.get("text", part.get("refusal", "")) for part in content)
    return content if isinstance(content, str) else ""


def _responses_said(body: Json) -> Said:
    items = body["output"]
    text = "".join(text_of(item.get("content")) for item in items if item["type"] == "message")
    calls = tuple(
        (item["call_id"], item["name"], parsed(item.get("arguments", item.get("input"))))
        for item in items
        if item["type"] in ("function_call", "custom_tool_call")
    )
    reason = (body.get("incomplete_details") or {}).get("reason")
    finish = {"max_output_tokens": "length", None: "tool_calls" if calls else "stop"}.get(reason, str(reason))
    usage = body.get("usage") or {}
    return Said(text, calls, finish, (usage.get("input_tokens") or 0, usage.get("output_tokens") or 0))


_STOPS = {"end_turn": "stop", "stop_sequence": "stop", "tool_use": "tool_calls", "max_tokens": "length"}


def _messages_said(body: Json) -> Said:
    blocks, usage = body["content"], body["usage"]
    calls = tuple(
        (block["id"], block["name"], parsed(json.dumps(block["input"])))
        for block in blocks
        if block["type"] == "tool_use"
    )
    read = [usage.get(f"{name}input_tokens") or 0 for name in ("", "cache_creation_", "cache_read_")]
    return Said(
        "".join(block["text"] for block in blocks if block["type"] == "text"),
        calls,
        _STOPS.get(body["stop_reason"], {"refusal": "content_filter"}.get(body["stop_reason"], body["stop_reason"])),
        (sum(read), usage["output_tokens"]),
    )


_SAID: Mapping[Mode, Callable[[Json], Said]] = {
    "chat": _chat_said,
    "responses": _responses_said,
    "messages": _messages_said,
}


# --- streams, folded --------------------------------------------------------------------------------------------------


def folded(mode: Mode, events: Sequence[Json]) -> Json:
    """The whole reply that a stream makes."""
    return _FOLDS[mode](events)


def _fold_chat(events: Sequence[Json]) -> Json:
    head: Json = {}
    choices: dict[int, Json] = {}
    for chunk in events:
        said_here = {name: value for name, value in chunk.items() if name != "choices" and value not in (None, "")}
        # The first time counts: what later chunks say is when they were made.
        head |= said_here | ({"created": head["created"]} if head.get("created") else {})
        for piece in chunk.get("choices") or []:
            index = piece.get("index", 0)
            choice = choices.setdefault(
                index, {"index": index, "message": {"role": "assistant", "content": None}, "finish_reason": None}
            )
            for name, value in piece.items():
                if name not in ("index", "delta", "logprobs") and value is not None:
                    kept = choice.get(name)
                    choice[name] = {**kept, **value} if isinstance(kept, dict) and isinstance(value, dict) else value
            for name, tokens in (piece.get("logprobs") or {}).items():
                if tokens:
                    told = choice.setdefault("logprobs", {"content": None, "refusal": None})
                    told[name] = [*(told[name] or []), *tokens]
            _add_delta(choice["message"], piece.get("delta") or {})
    for choice in choices.values():
        if calls := choice["message"].get("tool_calls"):
            choice["message"]["tool_calls"] = [
                {name: value for name, value in call.items() if name != "index"} for call in calls.values()
            ]
    return {**head, "object": "chat.completion", "choices": [choices[index] for index in sorted(choices)]}


def _add_delta(message: Json, delta: Json) -> None:
    for name, value in delta.items():
        if name == "tool_calls":
            calls = message.setdefault("tool_calls", {})
            for entry in value or []:
                _add_delta(calls.setdefault(entry.get("index", 0), {"type": "function"}), entry)
        elif isinstance(value, dict):
            _add_delta(message.setdefault(name, {}), value)
        elif isinstance(value, str) and name not in ("role", "id", "type", "name"):
            message[name] = (message.get(name) or "") + value
        elif value is not None:
            message[name] = value


def _fold_responses(events: Sequence[Json]) -> Json:
    return next(
        dict(event["response"])
        for event in reversed(events)
        if event["type"] in ("response.completed", "response.incomplete")
    )


def _fold_messages(events: Sequence[Json]) -> Json:
    message: Json = {}
    pieces: dict[int, str] = {}
    for event in events:
        kind = event["type"]
        if kind == "message_start":
            message = json.loads(json.dumps(event["message"]))
        elif kind == "content_block_start":
            message["content"].append(dict(event["content_block"]))
        elif kind == "content_block_delta":
            block, delta = message["content"][event["index"]], event["delta"]
            if delta["type"] == "input_json_delta":
                pieces[event["index"]] = pieces.get(event["index"], "") + delta["partial_json"]
            elif delta["type"] == "citations_delta":
                block["citations"] = [*(block.get("citations") or []), delta["citation"]]
            else:
                name = delta["type"].removesuffix("_delta")
                block[name] = block.get(name, "") + delta[name]
        elif kind == "content_block_stop":
            # What was attached to a block late.
            message["content"][event["index"]] |= event.get("content_block", {})
        elif kind == "message_delta":
            message |= {name: value for name, value in event["delta"].items() if value is not None}
            message["usage"] = {**message["usage"], **{k: v for k, v in event["usage"].items() if v is not None}}
    for index, text in pieces.items():
        if text:
            message["content"][index]["input"] = json.loads(text)
    return message


_FOLDS: Mapping[Mode, Callable[[Sequence[Json]], Json]] = {
    "chat": _fold_chat,
    "responses": _fold_responses,
    "messages": _fold_messages,
}
