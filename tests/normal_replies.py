"""Which replies of a format say the same: one row for each difference.  Knows no bridge."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, cast

from alike import LOST, Alike, Json, Row, drop, inner, objects, renamed, spaced
from normal_messages import unsealed
from normal_responses import unnamed
from openai.types.responses.response_create_params import ResponseCreateParamsBase

from chatsheet_llm.route import MODES, Mode


def _said(node: Any) -> Any:
    if isinstance(node, dict):
        made = {name: _said(value) for name, value in node.items()}
        return {name: value for name, value in made.items() if value not in (None, {}, [])}
    return [_said(value) for value in node] if isinstance(node, list) else node


def _no_nothing(body: Json) -> None:
    made = _said(body)
    body.clear()
    body.update(made)


def _no_zeros(body: Json) -> None:
    usage = inner(body, "usage")
    for node in (*(value for value in usage.values() if isinstance(value, dict)), usage):
        for name in [name for name, value in node.items() if value == 0 and not isinstance(value, bool)]:
            del node[name]
        for name in [name for name, value in node.items() if value == {}]:
            del node[name]


def _lifted(body: Json) -> None:
    while fields := body.pop("response_fields", {}):
        body.setdefault("choices", []).extend(fields.pop("choices", []))
        drop(body, "choices", [])
        for name, value in fields.items():
            body.setdefault(name, value)


def _without(*names: str) -> Alike:
    def alike(body: Json) -> None:
        for name in names:
            body.pop(name, None)

    return alike


# --- chat -------------------------------------------------------------------------------------------------------------

_CHOICE = frozenset({"index", "message", "finish_reason", "logprobs", LOST})
_MESSAGE = frozenset(
    {
        *("role", "content", "refusal", "tool_calls", "annotations", "reasoning_content", "reasoning_items", LOST),
        *("provider_items", "provider_parts", "provider_annotations", "phase", "phases"),
    }
)


def _message(body: Json) -> Json:
    return cast("Json", body["choices"][0]["message"])


def _on_the_whole(body: Json) -> None:
    choice = body["choices"][0]
    for node, known in ((choice["message"], _MESSAGE), (choice, _CHOICE)):
        for name in [name for name in node if name not in known]:
            body.setdefault(name, node.pop(name))
            if name in node.get(LOST, ()):
                body.setdefault(LOST, []).append(name)


def _one_name_of_reasoning(body: Json) -> None:
    message = _message(body)
    if message.get("reasoning_content") in (None, message.get("reasoning")) and "reasoning" in message:
        message["reasoning_content"] = message.pop("reasoning")


def _legacy_call(body: Json) -> None:
    call = _message(body).pop("function_call", None)
    if call is not None:
        _message(body)["tool_calls"] = [{"id": f"call_{body['id']}_0", "type": "function", "function": call}]


def _ended_with_calls(body: Json) -> None:
    choice = body["choices"][0]
    calls = bool(choice["message"].get("tool_calls"))
    if choice.get("finish_reason") == "function_call" or (choice.get("finish_reason") == "stop" and calls):
        choice["finish_reason"] = "tool_calls"


def _old_finish(body: Json) -> None:
    choice = body["choices"][0]
    if inner(body, "finish_details").get("type") == "max_tokens":
        choice.setdefault("finish_reason", "length")


def _indexed(body: Json) -> None:
    for at, call in enumerate(objects(_message(body), "tool_calls")):
        drop(call, "index", at)


def _unsealed_items(body: Json) -> None:
    items = [item for item in objects(_message(body), "reasoning_items") if item.get("encrypted_content")]
    for item in items:
        unnamed(item)
    _message(body)["reasoning_items"] = items
    drop(_message(body), "reasoning_items", [])


def _named_counts(body: Json) -> None:
    usage = inner(body, "usage")
    for name in [name for name in usage if name.startswith("messages_")]:
        value, own = usage.pop(name), _COUNTS.get(name.removeprefix("messages_"), name.removeprefix("messages_"))
        usage[own] = {**usage.get(own, {}), **value} if isinstance(value, dict) else value


_COUNTS = {"input_tokens_details": "prompt_tokens_details", "output_tokens_details": "completion_tokens_details"}


def _total_of_lost(body: Json) -> None:
    usage = inner(body, "usage")
    if "prompt_tokens" in usage.get(LOST, ()):
        usage[LOST].append("total_tokens")


def _plain_refusal(body: Json) -> None:
    message, choice = _message(body), body["choices"][0]
    if "refusal" in message.get(LOST, ()):
        message["content"] = (message.get("content") or "") + message.pop("refusal")
        choice["finish_reason"] = {"stop": "content_filter"}.get(choice["finish_reason"], choice["finish_reason"])


def _chat_arguments(body: Json) -> None:
    for call in objects(_message(body), "tool_calls"):
        if "function" in call:
            call["function"]["arguments"] = spaced(call["function"].get("arguments"))


# --- responses and messages -------------------------------------------------------------------------------------------

_TOLD = frozenset({"metadata", "model", "moderation", "service_tier"})
_ECHO = (frozenset(ResponseCreateParamsBase.__annotations__) - _TOLD) | {
    "output_text",
    "frequency_penalty",
    "presence_penalty",
}
_BOOKS = ("billing", "completed_at", "access_programs", "error", "object", "image")


def _unnamed_output(body: Json) -> None:
    for item in objects(body, "output"):
        if item["type"] in ("message", "function_call", "custom_tool_call", "reasoning"):
            unnamed(item)


def _on_the_item(body: Json) -> None:
    for item in objects(body, "output"):
        if item["type"] == "message":
            for part in objects(item, "content"):
                drop(part, "phase", item.get("phase"))
                if "phase" in item.get(LOST, ()):
                    part.setdefault(LOST, []).append("phase")


def _attached_notes(body: Json) -> None:
    for item in objects(body, "output"):
        for part in objects(item, "content"):
            renamed(part, "messages_annotations", "annotations")


def _responses_arguments(body: Json) -> None:
    for item in objects(body, "output"):
        if item["type"] == "function_call":
            item["arguments"] = spaced(item.get("arguments"))


_FIRST = ("thinking", "redacted_thinking", "reasoning")
_LAST = ("tool_use", "function_call", "custom_tool_call")


def _order_of_chat(entry: Json) -> int:
    kind = entry["type"]
    return 0 if kind in _FIRST else 3 if kind in _LAST else 2 if kind in ("text", "message") else 1


def _one_text(body: Json) -> None:
    made: list[Json] = []
    for block in sorted(objects(body, "content"), key=_order_of_chat):
        last = made[-1] if made else {"type": ""}
        if block["type"] == last["type"] == "text":
            last["text"] += block["text"]
            last["citations"] = last.get("citations", []) + block.get("citations", [])
            drop(last, "citations", [])
        else:
            made.append(block)
    body["content"] = made


def _uncounted(body: Json) -> None:
    for block in objects(body, "content"):
        for note in objects(block, "citations"):
            _without("start_index", "end_index")(note)


def _unsealed_blocks(body: Json) -> None:
    for block in objects(body, "content"):
        unsealed(block)


_OPENAI: Sequence[Mode] = ("chat", "responses")
_THERE: Sequence[Mode] = ("messages",)


def _for_each(reason: str, alike: Alike) -> Iterator[Row]:
    for mode in MODES:
        yield Row(mode, reason, alike)


REPLIES = (
    *(Row(mode, "null and emptiness say nothing", _no_nothing) for mode in _OPENAI),
    *_for_each("a count of zero says what its absence says", _no_zeros),
    *_for_each("what was attached is found under response_fields", _lifted),
    Row("chat", "function_call is the old name of a tool call, without an id", _legacy_call),
    Row("chat", "the one reasoning has two names among Chat's servers", _one_name_of_reasoning),
    Row("chat", "what stands on the one choice or its message is attached to the whole", _on_the_whole),
    Row("chat", "finish_details is an old finish_reason", _old_finish),
    Row("chat", "calls end an answer, though a forced one ends with 'stop'", _ended_with_calls),
    Row("chat", "a call's index is its place", _indexed),
    Row("chat", "an item of reasoning without a seal says what reasoning_content says", _unsealed_items),
    Row("chat", "the id and the state of the hop's reply stand beside", _without("response_id", "response_status")),
    Row("chat", "Messages tells no time", _without("created", "created_at"), _THERE),
    Row("chat", "counts of Chat are attached under Messages' name", _named_counts, _THERE),
    Row("chat", "the total of a count that is declared lost is another as well", _total_of_lost, _THERE),
    Row("chat", "a refusal returns as filtered text, which is a listed loss", _plain_refusal, _THERE),
    Row(
        "chat",
        "Messages has arguments as a value, so the white space of their text is not kept",
        _chat_arguments,
        _THERE,
    ),
    Row("responses", "what repeats the request", _without(*_ECHO)),
    Row("responses", "the books of the server", _without(*_BOOKS)),
    Row("responses", "an id and a state name an item and say nothing", _unnamed_output),
    Row("responses", "notes on a text are attached under Messages' name", _attached_notes, _THERE),
    Row("responses", "a phase of a message is attached to each of its parts", _on_the_item, _THERE),
    Row("responses", "Messages tells no time", _without("created_at"), _THERE),
    Row(
        "responses",
        "Messages has arguments as a value, so the white space of their text is not kept",
        _responses_arguments,
        _THERE,
    ),
    Row("messages", "a Message tells no time, so it is attached", _without("created_at")),
    Row(
        "messages",
        "Chat tells which part of the text a citation is about, as Messages does by its block",
        _uncounted,
        ("chat",),
    ),
    Row("messages", "Chat has one text, and tells no order", _one_text, ("chat",)),
    Row("messages", "an id names an item and says nothing, in a seal as well", _unsealed_blocks),
)
"""How a reply that went through another format and came back may differ."""
