"""The table of calls that both clients must answer alike, as data; and what a test of them needs.  Asserts nothing."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from pydantic import BaseModel

from chatsheet_llm import Settings, errors, route_of
from chatsheet_llm.route import Route
from chatsheet_llm.sandbox import Sandbox

HELLO = [{"role": "user", "content": "hello there"}]
WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}
CHAIN = ("litellm", "azure/responses", "azure/chat")


class Said(BaseModel):
    """A structured answer."""

    answer: str
    by: str


@contextmanager
def quick_sandbox(deployments: Mapping[str, str] | None = None) -> Iterator[Sandbox]:
    """A sandbox, and no certificates: to load them takes longer than a call, and loopback needs none."""
    with TemporaryDirectory() as empty, pytest.MonkeyPatch.context() as patch, Sandbox(deployments=deployments) as box:
        patch.setenv("SSL_CERT_DIR", empty)
        patch.delenv("SSL_CERT_FILE", raising=False)
        yield box


def settings_for(box: Sandbox, **more: object) -> Settings:
    """Settings for a sandbox and nothing of the machine's."""
    given: dict[str, object] = {
        "litellm_base_url": box.litellm_url,
        "litellm_api_key": box.api_key,
        "azure_openai_endpoint": box.azure_url,
        "azure_openai_api_key": box.api_key,
        "deadline": 5.0,
        **more,
    }
    return Settings(_env_file=None, **given)


def way(route: Route) -> str:
    """The route without its time: ``litellm/chat 503 -> azure/chat 200``.

    A refused connection has two names: asyncio does not always say why it could not connect.
    """
    return re.sub(r", \d+ ms$", "", str(route)).replace(" refused", " connect")


def hello(client: Any, **more: object) -> Any:
    """The plainest chat call."""
    return client.chat.completions.create(**{"model": "gpt-5", "messages": HELLO, **more})


def ask(client: Any, **more: object) -> Any:
    """The plainest Responses call."""
    return client.responses.create(**{"model": "gpt-5", "input": "hello there", **more})


def text_of(value: Any) -> str:
    """The text of a completion or response, or of the list of a stream's chunks or events."""
    if isinstance(value, list):
        parts = []
        for item in value:
            if hasattr(item, "choices"):
                parts += [(choice.delta.content or "") if choice.delta else "" for choice in item.choices]
            elif item.type == "response.output_text.delta":
                parts.append(item.delta)
        return "".join(parts)
    if hasattr(value, "choices"):
        return value.choices[0].message.content or ""
    return str(value.output_text)


@dataclass(frozen=True)
class Case:
    """One call.

    ``call`` takes a client of either kind and returns what its method does.  ``faults`` maps hops to faults.
    ``way`` is the route, ``text`` what the text of the answer contains, ``error`` the class it fails with (``message``
    a part of what that says), ``look`` a function that gives from the answer what must equal ``seen``.
    """

    name: str
    call: Callable[[Any], Any]
    way: str | None = None
    text: str | None = None
    error: type[Exception] | None = None
    message: str = ""
    faults: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, object] = field(default_factory=dict)
    look: Callable[[Any], object] | None = None
    seen: object = None


def _tool(value: Any) -> object:
    call = value.choices[0].message.tool_calls[0]
    return value.choices[0].finish_reason, call.function.name, sorted(json.loads(call.function.arguments))


def _block(**block: object) -> dict[str, object]:
    return {"extra_body": {"chatsheet": block}}


CASES: tuple[Case, ...] = (
    # chat
    Case("chat", hello, "litellm/chat 200", "Answered by litellm/chat as gpt-5."),
    Case("chat to a model of Responses", lambda c: hello(c, model="gpt-5-codex"), "litellm/responses 200",
         "as gpt-5-codex."),
    Case("chat bridged at azure", lambda c: hello(c.with_chain("azure/responses")), "azure/responses 200", "You said"),
    Case("chat at azure", lambda c: hello(c.with_chain("azure/chat")), "azure/chat 200", "Answered by azure/chat"),
    Case("tools", lambda c: hello(c, tools=[WEATHER], messages=[{"role": "user", "content": "call get_weather"}]),
         "litellm/chat 200", look=_tool, seen=("tool_calls", "get_weather", ["city"])),
    Case("tools bridged", lambda c: hello(c, model="gpt-5-codex", tools=[WEATHER], tool_choice="required"),
         "litellm/responses 200", look=_tool, seen=("tool_calls", "get_weather", ["city"])),
    Case("tools with reasoning go to responses",
         lambda c: hello(c, model="gpt-5.4", tools=[WEATHER], reasoning_effort="low"), "litellm/responses 200"),
    Case("parse", lambda c: c.chat.completions.parse(model="gpt-5", messages=HELLO, response_format=Said),
         "litellm/chat 200", look=lambda r: type(r.choices[0].message.parsed), seen=Said),
    Case("parse bridged", lambda c: c.chat.completions.parse(model="gpt-5-codex", messages=HELLO, response_format=Said),
         "litellm/responses 200", look=lambda r: type(r.choices[0].message.parsed), seen=Said),
    Case("usage bridged", lambda c: hello(c, model="gpt-5-codex"),
         look=lambda r: r.usage.prompt_tokens > 0 and r.usage.total_tokens > r.usage.prompt_tokens, seen=True),
    # chat streams
    Case("chat stream", lambda c: hello(c, stream=True), "litellm/chat 200", "Answered by litellm/chat as gpt-5."),
    Case("chat stream bridged", lambda c: hello(c, model="gpt-5-codex", stream=True), "litellm/responses 200",
         "Answered by litellm/responses as gpt-5-codex."),
    Case("chat stream at azure, with its quirks", lambda c: hello(c.with_chain("azure/chat"), stream=True),
         "azure/chat 200", "Answered by azure/chat"),
    Case("chat stream with usage", lambda c: hello(c, stream=True, stream_options={"include_usage": True}),
         look=lambda chunks: [chunk.usage.total_tokens > 0 for chunk in chunks if chunk.usage], seen=[True]),
    Case("chat stream bridged with usage",
         lambda c: hello(c, model="gpt-5-codex", stream=True, stream_options={"include_usage": True}),
         look=lambda chunks: [chunk.usage.total_tokens > 0 for chunk in chunks if chunk.usage], seen=[True]),
    # responses
    Case("responses", ask, "litellm/responses 200", "Answered by litellm/responses"),
    Case("responses at azure", lambda c: ask(c.with_chain("azure/responses")), "azure/responses 200", "hello there"),
    Case("responses stream", lambda c: ask(c, stream=True), "litellm/responses 200", "Answered by litellm/responses"),
    Case("responses parse", lambda c: c.responses.parse(model="gpt-5", input="hello", text_format=Said),
         "litellm/responses 200", look=lambda r: type(r.output_parsed), seen=Said),
    # other resources
    Case("models", lambda c: c.models.list(), "litellm 200", look=lambda p: sum(m.id == "o3" for m in p.data), seen=1),
    Case("one model", lambda c: c.models.retrieve("gpt-5"), "litellm 200", look=lambda m: m.id, seen="gpt-5"),
    Case("embeddings", lambda c: c.embeddings.create(model="text-embedding-3-small", input="x", dimensions=4),
         "litellm 200", look=lambda e: len(e.data[0].embedding), seen=4),
    Case("embeddings fail over", lambda c: c.embeddings.create(model="text-embedding-3-small", input="x"),
         "litellm 503 -> azure 200", faults={"litellm": "503"}),
    Case("moderations nowhere", lambda c: c.with_chain("azure").moderations.create(input="x"),
         error=errors.UnsupportedPathError, message="Azure OpenAI does not serve /moderations"),
    Case("moderations at the proxy", lambda c: c.moderations.create(input="x"),
         error=errors.DeploymentNotFoundError, way="litellm 404"),
    Case("files go to one hop only", lambda c: c.files.list(), error=errors.ProviderError, way="litellm 500",
         faults={"litellm": "500"}),
    # the block
    Case("block: chain", lambda c: hello(c, **_block(chain=["azure/chat"])), "azure/chat 200"),
    Case("block: chain as text", lambda c: hello(c, **_block(chain="azure/chat, litellm")), "azure/chat 200"),
    Case("block: mode", lambda c: hello(c, **_block(mode="responses")), "litellm/responses 200"),
    Case("block: deadline", lambda c: hello(c, **_block(deadline=0.3, chain="azure/chat")), "azure/chat read_timeout",
         error=errors.DeadlineExceededError, faults={"azure": "stall"}),
    Case("block: on_loss", lambda c: hello(c, model="gpt-5-codex", stop=["x"], **_block(on_loss="drop")),
         "litellm/responses 200", look=lambda r: [loss.path for loss in route_of(r).losses], seen=["stop"]),
    Case("block: nothing", lambda c: hello(c, extra_body={"chatsheet": None}), "litellm/chat 200"),
    *(
        Case(f"block: {value!r}", partial(hello, extra_body={"chatsheet": value}), error=errors.SettingsError,
             message=message)
        for value, message in (
            ("text", "must be a mapping"),
            ([], "must be a mapping"),
            ({"chian": []}, "has no 'chian'; it takes chain, mode, deadline, on_loss"),
            ({"chain": []}, "chain must list hops"),
            ({"chain": ""}, "chain must list hops"),
            ({"chain": 5}, "chain must list hops"),
            ({"chain": [5]}, "chain must list hops"),
            ({"chain": ["azur/chat"]}, "did you mean 'azure/chat'"),
            ({"chain": ["azure/caht"]}, "not 'caht'"),
            ({"mode": "talk"}, "mode must be one of chat, responses, messages"),
            ({"mode": ["chat"]}, "mode must be one of"),
            ({"deadline": 0}, "deadline must be a number of seconds greater than 0"),
            ({"deadline": -1}, "deadline must be"),
            ({"deadline": "5"}, "deadline must be"),
            ({"deadline": True}, "deadline must be"),
            ({"deadline": float("nan")}, "deadline must be"),
            ({"deadline": float("inf")}, "deadline must be"),
            ({"on_loss": "ignore"}, "on_loss must be 'error' or 'drop'"),
            ({"on_loss": []}, "on_loss must be 'error' or 'drop'"),
        )
    ),
    # what no hop can carry
    Case("stop has no place in responses", lambda c: hello(c, model="gpt-5-codex", stop=["x"]),
         error=errors.UnsupportedParameterError, message="can carry stop (litellm/responses"),
    Case("n has no place in responses", lambda c: hello(c, model="gpt-5-codex", n=2),
         error=errors.UnsupportedParameterError, message="can carry n (litellm/responses"),
    Case("a body that is none is the caller's fault",
         lambda c: hello(c, model="gpt-5-codex", messages=[{"role": "user"}]),
         error=errors.BadRequestError, message="messages[0].content"),
    Case("a hop that can carry it is taken",
         lambda c: hello(c.with_chain("azure/responses", "azure/chat"), model="gpt-4.1", stop=["zzz"]),
         "azure/chat 200"),
    # chains
    Case("an unconfigured hop is left out", lambda c: hello(c.with_chain("openai", "azure/chat")), "azure/chat 200",
         look=lambda r: [(skip.hop, skip.rule) for skip in route_of(r).skipped], seen=[("openai", "not configured")]),
    Case("nothing configured", lambda c: c.with_chain("openai"), error=errors.NoEndpointError,
         message="OPENAI_API_KEY"),
    Case("a chain of nothing", lambda c: c.with_chain(), error=errors.SettingsError, message="chain must list hops"),
    Case("a chain with a slip", lambda c: c.with_chain("azur/chat"), error=errors.SettingsError,
         message="did you mean"),
    # options
    Case("a timeout bounds one attempt", lambda c: hello(c.with_options(timeout=0.2)),
         "litellm/chat read_timeout -> azure/responses 200", faults={"litellm": "stall"}),
    Case("a timeout of a call bounds one attempt", lambda c: hello(c, timeout=0.2),
         "litellm/chat read_timeout -> azure/responses 200", faults={"litellm": "stall"}),
    Case("no retries", lambda c: hello(c.with_options(max_retries=0).with_chain("azure/chat")), "azure/chat 425",
         error=errors.ProviderError, faults={"azure": "425"}),
    Case("one retry", lambda c: hello(c.with_chain("azure/chat")), "azure/chat 425 -> azure/chat 200",
         faults={"azure": "425;times=1"}),
    Case("many retries", lambda c: hello(c.with_options(max_retries=5).with_chain("azure/chat")),
         "azure/chat 425 -> azure/chat 200", faults={"azure": "425;times=1"}),
    Case("a copy cannot change a key", lambda c: c.copy(api_key="x"), error=errors.SettingsError, message="api_key"),
    Case("a copy cannot change the URL", lambda c: c.with_options(base_url="x"), error=errors.SettingsError,
         message="base_url"),
    Case("a deadline must be one", lambda c: c.copy(deadline=-1), error=errors.SettingsError, message="deadline"),
    Case("on_loss must be one", lambda c: c.copy(on_loss="no"), error=errors.SettingsError, message="on_loss"),
    Case("a credential for everyone", lambda c: hello(c, extra_headers={"Authorization": "Bearer x"}),
         error=errors.SettingsError, message="would go to every endpoint"),
    # failures
    Case("a filter is one send", hello, "litellm/chat 400", error=errors.ContentFilteredError,
         faults={"litellm": "400:content_filter"}),
    Case("a caller's fault is one send", hello, "litellm/chat 400", error=errors.BadRequestError,
         faults={"litellm": "400"}),
    Case("too long is one send", hello, "litellm/chat 400", error=errors.ContextLengthError,
         faults={"litellm": "400:context_length_exceeded"}),
    Case("the proxy is down", hello, "litellm/chat connect -> azure/responses 200", faults={"litellm": "refuse"}),
    Case("everything is down", hello, "litellm/chat connect -> azure/responses connect -> azure/responses connect",
         error=errors.HopConnectionError, faults={"litellm": "refuse", "azure": "refuse"}),
    Case("a stream fails over before content", lambda c: hello(c, stream=True),
         "litellm/chat truncated -> azure/responses 200", "Answered by azure/responses", faults={"litellm": "cut:0"}),
    Case("a Responses stream fails over before content", lambda c: ask(c, stream=True),
         "litellm/responses truncated -> azure/responses 200", "Answered by azure/", faults={"litellm": "cut:0"}),
    Case("an empty message list", lambda c: hello(c, messages=[]), "litellm/chat 400", error=errors.BadRequestError),
    Case("text that is none", lambda c: hello(c, messages=[{"role": "user", "content": "\ud800"}]),
         "litellm/chat unsendable", error=errors.BadRequestError),
)  # fmt: skip


@dataclass(frozen=True)
class Silent:
    """A provider that is too slow in some way, and whether the call is streamed."""

    fault: str
    stream: bool
    chain: tuple[str, ...]


SILENT: tuple[Silent, ...] = tuple(
    Silent(fault, stream, chain)
    for fault in ("stall", "slow:3", "drip:0.02", "503", "429", "503;retry-after=2", "429;retry-after=100")
    for stream in (False, True)
    for chain in (("azure/chat",), ("litellm", "azure/responses"))
)
DEADLINE = 0.12
LATE = 0.25
"""What the promise allows beyond the deadline, in seconds."""

INTERRUPTED: tuple[tuple[str, type[errors.StreamInterrupted]], ...] = (
    ("cut:2", errors.StreamTruncated),
    ("rst:2", errors.StreamInterrupted),
    ("event-error:server_error@2", errors.StreamInterrupted),
    ("failed:rate_limit_exceeded@2", errors.StreamInterrupted),
    ("stall:2", errors.StreamInterrupted),
)
"""Faults behind the second piece of content, and the error they are."""
