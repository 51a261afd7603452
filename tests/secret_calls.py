"""Settings and requests full of planted secrets, and the faults that a call can meet.  As data; asserts nothing."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import openai
from canaries import Canaries
from client_cases import quick_sandbox
from parrot import Saying

from chatsheet_llm import AsyncChatClient, ChatClient, Settings
from chatsheet_llm.sandbox import Sandbox

KEYS, WORDS = Canaries(), Canaries()
"""Credentials, which belong nowhere but on the wire; and what the caller says, which belongs to the caller."""


class AnyKey(str):
    """A key that equals every key: so one sandbox serves endpoints that have each their own."""

    __slots__ = ()
    __hash__ = str.__hash__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, str)


@contextmanager
def open_sandbox() -> Iterator[Sandbox]:
    """A sandbox that takes every key."""
    with quick_sandbox() as box:
        box._world.api_key = AnyKey("any")
        yield box


_HEADERS = {"x-tenant-secret": KEYS.plant("configured header"), "Ocp-Apim-Subscription-Key": KEYS.plant("APIM key")}
ENDPOINTS: Mapping[str, tuple[str, str, Mapping[str, object]]] = {
    "litellm": ("litellm", "", {"kind": "litellm", "api_key": KEYS.plant("litellm key"), "headers": _HEADERS}),
    "azure": ("azure", "", {"kind": "azure", "api_key": KEYS.plant("azure key")}),
    "azure-dated": (
        "azure", "", {"kind": "azure", "api_key": KEYS.plant("dated azure key"), "api_version": "2025-04-01-preview"}
    ),
    "azure-entra": ("azure", "", {"kind": "azure", "ad_token": KEYS.plant("Entra token", "eyK{}.canary.sig")}),
    "azure-bearer": ("azure", "", {"kind": "azure", "api_key": KEYS.plant("bearer azure key"), "key_header": "bearer"}),
    "openai": ("openai", "/v1", {"kind": "openai", "api_key": KEYS.plant("openai key")}),
    "anthropic": ("anthropic", "", {"kind": "anthropic", "api_key": KEYS.plant("anthropic key")}),
    "anthropic-header": (
        "anthropic", "", {"kind": "anthropic", "api_key": KEYS.plant("anthropic header key"), "key_header": "api-key"}
    ),
    "anthropic_foundry": ("azure", "", {"kind": "anthropic_foundry", "api_key": KEYS.plant("foundry key")}),
    "foundry-entra": ("azure", "", {"kind": "anthropic_foundry", "ad_token": KEYS.plant("foundry token")}),
}  # fmt: skip
"""By name: the sandbox's role that plays it, the path behind its address, its settings."""

CLAUDE = ("anthropic", "anthropic-header", "anthropic_foundry", "foundry-entra")
MODEL = {name: "claude-sonnet-4-5" if name in CLAUDE else "gpt-4.1" for name in ENDPOINTS}


def settings_at(url_of: Callable[[str], str], only: str | None = None, **more: object) -> Settings:
    """Settings in which each endpoint is at the address that ``url_of`` gives for its role."""
    given = {
        name: {**told, "base_url": url_of(role) + path, **dict(more.pop(name, {}))}  # type: ignore[call-overload]
        for name, (role, path, told) in ENDPOINTS.items()
        if only in (None, name)
    }
    return Settings(_env_file=None, endpoints=given, chain=tuple(given), **{"deadline": 4.0, "on_loss": "drop", **more})


MESSAGES: list[dict[str, Any]] = [
    {"role": "system", "content": f"You are {WORDS.plant('system prompt')}."},
    {"role": "user", "content": f"First {WORDS.plant('first prompt')}"},
    {
        "role": "assistant",
        "content": None,
        "tool_calls": [
            {
                "id": "call_1",
                "type": "function",
                "function": {"name": "look", "arguments": f'{{"place": "{WORDS.plant("tool arguments")}"}}'},
            }
        ],
    },
    {"role": "tool", "tool_call_id": "call_1", "content": f"It is {WORDS.plant('tool result')}"},
    {
        "role": "user",
        "content": [
            {"type": "text", "text": f'Now "{WORDS.plant("prompt")}",\nplease'},
            {
                "type": "image_url",
                "image_url": {"url": f"https://images.test/a.png?sig={WORDS.plant('key inside a URL')}"},
            },
        ],
    },
]
TOOL: dict[str, Any] = {
    "name": "look",
    "description": f"For {WORDS.plant('tool description')}",
    "parameters": {"type": "object"},
}
PERSON: dict[str, Any] = {"user": WORDS.plant("user"), "metadata": {"ticket": WORDS.plant("metadata")}}
SERVER = {
    "type": "mcp",
    "server_label": "wiki",
    "server_url": f"https://mcp.test/?key={WORDS.plant('MCP URL')}",
    "headers": {"Authorization": f"Bearer {WORDS.plant('MCP header')}"},
    "authorization": WORDS.plant("MCP authorization"),
}
EXTRA = {"x-caller-secret": WORDS.plant("header of the call")}


def chat(client: Any, model: str = "gpt-4.1", **more: Any) -> Any:
    told = {"model": model, "messages": MESSAGES, "tools": [{"type": "function", "function": TOOL}], **PERSON}
    return client.chat.completions.create(**{**told, "extra_headers": EXTRA, "max_tokens": 50, **more})


def ask(client: Any, model: str = "gpt-4.1", **more: Any) -> Any:
    told = {
        "model": model,
        "instructions": MESSAGES[0]["content"],
        "input": [MESSAGES[1], {"role": "user", "content": MESSAGES[4]["content"][0]["text"]}],
        "tools": [{"type": "function", "strict": False, **TOOL}],
        "extra_headers": EXTRA,
        **PERSON,
    }
    return client.responses.create(**{**told, **more})


CALLS: Mapping[str, Callable[[Any, str], Any]] = {
    "chat": chat,
    "chat stream": lambda client, model: chat(client, model, stream=True),
    "responses": ask,
    "responses stream": lambda client, model: ask(client, model, stream=True),
    "raw": lambda client, model: client.chat.completions.with_raw_response.create(
        model=model, messages=MESSAGES, **PERSON
    ),
}
OTHERS: Mapping[str, Callable[[Any, str], Any]] = {
    "embeddings": lambda client, _: client.embeddings.create(
        model="text-embedding-3-small", input=WORDS.places["prompt"]
    ),
    "models": lambda client, _: client.models.list(),
    "MCP": lambda client, model: ask(client, model, tools=[SERVER]),
    "file": lambda client, _: client.files.create(file=("a.txt", WORDS.places["prompt"].encode()), purpose="batch"),
}


def done(client: Any, *calls: Callable[[Any], Any]) -> list[Any]:
    """Make the calls with either client, read what each gives to its end, and return that."""
    if isinstance(client, ChatClient):
        answers = [call(client) for call in calls]
        return [list(answer) if isinstance(answer, openai.Stream) else answer for answer in answers]

    async def whole() -> list[Any]:
        try:
            return [await _awaited(call(client)) for call in calls]
        finally:
            await client.close()

    return asyncio.run(whole())


async def _awaited(answer: Any) -> Any:
    answer = await answer if inspect.isawaitable(answer) else answer
    return [item async for item in answer] if isinstance(answer, openai.AsyncStream) else answer


def made(kind: str, settings: Settings, **more: Any) -> Any:
    """Return a client: ``sync`` or ``async``."""
    return (ChatClient if kind == "sync" else AsyncChatClient)(settings, max_retries=0, **more)


@dataclass(frozen=True)
class Reply:
    """What makes a fault: the parrot's words."""

    saying: Saying
    stream: bool = False


def _said(status: int, **error: object) -> Reply:
    text = str(error.pop("text", ""))
    return Reply(Saying(status, error, text=text))


_CONTENT = 'data: {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [%s]}\n\n'
_BEGUN = _CONTENT % '{"index": 0, "delta": {"role": "assistant", "content": "Once upon"}, "finish_reason": null}'

REPLIES: Mapping[str, Reply] = {
    "redirect": Reply(Saying(307, headers={"location": "http://127.0.0.1:9/"})),
    "invalid_request": _said(400, code="invalid_value"),
    "context_length": _said(400, code="context_length_exceeded"),
    "not_found": _said(404, param="file", code="not_found"),
    "state": _said(400, code="invalid_encrypted_content"),
    "conflict": _said(409),
    "too_large": _said(413),
    "unprocessable": _said(422),
    "content_filter": _said(400, code="content_filter"),
    "gateway_policy": _said(402),
    "capability": _said(400, code="OperationNotSupported"),
    "tools_on_chat": _said(400, text="Function tools with reasoning_effort are not supported."),
    "streaming": _said(400, code="unsupported_value", param="stream"),
    "deployment": _said(404, code="DeploymentNotFound"),
    "unknown_model": _said(400, text="Invalid model name passed in model=x."),
    "auth": _said(401),
    "forbidden": _said(403),
    "rate": _said(429, type="requests"),
    "quota": _said(429, code="insufficient_quota"),
    "cooldown": _said(429, type="all_deployments_in_cooldown"),
    "overload": _said(503, type="x"),
    "timeout_408": _said(408, type="x"),
    "dependency": _said(424, type="x"),
    "early": _said(425, type="x"),
    "locked": _said(409, code="conversation_locked"),
    "client_closed": _said(499, type="x"),
    "server_error": _said(500, type="x"),
    "bad_gateway": _said(502, type="x"),
    "gateway_timeout": _said(504, type="x"),
    "not_implemented": _said(501, type="x"),
    "proxy": _said(407, type="x"),
    "empty": Reply(Saying(200, body=b"")),
    "html": Reply(Saying(200, headers={"content-type": "text/html"}, body=b"<html>")),
    "garbage": Reply(Saying(200, body=b'{"id": "sand')),
    "schema": Reply(Saying(200, body=b'{"id": 1}')),
    "no_stream": Reply(Saying(200, body=b'{"id": 1}'), stream=True),
    "bad_event": Reply(Saying(200, stream="data: {{\n\n"), stream=True),
    "truncated": Reply(
        Saying(200, headers={"content-type": "text/event-stream"}, body=b": hello\n\ndata: {}\n\n"), stream=True
    ),
    "stream_error": Reply(Saying(200, {"type": "x", "code": "x"}, stream=""), stream=True),
}
"""By fault: how a server that repeats everything brings it about."""

INTERRUPTED = Reply(Saying(200, {"type": "x", "code": "server_error"}, stream=_BEGUN), stream=True)
"""Behind the first content of a stream of chat."""
