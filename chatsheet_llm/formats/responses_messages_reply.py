"""Messages reply -> Responses reply.  Attaches and lists what Responses has no place for; throws nothing away."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from types import MappingProxyType

from chatsheet_llm.formats.errors import FormatError, mapping, named, objects, string
from chatsheet_llm.formats.ledger import Ledger, Object, is_nothing
from chatsheet_llm.formats.seals import open_reasoning, seal_thinking
from chatsheet_llm.formats.shapes import integer, says_something
from chatsheet_llm.route import Loss

INCOMPLETE: Mapping[str, str] = MappingProxyType(
    {
        "max_tokens": "max_output_tokens",
        "model_context_window_exceeded": "max_output_tokens",
        "refusal": "content_filter",
    }
)
"""Stop reason of an answer that was cut off -> why the Response is incomplete."""

COMPLETE = frozenset({"end_turn", "stop_sequence", "tool_use"})
"""Stop reasons of a whole answer.  One in neither table is itself the reason why the Response is incomplete."""

SERVICE_TIERS: Mapping[str, str] = MappingProxyType({"standard": "default", "priority": "priority"})

ITEM_KINDS: Mapping[str, str] = MappingProxyType(
    {"text": "message", "thinking": "reasoning", "redacted_thinking": "reasoning", "tool_use": "function_call"}
)
"""Type of a content block -> the output item that it becomes.  Any other block is an item of its own type."""

BLOCK_ID = "block_"
"""How the id begins that a block without one has while it is an output item, where every item needs one."""

_PREFIXES: Mapping[str, str] = {"message": "msg_", "reasoning": "rs_", "function_call": "fc_"}

_MESSAGE_FIELDS = frozenset({"id", "type", "role", "model", "content", "stop_reason", "usage"})
_COUNTS = frozenset({"cache_creation_input_tokens", "cache_read_input_tokens", "input_tokens", "output_tokens"})
_NEUTRAL: Mapping[str, object] = {"inference_geo": "not_available", "speed": "standard", "caller": {"type": "direct"}}
"""Values that say what their absence says."""


def messages_to_responses_reply(
    reply: Mapping[str, object], places: dict[str, str] | None = None
) -> tuple[dict[str, object], list[Loss]]:
    """Return the Response that says what a Message says, and what it had to attach.

    Consecutive text blocks are the parts of one message; thinking is a reasoning item that holds its seal; a block
    without a form in Responses is an output item of its own type.  ``created_at`` is 0, as a Message has no time.
    Attached extras that the SDK keeps: on the Response ``stop_reason`` where its status does not tell,
    ``stop_sequence``, ``stop_details``, ``container`` and any other field; on ``usage`` what Responses does not count;
    on an annotation the rest of its citation; on an item or part any other field of its block.  Each that says
    something is listed as a loss.

    An item has an id made of the message's id and the number of its first block, so that a reply and its stream agree.
    Raises FormatError for what is no Message.
    """
    if reply.get("type", "message") != "message" or reply.get("role", "assistant") != "assistant":
        raise FormatError("type", f"{named(reply.get('type'))} of {named(reply.get('role'))} is not an answer")
    ledger = Ledger("responses")
    places = {} if places is None else places
    response = opening(reply)
    blocks = objects(reply.get("content"), "content")
    items = _items(blocks, str(response["id"]), ledger, places)
    reason = _incomplete_reason(reply.get("stop_reason"), ledger)
    response |= {"status": "incomplete" if reason else "completed", "output": items}
    if reason:
        response["incomplete_details"] = {"reason": reason}
        places |= dict.fromkeys(("incomplete_details", "incomplete_details.reason", "status"), "stop_reason")
        if items and items[-1]["type"] in ("message", "function_call"):
            items[-1]["status"] = "incomplete"
    calls = any(block.get("type") == "tool_use" for _, block in blocks)
    _attach_stop_reason(response, reply, reason, ledger, calls=calls)
    attach(response, reply, _MESSAGE_FIELDS, "", ledger)
    if reply.get("usage") is not None:
        usage = mapping(reply["usage"], "usage")
        tier = usage.get("service_tier")
        if isinstance(tier, str) and tier in SERVICE_TIERS:
            response["service_tier"] = SERVICE_TIERS[tier]
        response["usage"] = _usage(usage, ledger, {"service_tier"} & response.keys())
        places |= _USAGE_PLACES
    return response, ledger.losses


def opening(message: Mapping[str, object]) -> Object:
    """The Response to a message that has only begun: who answers, and neutral values for what repeats a request."""
    given_id, model = message.get("id"), message.get("model")
    return {
        "id": given_id if isinstance(given_id, str) else "",
        "object": "response",
        "created_at": 0,
        "status": "in_progress",
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "metadata": {},
        "model": model if isinstance(model, str) else "",
        "output": [],
        "parallel_tool_calls": True,
        "temperature": None,
        "tool_choice": "auto",
        "tools": [],
        "top_p": None,
        "usage": None,
    }


def item_id(kind: str, message_id: str, number: int) -> str:
    """The id of the output item that begins with content block ``number`` of a message."""
    return f"{_PREFIXES.get(kind, BLOCK_ID)}{message_id.removeprefix('msg_')}_{number}"


def block_of(item: Mapping[str, object]) -> Object:
    """The content block that an output item of its own type is: without the id that only the item has."""
    added = str(item.get("id")).startswith(BLOCK_ID)
    return {name: value for name, value in item.items() if not (added and name == "id")}


def message_item(identity: str, status: str, parts: list[Object]) -> Object:
    """The message that holds these parts."""
    return {"id": identity, "type": "message", "role": "assistant", "status": status, "content": parts}


def text_part(block: Mapping[str, object], path: str, ledger: Ledger) -> Object:
    """The part for a text block.  Its citations hold for the whole text: a block ends where its sources change."""
    text = string(block, "text", path)
    cited = objects(block.get("citations") or [], f"{path}.citations")
    notes = [_annotation(citation, len(text), at, ledger) for at, citation in cited]
    part: Object = {"type": "output_text", "text": text, "annotations": notes, "logprobs": []}
    attach(part, block, ("type", "text", "citations"), path, ledger)
    return part


def reasoning_item(
    block: Mapping[str, object], identity: str, path: str, ledger: Ledger, *, unseal: bool = True
) -> Object:
    """The reasoning item for a block of thinking; with ``unseal``, the very item that one was made of."""
    if block["type"] == "redacted_thinking":
        seal = seal_thinking("redacted_thinking", string(block, "data", path))
        item: Object = {"id": identity, "type": "reasoning", "summary": [], "encrypted_content": seal}
        attach(item, block, ("type", "data"), path, ledger)
        return item
    if unseal and (home := open_reasoning(block.get("signature"))) is not None:
        return home
    # Without a signature there is no proof to bring back, yet the text is still thinking.
    seal = seal_thinking("thinking", string({"signature": "", **block}, "signature", path))
    text = string(block, "thinking", path)
    summary = [{"type": "summary_text", "text": text}] if text else []
    item = {"id": identity, "type": "reasoning", "summary": summary, "encrypted_content": seal}
    attach(item, block, ("type", "thinking", "signature"), path, ledger)
    return item


def call_item(block: Mapping[str, object], identity: str, status: str, path: str, ledger: Ledger) -> Object:
    """The function call for a tool_use block."""
    item: Object = {
        "id": identity,
        "type": "function_call",
        "status": status,
        "call_id": string(block, "id", path),
        "name": string(block, "name", path),
        "arguments": json_text(block.get("input")),
    }
    carried = {"type", "id", "name", "input", *(("caller",) if block.get("caller") == _NEUTRAL["caller"] else ())}
    attach(item, block, carried, path, ledger)
    return item


def own_item(block: Mapping[str, object], identity: str, path: str, ledger: Ledger) -> Object:
    """The output item for a block that Responses does not have: the block, with an id if it has none."""
    ledger.lose(path, f"Responses has no output {named(block.get('type'))}, it is an item of that type")
    return {"id": identity, **block}


def json_text(value: object) -> str:
    """The arguments of a call as Responses has them; no input is an empty object."""
    return json.dumps({} if value is None else value, ensure_ascii=False, separators=(",", ":"))


def attach(target: Object, given: Mapping[str, object], carried: Collection[str], path: str, ledger: Ledger) -> None:
    """Put every field that was not carried onto ``target`` under its own name, and list what says something."""
    for name, value in given.items():
        if name in carried or is_nothing(value):
            continue
        key = f"messages_{name}" if name in target else name
        target[key] = value
        if says_something(value) and value != _NEUTRAL.get(name):
            at = f"{path}.{name}" if path else name
            ledger.lose(at, f"Responses has no place for {name!r} here, attached as {key!r}")


def _items(
    blocks: list[tuple[str, Mapping[str, object]]], message_id: str, ledger: Ledger, places: dict[str, str]
) -> list[Object]:
    items: list[Object] = []
    parts: list[Object] = []
    for number, (path, block) in enumerate(blocks):
        kind = string(block, "type", path)
        wanted = ITEM_KINDS.get(kind, "")
        identity = item_id(wanted, message_id, number)
        if kind != "text":
            made = _made(wanted, block, identity, path, ledger)
            items.append(made)
            places[f"output[{len(items) - 1}]"] = path
            continue
        if number == 0 or blocks[number - 1][1].get("type") != "text":
            parts = []
            items.append(message_item(identity, "completed", parts))
            places[f"output[{len(items) - 1}]"] = path
        at = f"output[{len(items) - 1}].content[{len(parts)}]"
        places |= {at: path, f"{at}.annotations": f"{path}.citations"}
        parts.append(text_part(block, path, ledger))
    return items


def _made(wanted: str, block: Mapping[str, object], identity: str, path: str, ledger: Ledger) -> Object:
    if wanted == "reasoning":
        return reasoning_item(block, identity, path, ledger)
    if wanted == "function_call":
        return call_item(block, identity, "completed", path, ledger)
    return own_item(block, identity, path, ledger)


def _annotation(citation: Mapping[str, object], end: int, path: str, ledger: Ledger) -> Object:
    kind = citation.get("type")
    url, title = citation.get("url"), citation.get("title")
    if kind != "web_search_result_location" or not isinstance(url, str):
        ledger.lose(path, f"Responses has no annotation {named(kind)}, attached as one of that type")
        return dict(citation)
    note: Object = {"type": "url_citation", "start_index": 0, "end_index": end, "url": url, "title": title or ""}
    attach(note, citation, ("type", "url", "title"), path, ledger)
    return note


def _incomplete_reason(stop_reason: object, ledger: Ledger) -> str | None:
    """Why the answer is not whole; None where it is, or where nothing was said."""
    if stop_reason is None:
        ledger.lose("stop_reason", "it did not come, so the answer is taken for a whole one")
        return None
    if not isinstance(stop_reason, str):
        raise FormatError("stop_reason", f"must be a string, not {named(stop_reason)}")
    if stop_reason in COMPLETE:
        return None
    if stop_reason not in INCOMPLETE:
        ledger.lose("stop_reason", f"Responses has no {named(stop_reason)}, it is the reason of an incomplete answer")
    return INCOMPLETE.get(stop_reason, stop_reason)


def _attach_stop_reason(
    response: Object, reply: Mapping[str, object], reason: str | None, ledger: Ledger, *, calls: bool
) -> None:
    """Attach the stop reason where the Response itself does not tell it."""
    told = {"max_output_tokens": "max_tokens", "content_filter": "refusal", None: "tool_use" if calls else "end_turn"}
    if reason is None and reply.get("stop_sequence") is not None:
        told[None] = "stop_sequence"
    stop_reason = reply.get("stop_reason")
    if stop_reason is not None and told.get(reason, reason) != stop_reason:
        response["stop_reason"] = stop_reason
        ledger.lose("stop_reason", f"Responses has no stop reason {named(stop_reason)}, attached as 'stop_reason'")


def _usage(usage: Mapping[str, object], ledger: Ledger, carried: Collection[str]) -> Object:
    # The SDK's Message.usage: "Total input tokens in a request is the summation of `input_tokens`,
    # `cache_creation_input_tokens`, and `cache_read_input_tokens`."  Responses counts all three as input_tokens.
    written, read = integer(usage.get("cache_creation_input_tokens")), integer(usage.get("cache_read_input_tokens"))
    prompt = integer(usage.get("input_tokens")) + written + read
    answer = integer(usage.get("output_tokens"))
    details = mapping(usage.get("output_tokens_details") or {}, "usage.output_tokens_details")
    thought: Object = {"reasoning_tokens": integer(details.get("thinking_tokens"))}
    attach(thought, details, ("thinking_tokens",), "usage.output_tokens_details", ledger)
    counted: Object = {
        "input_tokens": prompt,
        "input_tokens_details": {"cached_tokens": read, "cache_write_tokens": written},
        "output_tokens": answer,
        "output_tokens_details": thought,
        "total_tokens": prompt + answer,
    }
    attach(counted, usage, {*_COUNTS, "output_tokens_details", *carried}, "usage", ledger)
    return counted


_USAGE_PLACES: Mapping[str, str] = {
    "service_tier": "usage.service_tier",
    "usage.input_tokens_details.cached_tokens": "usage.cache_read_input_tokens",
    "usage.input_tokens_details.cache_write_tokens": "usage.cache_creation_input_tokens",
    "usage.output_tokens_details.reasoning_tokens": "usage.output_tokens_details.thinking_tokens",
}
