"""Random answers, told once and then written in each wire format, whole and as a stream, by code of our own.

What is written here knows no bridge, as in `conversations`.
"""

from __future__ import annotations

import base64
import random
from collections.abc import Callable, Mapping
from itertools import groupby

from conversations import HOME, SEAL, Json, arguments, json_text, maybe_empty, names, numbers, texts
from hypothesis import strategies as st

from chatsheet_llm.route import Mode

_usage = st.builds(
    lambda plain, cached, new, output: {
        "input": plain + cached + new,
        "cached": cached,
        "new": new,
        "output": output,
        "thought": output // 2,
    },
    *(st.integers(0, 9999),) * 4,
)


@st.composite
def _pieces(draw: st.DrawFn) -> list[Json]:
    pieces: list[Json] = []
    for at in range(draw(st.integers(0, 5))):
        kind = draw(st.sampled_from(("reasoning", "text", "text", "call", "call", "refusal", "custom")))
        if kind == "reasoning":
            # One provider's seals look all alike.
            pieces.append({"kind": kind, "text": draw(texts), "seal": f"seal_{at}"})
        elif kind in ("call", "custom"):
            name = {"kind": kind, "id": f"call_{at}", "name": draw(names)}
            pieces.append(name | ({"given": draw(arguments)} if kind == "call" else {"input": draw(maybe_empty)}))
        else:
            pieces.append({"kind": kind, "text": draw(texts)})
    return pieces


answers = st.fixed_dictionaries(
    {
        "id": st.builds("msg_{}".format, numbers),
        "created": st.integers(1, 2**31),
        "model": names,
        "end": st.sampled_from(("stop", "stop", "length", "filter")),
        "usage": _usage,
        "tier": st.sampled_from((None, "default", "priority")),
        "pieces": _pieces(),
    }
)


def said_by(told: Json, hop: Mode) -> Json:
    """The answer as a hop of a format can have given it."""
    pieces = [{**piece, "home": hop} if piece["kind"] == "reasoning" else piece for piece in told["pieces"]]
    if hop == "messages":
        pieces = [piece for piece in pieces if piece["kind"] not in ("refusal", "custom")]
        return {**told, "pieces": pieces, "created": 0}
    if hop == "chat":
        # Chat has one message, with one text of each kind before its calls.
        joined = [
            {"kind": kind, "text": text, "home": hop, "seal": ""}
            for kind, gap in (("reasoning", "\n\n"), ("text", ""), ("refusal", ""))
            if (text := gap.join(piece["text"] for piece in pieces if piece["kind"] == kind))
        ]
        calls = [piece for piece in pieces if piece["kind"] in ("call", "custom")]
        return {**told, "pieces": joined + calls}
    return {**told, "pieces": pieces}


def in_one_message(told: Json) -> Json:
    """The answer in the order in which Chat has it, which tells none: one text, and calls behind it."""
    joined = [
        {"kind": kind, "text": "".join(piece["text"] for piece in _kinds(told, kind))} for kind in ("text", "refusal")
    ]
    said = [piece for piece in joined if piece["text"]]
    return {**told, "pieces": [*_kinds(told, "reasoning"), *said, *_kinds(told, "call", "custom")]}


def answered(mode: Mode, told: Json) -> Json:
    """The whole reply of a format that says what was told."""
    return _ANSWERED[mode](told)


def _kinds(told: Json, *kinds: str) -> list[Json]:
    return [piece for piece in told["pieces"] if piece["kind"] in kinds]


def _chat_answer(told: Json) -> Json:
    texts_of = {kind: [piece["text"] for piece in _kinds(told, kind)] for kind in ("reasoning", "text", "refusal")}
    message: Json = {"role": "assistant"}
    message["content"] = "".join(texts_of["text"]) if texts_of["text"] else None
    message["refusal"] = "".join(texts_of["refusal"]) if texts_of["refusal"] else None
    if texts_of["reasoning"]:
        message["reasoning_content"] = "\n\n".join(texts_of["reasoning"])
        if _kinds(told, "reasoning")[0]["home"] != "chat":
            message["reasoning_items"] = [_answer_item(piece, 0) for piece in _kinds(told, "reasoning")]
    if calls := _kinds(told, "call", "custom"):
        message["tool_calls"] = [_chat_call(call) for call in calls]
    finish = {"stop": "tool_calls" if calls else "stop", "length": "length", "filter": "content_filter"}[told["end"]]
    used = told["usage"]
    reply = {
        "id": told["id"],
        "object": "chat.completion",
        "created": told["created"],
        "model": told["model"],
        "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": finish}],
        "usage": {
            "prompt_tokens": used["input"],
            "completion_tokens": used["output"],
            "total_tokens": used["input"] + used["output"],
            "prompt_tokens_details": {"cached_tokens": used["cached"], "cache_write_tokens": used["new"]},
            "completion_tokens_details": {"reasoning_tokens": used["thought"]},
        },
    }
    return reply | ({"service_tier": told["tier"]} if told["tier"] else {})


def _chat_call(call: Json) -> Json:
    if call["kind"] == "custom":
        return {"id": call["id"], "type": "custom", "custom": {"name": call["name"], "input": call["input"]}}
    function = {"name": call["name"], "arguments": json_text(call["given"])}
    return {"id": call["id"], "type": "function", "function": function}


def _responses_answer(told: Json) -> Json:
    output: list[Json] = []
    before = ""
    for index, piece in enumerate(told["pieces"]):
        says = piece["kind"] in ("text", "refusal")
        if not (says and before == "message"):
            output.append(_answer_item(piece, index))
        elif says:
            output[-1]["content"].append(_answer_part(piece))
        before = "message" if says else piece["kind"]
    used, why = told["usage"], {"stop": None, "length": "max_output_tokens", "filter": "content_filter"}[told["end"]]
    return {
        "id": told["id"],
        "object": "response",
        "created_at": told["created"],
        "model": told["model"],
        "status": "incomplete" if why else "completed",
        "incomplete_details": {"reason": why} if why else None,
        "output": output,
        "service_tier": told["tier"],
        "error": None,
        "tools": [],
        "tool_choice": "auto",
        "parallel_tool_calls": True,
        "metadata": {},
        "instructions": None,
        "temperature": None,
        "top_p": None,
        "usage": {
            "input_tokens": used["input"],
            "output_tokens": used["output"],
            "total_tokens": used["input"] + used["output"],
            "input_tokens_details": {"cached_tokens": used["cached"], "cache_write_tokens": used["new"]},
            "output_tokens_details": {"reasoning_tokens": used["thought"]},
        },
    }


def _answer_part(piece: Json) -> Json:
    if piece["kind"] == "refusal":
        return {"type": "refusal", "refusal": piece["text"]}
    return {"type": "output_text", "text": piece["text"], "annotations": [], "logprobs": []}


def _answer_item(piece: Json, index: int) -> Json:
    if piece["kind"] == "reasoning":
        summary = [{"type": "summary_text", "text": piece["text"]}]
        seal = {"chat": {}, "responses": piece["seal"], "messages": SEAL + piece["seal"]}[piece["home"]]
        made = {"id": f"rs_{piece['seal']}", "type": "reasoning", "summary": summary}
        return made | ({"encrypted_content": seal} if seal else {})
    if piece["kind"] == "call":
        called = {"call_id": piece["id"], "name": piece["name"], "arguments": json_text(piece["given"])}
        return {"id": f"fc_{index}", "type": "function_call", "status": "completed", **called}
    if piece["kind"] == "custom":
        called = {"call_id": piece["id"], "name": piece["name"], "input": piece["input"]}
        return {"id": f"ctc_{index}", "type": "custom_tool_call", **called}
    head = {"id": f"msg_{index}", "type": "message", "role": "assistant", "status": "completed"}
    return {**head, "content": [_answer_part(piece)]}


def _messages_answer(told: Json) -> Json:
    content = [_answer_block(piece) for piece in told["pieces"]]
    calls = any(block["type"] == "tool_use" for block in content)
    stop = {"stop": "tool_use" if calls else "end_turn", "length": "max_tokens", "filter": "refusal"}[told["end"]]
    extra: Json = {}
    if _kinds(told, "refusal"):
        stop = "refusal"
        if told["end"] == "length":
            # One stop reason cannot say both.
            extra = {"response_fields": {"incomplete_details": {"reason": "max_output_tokens"}}}
    used = told["usage"]
    tier = {None: {}, "default": {"service_tier": "standard"}, "priority": {"service_tier": "priority"}}[told["tier"]]
    return {
        "id": told["id"],
        "type": "message",
        "role": "assistant",
        "model": told["model"],
        "content": content,
        "stop_reason": stop,
        "stop_sequence": None,
        "usage": {
            "input_tokens": used["input"] - used["cached"] - used["new"],
            "cache_creation_input_tokens": used["new"],
            "cache_read_input_tokens": used["cached"],
            "output_tokens": used["output"],
            "output_tokens_details": {"thinking_tokens": used["thought"]},
            **tier,
        },
        **extra,
    }


def _answer_block(piece: Json) -> Json:
    if piece["kind"] == "reasoning":
        seal = piece["seal"]
        if piece["home"] != "messages":
            item = json_text(_answer_item(piece, 0))
            seal = HOME + base64.urlsafe_b64encode(item.encode()).decode().rstrip("=")
        return {"type": "thinking", "thinking": piece["text"], "signature": seal}
    if piece["kind"] in ("call", "custom"):
        given = piece["given"] if piece["kind"] == "call" else {"input": piece["input"]}
        return {"type": "tool_use", "id": piece["id"], "name": piece["name"], "input": given}
    return {"type": "text", "text": piece["text"]}


_ANSWERED: Mapping[Mode, Callable[[Json], Json]] = {
    "chat": _chat_answer,
    "responses": _responses_answer,
    "messages": _messages_answer,
}


def streamed(mode: Mode, reply: Json, chance: random.Random) -> list[Json]:
    """The events of a stream of a format that amounts to a whole reply, cut into deltas by chance."""
    return _STREAMED[mode](reply, chance)


def _cut(text: str, chance: random.Random) -> list[str]:
    marks = sorted(chance.sample(range(len(text) + 1), min(len(text), chance.randint(0, 4)))) if text else []
    return [text[start:end] for start, end in zip([0, *marks], [*marks, len(text)], strict=True)] if text else []


def _mixed(runs: list[list[Json]], chance: random.Random) -> list[Json]:
    """The runs in one, each in its order: one after the other, or side by side but begun in turn."""
    if chance.random() < 0.5:
        return [event for run in runs for event in run]
    waiting, begun, made = [list(run) for run in runs], [], []
    while waiting or begun:
        if waiting and (not begun or chance.random() < 0.4):
            begun.append(waiting.pop(0))
            made.append(begun[-1].pop(0))
        else:
            made.append(chance.choice(begun).pop(0))
        begun = [run for run in begun if run]
    return made


def _chat_stream(reply: Json, chance: random.Random) -> list[Json]:
    choice, usage = reply["choices"][0], reply.get("usage")
    head = {k: v for k, v in reply.items() if k not in ("choices", "usage")} | {"object": "chat.completion.chunk"}

    def chunk(delta: Json, finish: str | None = None) -> Json:
        return {**head, "choices": [{"index": 0, "delta": delta, "finish_reason": finish}], "usage": None}

    message = choice["message"]
    events = [chunk({"role": "assistant", "content": ""})]
    if chance.random() < 0.3:
        # As Azure begins.
        events.insert(0, {"id": "", "object": "", "created": 0, "model": "", "choices": []})
    for name in ("reasoning_content", "content", "refusal"):
        events += [chunk({name: piece}) for piece in _cut(message.get(name) or "", chance)]
    runs = []
    for index, call in enumerate(message.get("tool_calls", [])):
        kind = call["type"]
        text = "arguments" if kind == "function" else "input"
        begun = {"index": index, **call, kind: {**call[kind], text: ""}}
        rest = [{"index": index, kind: {text: piece}} for piece in _cut(call[kind][text], chance)]
        runs.append([chunk({"tool_calls": [entry]}) for entry in (begun, *rest)])
    # The input of a custom call has no end of its own, so no other call is told before it is over.
    kinds = {call["type"] for call in message.get("tool_calls", [])}
    events += [event for run in runs for event in run] if "custom" in kinds else _mixed(runs, chance)
    events.append(chunk({}, choice["finish_reason"]))
    return [*events, {**head, "choices": [], "usage": usage}]


def _responses_stream(reply: Json, chance: random.Random) -> list[Json]:
    begun = {**reply, "status": "in_progress", "output": [], "usage": None, "incomplete_details": None}
    # Only calls may come side by side: a model speaks and thinks one thing after another.
    runs: list[Json] = []
    items = [(item["type"].endswith("call"), index, item) for index, item in enumerate(reply["output"])]
    for calls, group in groupby(items, key=lambda entry: entry[0]):
        told = [_item_events(index, item, chance) for _, index, item in group]
        runs += _mixed(told, chance) if calls else [event for run in told for event in run]
    events = [
        {"type": "response.created", "response": begun},
        {"type": "response.in_progress", "response": begun},
        *runs,
        {"type": f"response.{reply['status']}", "response": reply},
    ]
    return [{**event, "sequence_number": number} for number, event in enumerate(events)]


_BLANK = {"message": {"content": []}, "reasoning": {"summary": []}, "function_call": {"arguments": ""}}


def _item_events(index: int, item: Json, chance: random.Random) -> list[Json]:
    at = {"item_id": item["id"], "output_index": index}
    blank = {**item, **_BLANK.get(item["type"], {"input": ""})}
    blank |= {"status": "in_progress"} if "status" in item else {}
    events: list[Json] = [{"type": "response.output_item.added", "output_index": index, "item": blank}]
    for number, part in enumerate(item.get("content") or []):
        name = "text" if part["type"] == "output_text" else "refusal"
        kind, here = f"response.{part['type']}", {**at, "content_index": number}
        empty = {**part, name: ""}
        events.append({"type": "response.content_part.added", **here, "part": empty})
        tokens = {"logprobs": []} if name == "text" else {}
        events += [{"type": f"{kind}.delta", **here, "delta": piece, **tokens} for piece in _cut(part[name], chance)]
        events.append({"type": f"{kind}.done", **here, name: part[name], **tokens})
        events.append({"type": "response.content_part.done", **here, "part": part})
    for number, part in enumerate(item.get("summary") or []):
        kind, here = "response.reasoning_summary", {**at, "summary_index": number}
        events.append({"type": f"{kind}_part.added", **here, "part": {**part, "text": ""}})
        events += [{"type": f"{kind}_text.delta", **here, "delta": piece} for piece in _cut(part["text"], chance)]
        events.append({"type": f"{kind}_text.done", **here, "text": part["text"]})
        events.append({"type": f"{kind}_part.done", **here, "part": part})
    for name, kind in (("arguments", "response.function_call_arguments"), ("input", "response.custom_tool_call_input")):
        if name in item:
            events += [{"type": f"{kind}.delta", **at, "delta": piece} for piece in _cut(item[name], chance)]
            events.append({"type": f"{kind}.done", **at, name: item[name]})
    return [*events, {"type": "response.output_item.done", "output_index": index, "item": item}]


_DELTAS = {"text": ("text_delta", "text"), "thinking": ("thinking_delta", "thinking")}


def _messages_stream(reply: Json, chance: random.Random) -> list[Json]:
    begun = {**reply, "content": [], "stop_reason": None, "usage": {**reply["usage"], "output_tokens": 1}}
    events: list[Json] = [{"type": "message_start", "message": begun}, {"type": "ping"}]
    for index, block in enumerate(reply["content"]):
        kind = block["type"]
        blank = {"text": {"text": ""}, "thinking": {"thinking": "", "signature": ""}, "tool_use": {"input": {}}}
        events.append(
            {"type": "content_block_start", "index": index, "content_block": {**block, **blank.get(kind, {})}}
        )
        delta, name = _DELTAS.get(kind, ("input_json_delta", "partial_json"))
        whole = json_text(block["input"]) if kind == "tool_use" else block.get(name, "")
        if whole == "{}" and chance.random() < 0.5:
            whole = ""
        told = [{"type": delta, name: piece} for piece in _cut(whole, chance)]
        if kind == "thinking":
            told.append({"type": "signature_delta", "signature": block["signature"]})
        events += [{"type": "content_block_delta", "index": index, "delta": given} for given in told]
        events.append({"type": "content_block_stop", "index": index})
    ended = {"stop_reason": reply["stop_reason"], "stop_sequence": reply["stop_sequence"]}
    return [*events, {"type": "message_delta", "delta": ended, "usage": reply["usage"]}, {"type": "message_stop"}]


_STREAMED: Mapping[Mode, Callable[[Json, random.Random], list[Json]]] = {
    "chat": _chat_stream,
    "responses": _responses_stream,
    "messages": _messages_stream,
}
