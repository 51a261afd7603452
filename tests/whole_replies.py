"""Whole replies to be told as a stream, made by hand, and how two bodies are compared.  Judges nothing."""

import os

from hypothesis import settings
from random_answers import answered

DEEPER = os.environ.get("CHATSHEET_EXAMPLES")
LAW = settings(max_examples=int(DEEPER or 60), derandomize=not DEEPER, deadline=None, database=None)

USAGE = {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}
TOKEN = {"token": "x", "logprob": -0.25, "bytes": [120], "top_logprobs": []}
CITED = {"type": "url_citation", "url": "https://x.test/c", "title": "t", "start_index": 0, "end_index": 1}

CALL = {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "f", "arguments": "{}"}
CODE = {"type": "code_interpreter_call", "id": "ci_1", "container_id": "c", "outputs": [{"type": "logs", "logs": "1"}]}
MCP = {"type": "mcp_call", "id": "mcp_1", "server_label": "s", "name": "f", "arguments": "{}", "output": "so"}
FILES = {"type": "file_search_call", "id": "fs_1", "queries": ["q"], "results": [{"text": "r"}]}
IMAGE = {"type": "image_generation_call", "id": "ig_1", "result": "AA=="}
LIST = {"type": "mcp_list_tools", "id": "mcpl_1", "server_label": "s", "tools": [{"name": "f", "input_schema": {}}]}
SEARCH = {"type": "web_search_call", "id": "ws_1", "action": {"type": "search", "query": "q"}}


def completion(message, finish_reason="stop", **fields):
    choice = {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": finish_reason}
    head = {"id": "chatcmpl-1", "object": "chat.completion", "created": 1700000000, "model": "m"}
    return {**head, "choices": [choice | fields.pop("choice", {})], "usage": USAGE, **fields}


def response(*output, **fields):
    return answered("responses", EMPTY) | {"output": list(output), **fields}


EMPTY = {"id": "resp_1", "created": 1700000000, "model": "m", "end": "stop", "tier": "default", "pieces": []} | {
    "usage": {"input": 3, "cached": 1, "new": 0, "output": 2, "thought": 1}
}


def message(*parts, **fields):
    head = {"id": "msg_1", "type": "message", "role": "assistant", "status": "completed"}
    return {**head, "content": list(parts), **fields}


def said(text, **fields):
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": [], **fields}


def told(node):
    """JSON without what says nothing, which our fold leaves out."""
    if isinstance(node, dict):
        return {name: told(value) for name, value in node.items() if value not in (None, [], {}, "")}
    return [told(value) for value in node] if isinstance(node, list) else node


def missing(given, made, path=""):
    """Where something given is not in what was made of it, which may have more."""
    if isinstance(given, dict) and isinstance(made, dict):
        return [at for name, value in given.items() for at in missing(value, made.get(name), f"{path}.{name}")]
    if isinstance(given, list) and isinstance(made, list) and len(given) == len(made):
        pairs = enumerate(zip(given, made, strict=True))
        return [at for index, (one, other) in pairs for at in missing(one, other, f"{path}[{index}]")]
    return [] if given == made else [f"{path}: {given!r} is {made!r}"]
