"""Which bodies of a format mean the same, so that one of them can stand for all.  Knows no bridge."""

from __future__ import annotations

import base64
import copy
import json
import re
from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Any

from conversations import HOME, Json

from chatsheet_llm.route import Mode

DEFAULTS: Mapping[Mode, Mapping[str, tuple[Any, ...]]] = {
    "chat": {
        # Values that ask for what happens without them.
        "n": (1,),
        "frequency_penalty": (0,),
        "presence_penalty": (0,),
        "logit_bias": ({},),
        "modalities": (["text"],),
        "logprobs": (False,),
        "top_logprobs": (0,),
        "store": (False,),
        "stream": (False,),
        "stop": ([],),
        "tools": ([],),
        "parallel_tool_calls": (True,),
        "tool_choice": ("auto",),
        "response_format": ({"type": "text"},),
    },
    "responses": {
        # `store` is another product in each API, so nobody is taken to have asked for it.
        "top_logprobs": (0,),
        "store": (False,),
        "stream": (False,),
        "background": (False,),
        "truncation": ("disabled",),
        "include": ([],),
        "parallel_tool_calls": (True,),
        "tool_choice": ("auto",),
        "tools": ([],),
        "text": ({},),
        "reasoning": ({},),
    },
    "messages": {
        "stream": (False,),
        "stop_sequences": ([],),
        "tools": ([],),
        "tool_choice": ({"type": "auto"},),
        "speed": ("standard",),
        # Models that think decide by themselves how much, unless they are told.
        "thinking": ({"type": "adaptive"},),
        "metadata": ({},),
        "output_config": ({},),
    },
}
"""Parameters whose value may as well be absent."""


def normal(mode: Mode, body: Json, through: Mode) -> Json:
    """The body as all bodies are written that mean the same to a format and to the other one it goes through."""
    made = copy.deepcopy(body)
    _NORMAL[mode](made, through)
    return {
        name: value for name, value in made.items() if value is not None and value not in DEFAULTS[mode].get(name, ())
    }


LOST = "declared lost"
"""Name under which an object tells which of its fields are declared lost; an empty one is itself."""


def marked(body: Json, paths: list[str]) -> Json:
    """The body with each thing at one of the paths marked as lost, so that it is known wherever `normal` puts it."""
    made: Json = {"body": copy.deepcopy(body)}
    for path in paths:
        steps = re.findall(r"[^.\[\]]+", f"body.{path}")
        node: Any = made
        for at, step in enumerate(steps):
            key: Any = int(step) if isinstance(node, list) else step
            if at == len(steps) - 1 and isinstance(node, dict):
                node.setdefault(LOST, []).append(key)
            elif at == len(steps) - 1 and isinstance(node, list):
                node[key] = {**(node[key] if isinstance(node[key], dict) else {"was": node[key]}), LOST: [""]}
            elif isinstance(node, (dict, list)) and (isinstance(node, list) or key in node):
                node = node[key]
            else:
                break
    return made["body"]


def _normal_chat(body: Json, through: Mode) -> None:
    # The old name of the limit.
    if body.get("max_tokens") is not None and body.get("max_completion_tokens") is None:
        body["max_completion_tokens"] = body.pop("max_tokens")
        body.get(LOST, []).extend(["max_completion_tokens"] if "max_tokens" in body.get(LOST, []) else [])
    # The other formats always tell the usage, so whether a chat caller sees it is settled at the caller's end.
    options = {k: v for k, v in (body.get("stream_options") or {}).items() if k != "include_usage" and v is not None}
    body["stream_options"] = options or None
    for tool in body.get("tools") or []:
        kind = tool.setdefault("type", "function")
        tool[kind] = {name: value for name, value in tool[kind].items() if value is not None}
        if kind == "function":
            # Chat's default is not strict, and no schema is no parameter.
            _loose(tool[kind])
            tool[kind].setdefault("parameters", {"type": "object", "properties": {}})
    _without_tools(body)
    schema = (body.get("response_format") or {}).get("json_schema")
    if schema is not None:
        _loose(schema)
    messages = [_normal_message(message, through) for message in body.get("messages") or []]
    body["messages"] = messages
    if through == "messages":
        # Messages takes a list, has one user, and keeps to a schema always.
        if isinstance(body.get("stop"), str):
            body["stop"] = [body["stop"]]
        if body.get("safety_identifier") in (None, body.get("user")):
            body["safety_identifier"] = body.pop("user", None)
        if schema is not None:
            _through_format(schema)
        _through_settings(body)
        body["messages"] = _through_messages(messages, "tool", "content", "text")


def _without_tools(body: Json) -> None:
    """Where no tool is left there is nothing to choose from, and nothing to call side by side."""
    left = [tool for tool in body.get("tools") or [] if not {"", tool.get("type")}.intersection(tool.get(LOST, ()))]
    choice = body.get("tool_choice")
    kind = choice["type"] if isinstance(choice, dict) else choice
    if not left or kind == "none":
        body["parallel_tool_calls"] = None
    if not left and isinstance(choice, dict):
        choice.pop("disable_parallel_tool_use", None)
    if not left and kind in ("auto", "none"):
        body["tool_choice"] = None


def _tool_name(tool: Json) -> tuple[str, str]:
    return tool["type"], tool.get(tool["type"], tool).get("name", "")


def _loose(given: Json) -> None:
    if given.get("strict") in (None, False):
        given.pop("strict", None)


def _normal_message(message: Json, through: Mode) -> Json:
    made = {name: value for name, value in message.items() if value not in (None, [])}
    if isinstance(made.get("content"), list):
        for part in made["content"]:
            image = part.get("image_url")
            if isinstance(image, str):
                part["image_url"] = image = {"url": image}
            if isinstance(image, dict) and image.get("detail") in ("auto", None):
                image.pop("detail", None)
    if message["role"] == "assistant":
        # A text is a list of it, an empty one none, and a refusal may be the last part: Responses holds parts of the
        # model's in output items alone.
        parts = _listed(made.pop("content", []), "text")
        if "refusal" in made:
            parts.append({"type": "refusal", "refusal": made.pop("refusal")})
        made["content"] = _plain_refusals(parts, "text") if through == "messages" else parts
    elif message["role"] == "tool":
        made.setdefault("content", "")
    return made


def _through_format(given: Json) -> None:
    """Messages always keeps to a schema, and has the description of one in it."""
    given["strict"] = True
    if given.get("description"):
        given["schema"] = {**given["schema"], "description": given.pop("description")}


def _through_settings(body: Json) -> None:
    """Messages neither samples nor words otherwise nor pads its streams, so asking for that is asking for nothing.

    It lets a model have all tools or call one, so a list of allowed ones is one of these or a loss.
    """
    choice = body.get("tool_choice")
    if isinstance(choice, dict) and choice["type"] == "allowed_tools":
        given = choice.get("allowed_tools", choice)
        allowed = [_tool_name(tool) for tool in given["tools"]]
        if all(_tool_name(tool) in allowed for tool in body["tools"]):
            body["tool_choice"] = given["mode"]
        elif given["mode"] == "required" and len(allowed) == 1:
            body["tool_choice"] = given["tools"][0]
    if isinstance(body.get("text"), dict) and body["text"].get("verbosity") == "medium":
        del body["text"]["verbosity"]
    for name, nothing in (("verbosity", "medium"), ("temperature", 1), ("top_p", 1), ("top_logprobs", 0)):
        if body.get(name) == nothing:
            body[name] = None
    if body.get("stream_options") == {"include_obfuscation": False}:
        body["stream_options"] = None


def _through_messages(messages: list[Json], result: str, field: str, text: str) -> list[Json]:
    """Messages has one role for instructions, one list of them in front, and the user's words among the results.

    That an instruction was moved is a declared loss.
    """
    made = [{**m, "role": "system"} if m.get("role") == "developer" else m for m in messages]
    made = [m for m in made if m.get("role") not in ("system", "user") or m[field] not in ([], "")]
    ahead = [m for m in made if m.get("role") == "system"]
    others = [m for m in made if m.get("role") != "system"]
    if len(ahead) > 1:
        parts = [part for message in ahead for part in _listed(message["content"], text)]
        ahead = [{**ahead[0], "content": parts}]
    for before, message in pairwise(others):
        after_results = result in (before.get("role"), before.get("type"))
        if after_results and message.get("role") == "user" and isinstance(message[field], str):
            message[field] = _listed(message[field], text)
    return ahead + others


def _listed(content: Any, kind: str) -> list[Json]:
    given = [{"type": kind, "text": content}] if isinstance(content, str) else content
    return [part for part in given if part.get("text") != ""]


def _normal_responses(body: Json, through: Mode) -> None:
    given = body.pop("input", None)
    # One user message may be a bare string, and the first instruction a parameter.
    items = [{"type": "message", "role": "user", "content": given}] if isinstance(given, str) else given or []
    if body.get("instructions"):
        items = [{"type": "message", "role": "system", "content": body.pop("instructions")}, *items]
    body["input"] = [_normal_item(item, through) for item in items]
    # Messages returns its seals unasked.
    include = [wanted for wanted in body.get("include") or [] if wanted != "reasoning.encrypted_content"]
    body["include"] = include
    for tool in body.get("tools") or []:
        for name in [name for name, value in tool.items() if value is None or (name == "defer_loading" and not value)]:
            del tool[name]
        if tool["type"] == "function":
            tool.setdefault("parameters", {"type": "object", "properties": {}})
    for name in ("text", "reasoning"):
        if isinstance(body.get(name), dict):
            body[name] = {key: value for key, value in body[name].items() if value is not None}
    if (body.get("reasoning") or {}).get("context") == "auto":
        del body["reasoning"]["context"]
    form = (body.get("text") or {}).get("format")
    if form == {"type": "text"}:
        del body["text"]["format"]
    _without_tools(body)
    if through == "messages":
        if body.get("safety_identifier") in (None, body.get("user")):
            body["safety_identifier"] = body.pop("user", None)
        if form and form["type"] == "json_schema":
            _through_format(form)
        _through_settings(body)
        body["input"] = _through_messages(body["input"], "function_call_output", "content", "input_text")


def _normal_item(item: Json, through: Mode) -> Json:
    made = {name: value for name, value in item.items() if value is not None}
    if "role" in made:
        made["type"] = "message"
    # These name an item and say nothing.
    _unnamed(made)
    for field in ("content", "output"):
        for part in made[field] if isinstance(made.get(field), list) else []:
            for name, nothing in (("detail", "auto"), ("annotations", []), ("logprobs", [])):
                if part.get(name, nothing) in (nothing, None):
                    part.pop(name, None)
    if made.get("role") == "assistant":
        made["content"] = _listed(made.get("content", []), "output_text")
    if through == "messages":
        # Messages has a refusal in its plain words, which is a declared loss, and one kind of results.
        made["type"] = made["type"].replace("custom_tool_call_output", "function_call_output")
        if made.get("role") == "assistant":
            made["content"] = _plain_refusals(made["content"], "output_text")
    return made


def _plain_refusals(parts: list[Json], kind: str) -> list[Json]:
    return [{"type": kind, "text": part["refusal"]} if part["type"] == "refusal" else part for part in parts]


def _normal_messages(body: Json, through: Mode) -> None:
    for tool in body.get("tools") or []:
        # What the type is without one, and Messages' default for strictness.
        if tool.get("type") == "custom":
            del tool["type"]
        _loose(tool)
        for name in [name for name, value in tool.items() if value is None]:
            del tool[name]
    _without_tools(body)
    if isinstance(body.get("tool_choice"), dict) and not body["tool_choice"].get("disable_parallel_tool_use"):
        body["tool_choice"].pop("disable_parallel_tool_use", None)
    thinking = body.get("thinking")
    if isinstance(thinking, dict) and thinking.get("display") in ("omitted", None):
        thinking.pop("display", None)
    # Instructions come back in front, as on the way back Messages is a hop.
    ahead = [message["content"] for message in body["messages"] if message["role"] == "system"]
    if "system" in body and ahead:
        body["system"] = [part for content in (body["system"], *ahead) for part in _listed(content, "text")]
    elif ahead:
        listed = [part for content in ahead for part in _listed(content, "text")]
        body["system"] = ahead[0] if len(ahead) == 1 else listed
    body["messages"] = [message for message in body["messages"] if message["role"] != "system"]
    for message in body["messages"]:
        if message["role"] == "assistant":
            # A text of the model's is a list of it, as Responses has parts of its own for them.
            message["content"] = _listed(message["content"], "text")
        blocks = message["content"] if isinstance(message["content"], list) else []
        for block in blocks:
            for name in [name for name, value in block.items() if value is None]:
                del block[name]
            _unsealed(block)
            if block["type"] == "tool_result":
                block.setdefault("content", "")
            # Responses requires a name of a file, so one without gets this.
            if block.get("title") == "document.pdf":
                del block["title"]
    del through


_NORMAL: Mapping[Mode, Callable[[Json, Mode], None]] = {
    "chat": _normal_chat,
    "responses": _normal_responses,
    "messages": _normal_messages,
}


def normal_reply(mode: Mode, reply: Json, through: Mode | None = None) -> Json:
    """The reply without names that each bridge makes up and without what only repeats the request."""
    made = copy.deepcopy(reply)
    if mode == "chat":
        message = made["choices"][0]["message"]
        # An item without a seal says what the text says.
        message["reasoning_items"] = [
            _unnamed(item) for item in message.get("reasoning_items", []) if item.get("encrypted_content")
        ]
        made["choices"][0]["message"] = _said_fields(message)
        # The id and the state that the hop's reply had; the completion says both in its own words.
        made = {name: value for name, value in made.items() if name not in ("response_id", "response_status")}
    elif mode == "responses":
        echo = ("error", "tools", "tool_choice", "parallel_tool_calls", "metadata", "instructions")
        made = {name: value for name, value in made.items() if name not in (*echo, "temperature", "top_p")}
        for item in made["output"]:
            _unnamed(item)
    else:
        for block in made["content"]:
            _unsealed(block)
        # A Message has no time of its own.
        made["response_fields"] = {k: v for k, v in made.get("response_fields", {}).items() if k != "created_at"}
    if through == "messages":
        # A Message has no time of its own.
        made = {name: value for name, value in made.items() if name not in ("created", "created_at", "response_fields")}
    return _said_fields(made)


def _unsealed(block: Json) -> None:
    """Show the item in a seal, for its id is but a name there too."""
    seal = str(block.get("signature", ""))
    if seal.startswith(HOME):
        packed = seal.removeprefix(HOME)
        block["signature"] = _unnamed(json.loads(base64.urlsafe_b64decode(packed + "=" * (-len(packed) % 4))))


def _said_fields(given: Json) -> Json:
    return {name: value for name, value in given.items() if value not in (None, {}, [])}


def _unnamed(item: Json) -> Json:
    item.pop("id", None)
    item.pop("status", None)
    return item
