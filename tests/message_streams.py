"""Messages streams by hand, the message that one amounts to, and what became of it.  Sends nothing."""

import copy
import json

from chatsheet_llm.formats.responses_messages_stream import MessagesToResponsesStream


def start(**fields):
    message = {
        "id": "msg_01X",
        "type": "message",
        "role": "assistant",
        "model": "claude-x",
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": {"input_tokens": 10, "cache_read_input_tokens": 5, "output_tokens": 1},
    }
    return {"type": "message_start", "message": message | fields}


def begin(index, **block):
    return {"type": "content_block_start", "index": index, "content_block": block}


def delta(index, kind, **fields):
    return {"type": "content_block_delta", "index": index, "delta": {"type": f"{kind}_delta", **fields}}


def stop(index):
    return {"type": "content_block_stop", "index": index}


def changed(stop_reason="end_turn", usage=None, **fields):
    given = {"stop_reason": stop_reason, "stop_sequence": None, **fields}
    return {"type": "message_delta", "delta": given, "usage": {"output_tokens": 9} if usage is None else usage}


PING, END = {"type": "ping"}, {"type": "message_stop"}
TEXT = [begin(0, type="text", text=""), delta(0, "text", text="Hel"), delta(0, "text", text="lo"), stop(0)]
CALL = [
    begin(1, type="tool_use", id="toolu_1", name="look", input={}),
    delta(1, "input_json", partial_json=""),
    delta(1, "input_json", partial_json='{"at": '),
    delta(1, "input_json", partial_json='"sea"}'),
    stop(1),
]
THOUGHT = [
    begin(0, type="thinking", thinking="", signature=""),
    delta(0, "thinking", thinking="Hm"),
    delta(0, "thinking", thinking="."),
    delta(0, "signature", signature="SIG"),
    stop(0),
]


def run(*given):
    stream = MessagesToResponsesStream()
    made = [event for one in given for event in stream.feed(one)]
    return made + stream.end(), stream


def final(events):
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    assert [event["type"] for event in events[:2]] == ["response.created", "response.in_progress"]
    assert events[-1]["type"] == f"response.{events[-1]['response']['status']}"
    return events[-1]["response"]


def whole(given):
    """The message that a well-formed stream amounts to, folded plainly."""
    message, texts = {}, {}
    for event in copy.deepcopy(given):
        kind = event["type"]
        if kind == "message_start":
            message = event["message"]
        elif kind == "content_block_start":
            message["content"].append(event["content_block"])
        elif kind == "content_block_delta":
            grow(message["content"][event["index"]], event["delta"], texts.setdefault(event["index"], []))
        elif kind == "message_delta":
            message |= {name: value for name, value in event["delta"].items() if value is not None}
            message["usage"] |= {name: value for name, value in event["usage"].items() if value is not None}
    for index, pieces in texts.items():
        if "".join(pieces):
            message["content"][index]["input"] = json.loads("".join(pieces))
    return message


def grow(block, piece, texts):
    if piece["type"] == "input_json_delta":
        texts.append(piece["partial_json"])
    elif piece["type"] == "citations_delta":
        block["citations"] = [*(block.get("citations") or []), piece["citation"]]
    elif piece["type"] == "signature_delta":
        block["signature"] = piece["signature"]
    else:
        name = piece["type"].removesuffix("_delta")
        block[name] += piece[name]


def done(events):
    items = {event["output_index"]: event["item"] for event in events if event["type"].endswith("output_item.done")}
    assert len(items) == sum(event["type"].endswith("output_item.done") for event in events)
    return [items[index] for index in sorted(items)]


def without(item, names):
    return {name: value for name, value in item.items() if name not in names}
