"""Fold a chat stream into the message it makes: once by our own reading, once by the SDK's accumulator."""

import copy
import inspect

from openai.lib.streaming.chat import ChatCompletionStreamState
from openai.types.chat import ChatCompletionChunk


def fold(chunks):
    """What a plain consumer makes of the chunks: strings joined, tool calls by index, the rest as it comes."""
    message, calls, reason, usage = {}, {}, None, None
    for chunk in chunks:
        usage = chunk.get("usage") or usage
        for choice in chunk["choices"]:
            assert choice["index"] == 0
            reason = choice["finish_reason"] or reason
            for key, value in choice["delta"].items():
                if key == "tool_calls":
                    for entry in value:
                        merge(calls.setdefault(entry["index"], {}), entry)
                elif key in ("content", "refusal", "reasoning_content"):
                    message[key] = message.get(key, "") + value
                else:
                    assert key not in message, key
                    message[key] = value
    if calls:
        assert list(calls) == list(range(len(calls)))
        message["tool_calls"] = [{k: v for k, v in call.items() if k != "index"} for call in calls.values()]
    return {"message": message, "finish_reason": reason, "usage": usage}


def merge(call, entry):
    for key, value in entry.items():
        if isinstance(value, dict) and key in call:
            for field, text in value.items():
                call[key][field] = call[key].get(field, "") + text
        else:
            call[key] = copy.deepcopy(value)


def sdk_fold(chunks):
    """What the SDK's own ``.stream()`` helper makes of the chunks."""
    state = ChatCompletionStreamState()
    for chunk in chunks:
        state.handle_chunk(ChatCompletionChunk.construct(**copy.deepcopy(chunk)))
    final = state.current_completion_snapshot
    message, usage = final.choices[0].message, final.usage
    calls = [(call.id, call.function.model_dump(include={"name", "arguments"})) for call in message.tool_calls or []]
    return message.content or "", calls, final.choices[0].finish_reason, usage and usage.total_tokens


def accumulated(accumulate, event, snapshot, buffers):
    """What an accumulator of the Anthropic SDK makes of one more event; older ones take fewer arguments."""
    given = {"json_bufs": buffers, "request_headers": {}}
    known = inspect.signature(accumulate).parameters
    return accumulate(event=event, current_snapshot=snapshot, **{k: v for k, v in given.items() if k in known})
