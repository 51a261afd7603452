"""Responses reply -> Messages reply.  Attaches and lists what Messages has no place for; throws nothing away."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping
from types import MappingProxyType

from chatsheet_llm.formats.errors import FormatError, mapping, named, objects, string
from chatsheet_llm.formats.ledger import Ledger, Object, is_nothing
from chatsheet_llm.formats.responses_messages_reply import SERVICE_TIERS, block_of
from chatsheet_llm.formats.seals import REASONING_BREAK, open_thinking, seal_reasoning
from chatsheet_llm.formats.shapes import integer, says_something
from chatsheet_llm.formats.tables import CALL_KINDS, REQUEST_ECHO
from chatsheet_llm.route import Loss

INCOMPLETE_REASONS: Mapping[str, str] = MappingProxyType(
    {
        "compaction": "compaction",
        "content_filter": "refusal",
        "max_output_tokens": "max_tokens",
        "pause_turn": "pause_turn",
    }
)
"""Why a Response is incomplete -> the stop reason of Messages.  Any other is ``max_tokens``, listed as a loss."""

MESSAGES_TIERS: Mapping[str, str] = MappingProxyType({theirs: ours for ours, theirs in SERVICE_TIERS.items()})

CITATIONS = frozenset(
    {
        *("char_location", "content_block_location", "page_location", "search_result_location"),
        "web_search_result_location",
    }
)
"""Annotations that are citations of Messages."""

OWN_BLOCKS = frozenset({"mcp_tool_use", "server_tool_use"})
"""Blocks of Messages with an id of their own.  Those without one are known by the id that they have as an item."""

_MESSAGE_FIELDS = frozenset({"container", "context_management", "diagnostics", "stop_details", "stop_sequence"})
_USAGE_FIELDS = frozenset({"cache_creation", "inference_geo", "iterations", "server_tool_use", "service_tier", "speed"})
_CALL_FIELDS = frozenset({"caller", "toolset_name"})
"""Fields of Messages itself, under which the bridge to Responses attaches what Responses has no place for."""

_READ = frozenset(
    {
        *("created_at", "id", "incomplete_details", "model", "output", "service_tier", "status", "stop_reason"),
        "usage",
    }
)
_COUNTED = frozenset({"input_tokens", "input_tokens_details", "output_tokens", "output_tokens_details", "total_tokens"})


def responses_to_messages_reply(reply: Mapping[str, object]) -> tuple[dict[str, object], list[Loss]]:
    """Return the Message that says what a finished Response says, and what it had to attach.

    Each part of a message is a text block, reasoning is a thinking block that holds its seal, an item without a form
    in Messages is a block of its own type.  Ids and states of messages and calls only name the item; they stay behind.
    Counts that did not come are 0, as Messages requires them.

    Attached extras that the SDK keeps: on a text block ``annotations``, ``logprobs`` and ``phase``; on a ``tool_use``
    block ``namespace``, ``async`` and ``responses_caller``; on ``usage`` any other count; on the Message
    ``response_fields``.  Each is listed as a loss, except the time in ``response_fields``, which every reply has.

    Raises FormatError for what is no finished Response: failed, cancelled or still running ones, and other bodies.
    """
    status = reply.get("status")
    if status not in (None, "completed", "incomplete"):
        raise FormatError("status", f"{named(status)} is not a finished answer")
    ledger = Ledger("messages")
    items = objects(reply.get("output"), "output")
    message = opening(reply)
    message["content"] = [block for path, item in items for block in blocks_of(item, path, ledger)]
    fields = mapping(message.pop("response_fields", {}), "")
    late = {name: value for name, value in reply.items() if name not in _READ | REQUEST_ECHO | _MESSAGE_FIELDS}
    stop_reason = _stop_reason(reply, [item for _, item in items])
    message |= {"stop_reason": stop_reason, "stop_sequence": None}
    message |= {name: reply[name] for name in reply if name in _MESSAGE_FIELDS and not is_nothing(reply[name])}
    if status is None and not _is_cut(reply) and reply.get("stop_reason") is None:
        ledger.lose("status", "it did not come, so the answer is taken for a whole one")
    if _is_cut(reply) and reply.get("stop_reason") is None:
        reason = _incomplete_reason(reply)
        if reason not in INCOMPLETE_REASONS or INCOMPLETE_REASONS[reason] != stop_reason:
            late["incomplete_details"] = reply.get("incomplete_details") or {"reason": None}
    tier = reply.get("service_tier")
    known = MESSAGES_TIERS.get(tier) if isinstance(tier, str) else None
    if known is None:
        late["service_tier"] = tier
    message["usage"] = _usage(reply.get("usage"), known, ledger)
    late = {name: value for name, value in late.items() if not is_nothing(value) or name == "incomplete_details"}
    for name in (name for name, value in late.items() if says_something(value) or name == "incomplete_details"):
        at = "incomplete_details.reason" if name == "incomplete_details" else name
        ledger.lose(at, f"Messages has no place for it, attached as response_fields[{name!r}]")
    if late or fields:
        message["response_fields"] = {**fields, **late}
    return message, ledger.losses


def opening(reply: Mapping[str, object]) -> Object:
    """The Message to a Response that has only begun."""
    given_id, model, created = reply.get("id"), reply.get("model"), reply.get("created_at")
    message: Object = {
        "id": given_id if isinstance(given_id, str) else "",
        "type": "message",
        "role": "assistant",
        "model": model if isinstance(model, str) else "",
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": _usage(reply.get("usage") or {}, None, Ledger("messages")),
    }
    return message | ({"response_fields": {"created_at": created}} if created else {})


def blocks_of(item: Mapping[str, object], path: str, ledger: Ledger) -> list[Object]:
    """The content blocks for one output item: one, but for a message one for each part."""
    kind = item.get("type")
    make = _ITEMS.get(kind, _own_block) if isinstance(kind, str) else _own_block
    return make(item, path, ledger)


def call_input(text: str) -> Object | None:
    """The arguments of a call as the object that Messages wants; None for text that is not one.  No text is empty."""
    try:
        value = json.loads(text) if text.strip() else {}
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def _message(item: Mapping[str, object], path: str, ledger: Ledger) -> list[Object]:
    if item.get("role", "assistant") != "assistant":
        return _own_block(item, path, ledger)
    blocks = [_part(part, at, ledger) for at, part in objects(item.get("content") or [], f"{path}.content")]
    extras = {name: value for name, value in item.items() if name not in ("content", "id", "role", "status", "type")}
    for block in blocks:
        _attach(block, extras, (), path, Ledger("messages"))
    _attach({}, extras, (), path, ledger)
    return blocks


def _part(part: Mapping[str, object], path: str, ledger: Ledger) -> Object:
    kind = part.get("type")
    if kind == "refusal":
        ledger.lose(path, "Messages has no refusal part, it is a text and the stop reason is 'refusal'")
        block: Object = {"type": "text", "text": string(part, "refusal", path)}
        _attach(block, part, ("type", "refusal"), path, ledger)
        return block
    if kind != "output_text":
        ledger.lose(path, f"Messages has no content {named(kind)}, it is a block of that type")
        return dict(part)
    text = string(part, "text", path)
    block = {"type": "text", "text": text}
    citations: list[Object] = []
    others: list[Object] = []
    for at, note in objects(part.get("annotations") or [], f"{path}.annotations"):
        citation = _citation(note, len(text), at, ledger)
        if citation is not None:
            citations.append(citation)
        else:
            others.append(dict(note))
            ledger.lose(at, f"Messages has no citation for this {named(note.get('type'))}, attached to its block")
    if citations:
        block["citations"] = citations
    if others:
        block["annotations"] = others
    _attach(block, part, ("type", "text", "annotations"), path, ledger)
    return block


def _citation(note: Mapping[str, object], end: int, path: str, ledger: Ledger) -> Object | None:
    """The citation for an annotation; None where Messages requires more than the annotation says."""
    kind = note.get("type")
    if isinstance(kind, str) and kind in CITATIONS:
        return dict(note)
    required = {name: note.get(name) for name in ("cited_text", "encrypted_index", "url")}
    if kind != "url_citation" or not all(isinstance(value, str) for value in required.values()):
        return None
    citation = {"type": "web_search_result_location", **required, "title": note.get("title") or None}
    whole = (note.get("start_index"), note.get("end_index")) == (0, end)
    _attach(
        citation, note, {"type", "title", *required, *(("start_index", "end_index") if whole else ())}, path, ledger
    )
    return citation


def _reasoning(item: Mapping[str, object], path: str, ledger: Ledger) -> list[Object]:
    texts = [
        string(part, "text", at)
        for field in ("summary", "content")
        for at, part in objects(item.get(field) or [], f"{path}.{field}")
    ]
    thinking = REASONING_BREAK.join(filter(None, texts))
    sealed = open_thinking(item.get("encrypted_content"))
    if sealed is None:
        return [{"type": "thinking", "thinking": thinking, "signature": seal_reasoning(item)}]
    kind, secret = sealed
    block: Object = {"type": kind, "thinking": thinking, "signature": secret}
    if kind == "redacted_thinking":
        block = {"type": kind, "data": secret}
    _attach(block, item, ("id", "type", "status", "summary", "content", "encrypted_content"), path, ledger)
    return [block]


def _function_call(item: Mapping[str, object], path: str, ledger: Ledger) -> list[Object]:
    text = string(item, "arguments", path)
    given = call_input(text)
    if given is None:
        ledger.lose(f"{path}.arguments", "it is no JSON object, attached as input['arguments']")
        given = {"arguments": text}
    return [_call(item, "arguments", given, path, ledger)]


def _custom_call(item: Mapping[str, object], path: str, ledger: Ledger) -> list[Object]:
    ledger.lose(path, "Messages has no call of a custom tool, it is a call whose input holds the text as 'input'")
    return [_call(item, "input", {"input": string(item, "input", path)}, path, ledger)]


def _call(item: Mapping[str, object], carried: str, given: Object, path: str, ledger: Ledger) -> Object:
    block: Object = {
        "type": "tool_use",
        "id": string(item, "call_id", path),
        "name": string(item, "name", path),
        "input": given,
    }
    extras = {name: value for name, value in item.items() if name not in ("id", "type", "status", "call_id", carried)}
    caller = extras.get("caller")
    if isinstance(caller, Mapping) and caller.get("type") == "program":
        # Messages has callers too, and the SDK reads them by their type.
        extras["responses_caller"] = extras.pop("caller")
    _attach(block, extras, ("name",), path, ledger, own=_CALL_FIELDS)
    return block


def _own_block(item: Mapping[str, object], path: str, ledger: Ledger) -> list[Object]:
    block = block_of(item)
    if block == item and item.get("type") not in tuple(OWN_BLOCKS):
        ledger.lose(path, f"Messages has no content {named(item.get('type'))}, it is a block of that type")
    return [block]


_ITEMS: Mapping[str, Callable[[Mapping[str, object], str, Ledger], list[Object]]] = {
    "message": _message,
    "reasoning": _reasoning,
    "function_call": _function_call,
    "custom_tool_call": _custom_call,
}


def _attach(
    target: Object,
    given: Mapping[str, object],
    carried: Collection[str],
    path: str,
    ledger: Ledger,
    own: Collection[str] = (),
) -> None:
    """Put what was not carried onto ``target`` and list what says something, but for what Messages itself has."""
    for name, value in given.items():
        if name in carried or is_nothing(value):
            continue
        home = name.removeprefix("messages_")
        key = f"responses_{name}" if name in target else home
        target[key] = value
        if name not in own and name == home and says_something(value):
            at = f"{path}.{name.removeprefix('responses_')}"
            ledger.lose(at, f"Messages has no place for {name!r} here, attached as {key!r}")


def _stop_reason(reply: Mapping[str, object], items: list[Mapping[str, object]]) -> str:
    given = reply.get("stop_reason")
    if isinstance(given, str):
        return given
    parts = [
        part for item in items if item.get("type") == "message" for _, part in objects(item.get("content") or [], "")
    ]
    if any(part.get("type") == "refusal" for part in parts):
        return "refusal"
    if _is_cut(reply):
        return INCOMPLETE_REASONS.get(_incomplete_reason(reply), "max_tokens")
    if reply.get("stop_sequence") is not None:
        return "stop_sequence"
    return "tool_use" if any(item.get("type") in tuple(CALL_KINDS) for item in items) else "end_turn"


def _is_cut(reply: Mapping[str, object]) -> bool:
    """Whether the answer is not whole: by its status, or, where that did not come, by a reason."""
    status = reply.get("status")
    return status == "incomplete" or (status is None and _incomplete_reason(reply) != "")


def _incomplete_reason(reply: Mapping[str, object]) -> str:
    details = reply.get("incomplete_details")
    reason = details.get("reason") if isinstance(details, Mapping) else None
    return reason if isinstance(reason, str) else ""


def _usage(given: object, tier: str | None, ledger: Ledger) -> Object:
    """The token counts by Messages' names, which counts what came from the cache and went there apart."""
    if given is None:
        ledger.lose("usage", "it did not come, and Messages requires one: these are zeros")
    usage = mapping({} if given is None else given, "usage")
    asked = mapping(usage.get("input_tokens_details") or {}, "usage.input_tokens_details")
    answered = mapping(usage.get("output_tokens_details") or {}, "usage.output_tokens_details")
    read, written = integer(asked.get("cached_tokens")), integer(asked.get("cache_write_tokens"))
    total, answer = integer(usage.get("input_tokens")), integer(usage.get("output_tokens"))
    if total < read + written:
        ledger.lose("usage.input_tokens", "fewer than the cached ones that it should include, so none is left apart")
    counted: Object = {
        "input_tokens": max(total - read - written, 0),
        "cache_creation_input_tokens": written,
        "cache_read_input_tokens": read,
        "output_tokens": answer,
    }
    if tier is not None:
        counted["service_tier"] = tier
    rest: Object = {}
    _attach(rest, asked, ("cached_tokens", "cache_write_tokens"), "usage.input_tokens_details", ledger)
    if says_something(rest):
        counted["input_tokens_details"] = rest
    if answered:
        thought: Object = {"thinking_tokens": integer(answered.get("reasoning_tokens"))}
        _attach(thought, answered, ("reasoning_tokens",), "usage.output_tokens_details", ledger)
        counted["output_tokens_details"] = thought
    sums = usage.get("total_tokens") in (None, total + answer)
    _attach(counted, usage, _COUNTED - ({"total_tokens"} if not sums else set()), "usage", ledger, own=_USAGE_FIELDS)
    return counted
