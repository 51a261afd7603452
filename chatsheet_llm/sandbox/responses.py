"""Responses: reads a request body, and writes an answer as JSON or as events.  Chooses no words."""

from __future__ import annotations

import base64
import secrets
import time

from chatsheet_llm.sandbox.answers import Answer, Ask, Tool, Usage
from chatsheet_llm.sandbox.chat import PROMPT_SAFE, SAFE, Style, filter_results
from chatsheet_llm.sandbox.shapes import DONE, Event, Json, Malformed, flat_text, new_id, obj, objs, pieces, text, whole

_RESULTS = ("function_call_output", "custom_tool_call_output")
_ECHOED: tuple[tuple[str, object], ...] = (
    ("instructions", None),
    ("max_output_tokens", None),
    ("max_tool_calls", None),
    ("metadata", {}),
    ("parallel_tool_calls", True),
    ("previous_response_id", None),
    ("prompt_cache_key", None),
    ("safety_identifier", None),
    ("store", True),
    ("temperature", 1.0),
    ("tool_choice", "auto"),
    ("tools", []),
    ("top_logprobs", 0),
    ("top_p", 1.0),
    ("truncation", "disabled"),
    ("user", None),
)
"""Fields of a request that a response repeats, and what it says when they were not sent."""


def read(body: Json) -> Ask:
    """Return what a Responses body asks for.  Raises Malformed without input."""
    given = body.get("input")
    if not given and not body.get("previous_response_id"):
        raise Malformed("Missing required parameter: 'input'.", param="input", code="missing_required_parameter")
    items: list[Json] = [{"role": "user", "content": given}] if isinstance(given, str) else objs(given)
    last = max((at for at, item in enumerate(items) if item.get("role") == "user"), default=-1)
    tools, forced = _tools(body)
    shape = obj(obj(body.get("text")).get("format"))
    words = [text(body.get("instructions")), *(flat_text(item.get("content") or item.get("output")) for item in items)]
    return Ask(
        model=text(body.get("model")),
        user=flat_text(items[last].get("content")) if last >= 0 else "",
        prompt_words=sum(len(pieces(part)) for part in words),
        tools=tools,
        forced=forced,
        parallel=body.get("parallel_tool_calls") is not False,
        results=tuple(flat_text(item.get("output")) for item in items[last + 1 :] if item.get("type") in _RESULTS),
        schema=obj(shape.get("schema")) if shape.get("type") == "json_schema" else None,
        json_object=shape.get("type") == "json_object",
        effort=text(obj(body.get("reasoning")).get("effort")) or None,
        max_tokens=whole(body.get("max_output_tokens")),
    )


def _tools(body: Json) -> tuple[tuple[Tool, ...], tuple[str, ...]]:
    """Return the tools the model may call (no hosted one is called here), and the names it must choose from."""
    tools = tuple(
        Tool(text(item.get("name")), obj(item.get("parameters")), item.get("type") == "custom")
        for item in objs(body.get("tools"))
        if item.get("type") in ("function", "custom")
    )
    choice = body.get("tool_choice")
    if choice == "none":
        return (), ()
    if choice == "required":
        return tools, tuple(tool.name for tool in tools)
    wanted = obj(choice)
    if wanted.get("type") == "allowed_tools":
        names = tuple(text(item.get("name")) for item in objs(wanted.get("tools")))
        kept = tuple(tool for tool in tools if tool.name in names)
        return kept, names if wanted.get("mode") == "required" else ()
    return tools, (text(wanted.get("name")),) if wanted.get("name") else ()


def seal(role: str) -> str:
    """Return encrypted reasoning as only ``role`` can read it again."""
    return "gAAAAA" + base64.urlsafe_b64encode(f"sandbox/{role}/{secrets.token_hex(24)}".encode()).decode()


def foreign_seal(body: Json, role: str) -> str | None:
    """Return the first encrypted reasoning in the input that another role (or nobody) sealed, or None."""
    for item in objs(body.get("input")):
        sealed = item.get("encrypted_content")
        if not isinstance(sealed, str):
            continue
        try:
            plain = base64.urlsafe_b64decode(sealed.removeprefix("gAAAAA").encode()).decode()
        except ValueError:
            return sealed
        if not plain.startswith(f"sandbox/{role}/"):
            return sealed
    return None


def usage_json(usage: Usage) -> Json:
    """Return usage in Responses' words."""
    return {
        "input_tokens": usage.prompt,
        "input_tokens_details": {"cache_write_tokens": 0, "cached_tokens": 0},
        "output_tokens": usage.completion,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning},
        "total_tokens": usage.total,
    }


def whole_reply(given: Answer, ask: Ask, body: Json, style: Style) -> Json:
    """Return the answer as a finished ``response`` object: completed, or incomplete when it was cut."""
    return _finished(_opening(ask, body, style), _items(given, body, style), given, style)


def failed_reply(ask: Ask, body: Json, style: Style, *, code: str, message: str) -> Json:
    """Return a response whose ``status`` is failed, with the error in it."""
    return {**_opening(ask, body, style), "status": "failed", "error": {"code": code, "message": message}}


def queued_reply(finished: Json) -> Json:
    """Return a background response as it is before it ran."""
    blank: Json = {"status": "queued", "output": [], "usage": None, "completed_at": None, "incomplete_details": None}
    return {**finished, **blank}


def _opening(ask: Ask, body: Json, style: Style) -> Json:
    """The response object while it is in progress."""
    reasoning = obj(body.get("reasoning"))
    shape = obj(body.get("text"))
    # the proxy wraps the id of its upstream into one of its own
    identity = f"resp_{secrets.token_urlsafe(288)}" if style.dialect == "litellm" else new_id("resp_")
    opening: Json = {
        "id": identity,
        "object": "response",
        "created_at": int(time.time()),
        "status": "in_progress",
        "background": body.get("background") is True,
        "completed_at": None,
        "error": None,
        "incomplete_details": None,
        "model": style.model,
        "output": [],
        **{name: body[name] if body.get(name) is not None else default for name, default in _ECHOED},
        "reasoning": {"effort": ask.effort, "summary": reasoning.get("summary")},
        "service_tier": "auto",
        "text": {"format": shape.get("format") or {"type": "text"}, "verbosity": shape.get("verbosity") or "medium"},
        "usage": None,
    }
    if style.azure:
        opening["content_filters"] = None
    return opening


def _finished(opening: Json, output: list[Json], given: Answer, style: Style) -> Json:
    cut = {"length": "max_output_tokens", "content_filter": "content_filter"}.get(given.finish)
    done: Json = {
        **opening,
        "status": "incomplete" if cut else "completed",
        "completed_at": None if cut else int(time.time()),
        "incomplete_details": {"reason": cut} if cut else None,
        "output": output,
        "service_tier": "default",
        "usage": usage_json(given.usage),
    }
    if style.azure:
        spoken = sum(len(text(part.get("text"))) for item in output for part in objs(item.get("content")))
        done["content_filters"] = [
            _judgement("prompt", PROMPT_SAFE, end=given.usage.prompt, blocked=False),
            _judgement("completion", filter_results(given) or SAFE, end=spoken, blocked=cut == "content_filter"),
        ]
    return done


def _judgement(source: str, results: Json, *, end: int, blocked: bool) -> Json:
    """Azure's content filter on one side of the exchange."""
    return {
        "blocked": blocked,
        "source_type": source,
        "content_filter_raw": [],
        "content_filter_results": results,
        "content_filter_offsets": {"start_offset": 0, "end_offset": end, "check_offset": 0},
    }


def _items(given: Answer, body: Json, style: Style) -> list[Json]:
    """The output items, whole."""
    items: list[Json] = []
    if given.reasoning is not None:
        asked = obj(body.get("reasoning")).get("summary") or obj(body.get("reasoning")).get("generate_summary")
        reasoning: Json = {"id": new_id("rs_"), "type": "reasoning", "summary": []}
        if asked:
            reasoning["summary"] = [{"type": "summary_text", "text": given.reasoning}]
        include = body.get("include")
        if isinstance(include, list) and "reasoning.encrypted_content" in include:
            reasoning["encrypted_content"] = seal(style.dialect)
        items.append(reasoning)
    for call in given.tool_calls:
        kind, prefix, field = (
            ("custom_tool_call", "ctc_", "input") if call.custom else ("function_call", "fc_", "arguments")
        )
        item: Json = {"id": new_id(prefix), "type": kind, "status": "completed", "call_id": call.id, "name": call.name}
        items.append({**item, field: call.arguments})
    if not given.tool_calls:
        status = "incomplete" if given.finish in ("length", "content_filter") else "completed"
        part: Json = {"type": "output_text", "text": given.text, "annotations": [], "logprobs": []}
        if given.refusal is not None:
            part = {"type": "refusal", "refusal": given.refusal}
        items.append(
            {"id": new_id("msg_"), "type": "message", "status": status, "role": "assistant", "content": [part]}
        )
    return items


def events(given: Answer, ask: Ask, body: Json, style: Style) -> list[Event]:
    """Return the answer as the events of a stream; LiteLLM's has no ``event:`` lines, and a ``[DONE]`` at the end."""
    opening = _opening(ask, body, style)
    output = _items(given, body, style)
    bare: list[tuple[str, Json, bool]] = [
        (f"response.{step}", {"response": opening}, False) for step in ("created", "in_progress")
    ]
    for index, item in enumerate(output):
        bare.extend(_item_events(index, item))
    final = _finished(opening, output, given, style)
    bare.append((f"response.{final['status']}", {"response": final}, False))
    return number(bare, style)


def number(bare: list[tuple[str, Json, bool]], style: Style) -> list[Event]:
    """Return (type, fields, is content) as events with their sequence numbers, in the role's dialect."""
    proxy = style.dialect == "litellm"
    made = [
        Event(
            {"type": kind, "sequence_number": at, **fields, **({"model": style.model} if proxy else {})},
            name=None if proxy else kind,
            content=content,
        )
        for at, (kind, fields, content) in enumerate(bare)
    ]
    return [*made, DONE] if proxy else made


def _item_events(index: int, item: Json) -> list[tuple[str, Json, bool]]:
    at: Json = {"item_id": item["id"], "output_index": index}
    made: list[tuple[str, Json, bool]] = []

    def add(kind: str, fields: Json, *, content: bool = False) -> None:
        padding: Json = {"obfuscation": secrets.token_urlsafe(4)} if kind.endswith(".delta") else {}
        made.append((f"response.{kind}", {**fields, **padding}, content))

    kind = item["type"]
    empty: Json = {"summary": []} if kind == "reasoning" else {"status": "in_progress"}
    empty |= {"content": []} if kind == "message" else {}
    empty |= {name: "" for name in ("arguments", "input") if name in item}
    add("output_item.added", {"output_index": index, "item": {**item, **empty}})
    if kind == "reasoning":
        for place, part in enumerate(objs(item["summary"])):
            here = {**at, "summary_index": place}
            add("reasoning_summary_part.added", {**here, "part": {**part, "text": ""}})
            for piece in pieces(text(part["text"])):
                add("reasoning_summary_text.delta", {**here, "delta": piece})
            add("reasoning_summary_text.done", {**here, "text": part["text"]})
            add("reasoning_summary_part.done", {**here, "part": part})
    elif kind == "message":
        for place, part in enumerate(objs(item["content"])):
            here = {**at, "content_index": place}
            name, field = ("refusal", "refusal") if part["type"] == "refusal" else ("output_text", "text")
            logprobs: Json = {"logprobs": []} if field == "text" else {}
            add("content_part.added", {**here, "part": {**part, field: ""}})
            for piece in pieces(text(part[field])):
                add(f"{name}.delta", {**here, "delta": piece, **logprobs}, content=True)
            add(f"{name}.done", {**here, field: part[field], **logprobs})
            add("content_part.done", {**here, "part": part})
    else:
        name, field = (
            ("custom_tool_call_input", "input")
            if kind == "custom_tool_call"
            else ("function_call_arguments", "arguments")
        )
        for piece in pieces(text(item[field])):
            add(f"{name}.delta", {**at, "delta": piece}, content=True)
        add(f"{name}.done", {**at, field: item[field]})
    add("output_item.done", {"output_index": index, "item": item})
    return made
