"""What Anthropic refuses although the JSON is right: what it does not know, and turns that do not fit.  Pure.

In its own words, as far as they are known from its documentation and from public reports.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from chatsheet_llm.sandbox.shapes import Json, Malformed, obj, objs, text, whole

PARAMETERS = frozenset({
    "cache_control", "container", "diagnostics", "inference_geo", "max_tokens", "messages", "metadata", "model",
    "output_config", "output_format", "service_tier", "speed", "stop_sequences", "stream", "system", "temperature",
    "thinking", "tool_choice", "tools", "top_k", "top_p",
})  # fmt: skip
"""What a request may hold without an ``anthropic-beta`` header."""
BLOCKS: dict[str, frozenset[str]] = {
    "user": frozenset({"text", "image", "document", "search_result", "tool_result", "container_upload"}),
    "assistant": frozenset({
        "text", "thinking", "redacted_thinking", "tool_use", "server_tool_use", "web_search_tool_result",
        "web_fetch_tool_result", "code_execution_tool_result", "bash_code_execution_tool_result",
        "text_editor_code_execution_tool_result", "tool_search_tool_result",
    }),
    "system": frozenset({"text"}),
}  # fmt: skip
"""Role of a message to the types of its blocks."""
SOURCES: dict[str, frozenset[str]] = {
    "image": frozenset({"base64", "url", "file"}),
    "document": frozenset({"base64", "url", "file", "text", "content"}),
}
SIGNED = "sandbox-"
"""What every signature and every redacted thinking of the sandbox begins with: the roles take no other one back."""

_ID = re.compile(r"[a-zA-Z0-9_-]+")
_NAME = re.compile(r"[a-zA-Z0-9_-]{1,128}")
_LEAST_BUDGET = 1024


def check(body: Json, *, beta: bool) -> None:
    """Raise Malformed for what Anthropic would refuse; with ``beta`` there may be more than is known here."""
    messages = objs(body.get("messages"))
    if not beta:
        for name in body:
            if name not in PARAMETERS:
                raise Malformed(f"{name}: Extra inputs are not permitted")
    for at, message in enumerate(messages):
        _check_message(message, f"messages.{at}", last=at == len(messages) - 1, beta=beta)
    _check_calls(messages)
    _check_tools(body)
    _check_thinking(body)


def _blocks(message: Json) -> list[Json]:
    content = message.get("content")
    return [{"type": "text", "text": content}] if isinstance(content, str) else objs(content)


def _check_message(message: Json, path: str, *, last: bool, beta: bool) -> None:
    role = text(message.get("role"))
    if role not in BLOCKS:
        raise Malformed(f"{path}.role: Input should be 'user' or 'assistant'")
    if not message.get("content"):
        if not (last and role == "assistant"):
            raise Malformed(
                f"{path}: all messages must have non-empty content except for the optional final assistant message"
            )
        return
    if not isinstance(message["content"], (str, list)):
        raise Malformed(f"{path}.content: Input should be a valid list")
    blocks = _blocks(message)
    for at, block in enumerate(blocks):
        kind = text(block.get("type"))
        if kind not in BLOCKS[role] and not beta:
            raise _unexpected(f"{path}.content.{at}", kind, BLOCKS[role])
        if kind in _CHECKS:
            _CHECKS[kind](block, f"{path}.content.{at}")
    said = text(blocks[-1].get("text")) if blocks else ""
    if last and role == "assistant" and said != said.rstrip():
        raise Malformed("messages: final assistant content cannot end with trailing whitespace")


def _unexpected(path: str, kind: str, expected: frozenset[str]) -> Malformed:
    tags = ", ".join(f"'{tag}'" for tag in sorted(expected))
    return Malformed(f"{path}: Input tag '{kind}' found using 'type' does not match any of the expected tags: {tags}")


def _check_text(block: Json, path: str) -> None:
    if not isinstance(block.get("text"), str):
        raise Malformed(f"{path}.text.text: Input should be a valid string")
    if not block["text"]:
        raise Malformed("messages: text content blocks must be non-empty")


def _check_media(block: Json, path: str) -> None:
    kind, source = text(block["type"]), obj(block.get("source"))
    if text(source.get("type")) not in SOURCES[kind]:
        raise _unexpected(f"{path}.{kind}.source", text(source.get("type")), SOURCES[kind])
    if source["type"] == "base64" and "," in text(source.get("data")):
        raise Malformed(f"{path}.{kind}.source.base64.data: The {kind} was specified using invalid base64")


def _check_sealed(block: Json, path: str) -> None:
    field = "signature" if block["type"] == "thinking" else "data"
    if not text(block.get(field)).startswith(SIGNED):
        raise Malformed(f"{path}: Invalid `{field}` in `{text(block['type'])}` block")


def _check_use(block: Json, path: str) -> None:
    if not _ID.fullmatch(text(block.get("id"))):
        raise Malformed(f"{path}.tool_use.id: String should match pattern '^[a-zA-Z0-9_-]+$'")
    if not isinstance(block.get("input"), dict):
        raise Malformed(f"{path}.tool_use.input: Input should be a valid dictionary")


def _check_result(block: Json, path: str) -> None:
    content = block.get("content")
    if content is not None and not isinstance(content, (str, list)):
        raise Malformed(f"{path}.tool_result.content: Input should be a valid list")
    for at, part in enumerate(objs(content)):
        kind = text(part.get("type"))
        if kind in _CHECKS:
            _CHECKS[kind](part, f"{path}.tool_result.content.{at}")


_CHECKS: dict[str, Callable[[Json, str], None]] = {
    "text": _check_text,
    "image": _check_media,
    "document": _check_media,
    "thinking": _check_sealed,
    "redacted_thinking": _check_sealed,
    "tool_use": _check_use,
    "tool_result": _check_result,
}


def _check_calls(messages: list[Json]) -> None:
    """Every call is answered in the very next turn, and nothing else is answered there."""
    called: list[str] = []
    at = 0
    for at, run in enumerate(_runs([message for message in messages if message.get("role") != "system"])):
        answered = list(_ids(run, "tool_result", "tool_use_id"))
        unknown = [name for name in answered if name not in called]
        if unknown:
            raise Malformed(
                f"messages.{at}.content.0: unexpected `tool_use_id` found in `tool_result` blocks: "
                f"{', '.join(unknown)}. Each `tool_result` block must have a corresponding `tool_use` block in the "
                "previous message."
            )
        _refuse_unanswered(called, answered, at - 1)
        called = list(_ids(run, "tool_use", "id"))
    _refuse_unanswered(called, [], at)


def _runs(messages: list[Json]) -> Iterator[list[Json]]:
    """The blocks of each turn: messages of one role that follow each other are one."""
    run: list[Json] = []
    role: object = None
    for message in messages:
        if role is not None and message.get("role") != role:
            yield run
            run = []
        role = message.get("role")
        run = [*run, *_blocks(message)]
    if role is not None:
        yield run


def _ids(blocks: list[Json], kind: str, field: str) -> Iterator[str]:
    return (text(block.get(field)) for block in blocks if block.get("type") == kind)


def _refuse_unanswered(called: list[str], answered: list[str], at: int) -> None:
    missing = [name for name in called if name not in answered]
    if missing:
        raise Malformed(
            f"messages.{at}: `tool_use` ids were found without `tool_result` blocks immediately after: "
            f"{', '.join(missing)}. Each `tool_use` block must have a corresponding `tool_result` block in the next "
            "message."
        )


def _check_tools(body: Json) -> None:
    names = [text(tool.get("name")) for tool in objs(body.get("tools")) if "input_schema" in tool]
    for at, name in enumerate(names):
        if not _NAME.fullmatch(name):
            raise Malformed(f"tools.{at}.custom.name: String should match pattern '^[a-zA-Z0-9_-]{{1,128}}$'")
    if len(set(names)) < len(names):
        raise Malformed("tools: Tool names must be unique.")
    for at, tool in enumerate(objs(body.get("tools"))):
        if "input_schema" in tool and obj(tool["input_schema"]).get("type") != "object":
            raise Malformed(f"tools.{at}.custom.input_schema.type: Field required")
    if body.get("tool_choice") is not None and not body.get("tools"):
        raise Malformed("tool_choice: `tool_choice` may only be specified while providing `tools`.")


def _check_thinking(body: Json) -> None:
    thinking = obj(body.get("thinking"))
    if thinking.get("type") == "enabled":
        budget = whole(thinking.get("budget_tokens"))
        if budget is None or budget < _LEAST_BUDGET:
            raise Malformed(f"thinking.enabled.budget_tokens: Input should be greater than or equal to {_LEAST_BUDGET}")
        if budget >= (whole(body.get("max_tokens")) or 0):
            raise Malformed("`max_tokens` must be greater than `thinking.budget_tokens`.")
    if thinking.get("type") in ("enabled", "adaptive") and body.get("temperature") not in (None, 1):
        raise Malformed("`temperature` may only be set to 1 when thinking is enabled.")
    forced = obj(body.get("tool_choice")).get("type") in ("any", "tool")
    # Recorded: adaptive thinking goes with a forced tool.
    if forced and thinking.get("type") == "enabled":
        raise Malformed("Thinking may not be enabled when tool_choice forces tool use.")
