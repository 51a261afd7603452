"""Fold the events of a stream by the SDKs' own accumulators, and tell where their reply is not the whole one."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

from alike import Json
from anthropic._models import construct_type_unchecked as anthropic_type
from anthropic.lib.streaming._messages import accumulate_event
from anthropic.types import RawMessageStreamEvent
from folding import accumulated
from openai import omit
from openai._models import construct_type_unchecked as openai_type
from openai.lib.streaming.chat import ChatCompletionStreamState
from openai.lib.streaming.responses._responses import ResponseStreamState
from openai.types.chat import ChatCompletionChunk
from openai.types.responses import ResponseStreamEvent

from chatsheet_llm.route import Mode


def sdk_folded(mode: Mode, events: Sequence[Json]) -> Json:
    """The reply that the SDK of a format makes of the events: what ``.stream()`` gives at its end."""
    return _FOLDS[mode](copy.deepcopy(list(events)))


def _chat(chunks: Sequence[Json]) -> Json:
    state: ChatCompletionStreamState[object] = ChatCompletionStreamState()
    for chunk in chunks:
        state.handle_chunk(ChatCompletionChunk.construct(**chunk))
    return state.current_completion_snapshot.model_dump(mode="json", warnings=False)


def _responses(events: Sequence[Json]) -> Json:
    state: ResponseStreamState[object] = ResponseStreamState(input_tools=omit, text_format=omit)
    done: dict[int, Json] = {}
    snapshot: Any = None
    for event in events:
        typed = openai_type(type_=cast("Any", ResponseStreamEvent), value=event)
        state.handle_event(typed)
        if event["type"] == "response.output_item.done":
            done[event["output_index"]] = event["item"]
        elif event["type"] == "response.created":
            # It is one object to the end, which the public method hands out.
            snapshot = state.accumulate_event(typed)
    built = {item.id: item.model_dump(mode="json", warnings=False) for item in snapshot.output} if snapshot else {}
    output = [_built(item, built.get(item.get("id"), item)) for _, item in sorted(done.items())]
    return {**events[-1]["response"], "output": output}


def _built(item: Json, built: Json) -> Json:
    """An item with what the SDK builds of deltas: texts of messages, and arguments of functions; no refusals."""
    if item["type"] == "function_call":
        return {**item, "arguments": built["arguments"]}
    if item["type"] != "message":
        return item
    pairs = zip(item["content"], built["content"], strict=True)
    return {**item, "content": [{**part, "text": its["text"]} if "text" in part else part for part, its in pairs]}


def _messages(events: Sequence[Json]) -> Json:
    snapshot: Any = None
    buffers: Json = {}
    for event in events:
        typed = anthropic_type(type_=cast("Any", RawMessageStreamEvent), value=event)
        snapshot = accumulated(accumulate_event, typed, snapshot, buffers)
    return cast("Json", snapshot.model_dump(mode="json", warnings=False, exclude_none=True))


_FOLDS: Mapping[Mode, Callable[[Sequence[Json]], Json]] = {
    "chat": _chat,
    "responses": _responses,
    "messages": _messages,
}
