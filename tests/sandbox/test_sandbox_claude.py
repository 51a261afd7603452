"""The sandbox as Anthropic and as Claude on Foundry, asked by Anthropic's own SDK: what it answers, what it refuses."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, get_args

import anthropic
import pytest
from anthropic.types import ContentBlockParam
from anthropic.types.message_create_params import MessageCreateParamsStreaming
from typing_extensions import get_type_hints

from chatsheet_llm.classify import classify_event, classify_reply
from chatsheet_llm.sandbox import Sandbox
from chatsheet_llm.sandbox.claude import BLOCKS, PARAMETERS
from chatsheet_llm.sandbox.messages import REDACT

Json = dict[str, Any]

USER: Json = {"role": "user", "content": "Hello"}
HELLO: Json = {"model": "claude-opus-5-5", "max_tokens": 4000, "messages": [USER]}
SCHEMA: Json = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
TOOLS: list[Json] = [{"name": name, "input_schema": SCHEMA} for name in ("get_weather", "get_time")]
PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
USE: Json = {"type": "tool_use", "id": "toolu_1", "name": "get_weather", "input": {"city": "Oslo"}}
RESULT: Json = {"type": "tool_result", "tool_use_id": "toolu_1", "content": "12 degrees"}
ADAPTIVE: Json = {"type": "adaptive"}


@pytest.fixture(params=["anthropic", "foundry"])
def claude(request: pytest.FixtureRequest, box: Sandbox) -> Iterator[anthropic.Anthropic]:
    if request.param == "anthropic":
        made = anthropic.Anthropic(base_url=box.anthropic_url, api_key=box.api_key, max_retries=0)
    else:
        url = f"{box.azure_url}/anthropic"
        made = anthropic.AnthropicFoundry(base_url=url, api_key=box.api_key, max_retries=0)
    with made:
        yield made


def say(client: anthropic.Anthropic, **more: Any) -> Any:
    return client.messages.create(**{**HELLO, **more})


def stream(client: anthropic.Anthropic, **more: Any) -> Any:
    with client.messages.stream(**{**HELLO, **more}) as streamed:
        return streamed.get_final_message()


def turns(*contents: object) -> list[Json]:
    """Messages of the user and the assistant in turn."""
    return [{"role": ("user", "assistant")[at % 2], "content": content} for at, content in enumerate(contents)]


# --- what it answers


ASKED: Mapping[str, tuple[Json, list[str], str]] = {
    "system as a list": (
        {"system": [{"type": "text", "text": "be brief", "cache_control": {"type": "ephemeral"}}]}, ["text"], "end_turn"
    ),
    "an image and a document": (
        {"messages": turns([
            {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}},
            {"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}},
            {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0="}},
            {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "a"}, "title": "t"},
            {"type": "text", "text": "Hello"},
        ])},
        ["text"], "end_turn",
    ),
    "adaptive thinking": ({"thinking": ADAPTIVE, "output_config": {"effort": "low"}}, ["thinking", "text"], "end_turn"),
    "thinking with a budget": (
        {"thinking": {"type": "enabled", "budget_tokens": 1024}}, ["thinking", "text"], "end_turn"
    ),
    "thinking that is not shown": (
        {"thinking": {"type": "adaptive", "display": "omitted"}}, ["thinking", "text"], "end_turn"
    ),
    "thinking that cannot be read": (
        {"thinking": ADAPTIVE, "messages": turns(f"{REDACT}_1")}, ["redacted_thinking", "text"], "end_turn"
    ),
    "effort without thinking": ({"output_config": {"effort": "high"}}, ["text"], "end_turn"),
    "two calls at once": (
        {"tools": TOOLS, "messages": turns("call get_weather and get_time")}, ["tool_use", "tool_use"], "tool_use"
    ),
    "one call at a time": (
        {"tools": TOOLS, "messages": turns("call get_weather and get_time"),
         "tool_choice": {"type": "auto", "disable_parallel_tool_use": True}},
        ["tool_use"], "tool_use",
    ),
    "a call after thinking": (
        {"tools": TOOLS, "messages": turns("call get_weather"), "thinking": ADAPTIVE}, ["thinking", "tool_use"],
        "tool_use",
    ),
    "results": ({"tools": TOOLS, "messages": turns("call get_weather", [USE], [RESULT])}, ["text"], "end_turn"),
    "a schema": (
        {"output_config": {"format": {"type": "json_schema", "schema": SCHEMA}}}, ["text"], "end_turn"
    ),
    "a stop sequence": ({"stop_sequences": ["said"]}, ["text"], "stop_sequence"),
    "a limit": ({"max_tokens": 2}, ["text"], "max_tokens"),
    "a refusal": ({"messages": turns("refuse politely")}, [], "refusal"),
    "a prefill": ({"messages": turns("Hello", "You")}, ["text"], "end_turn"),
}  # fmt: skip


@pytest.mark.parametrize(("body", "blocks", "reason"), ASKED.values(), ids=ASKED)
def test_claude_answers_whole_as_it_answers_streamed(
    claude: anthropic.Anthropic, body: Json, blocks: list[str], reason: str
) -> None:
    whole, folded = say(claude, **body), stream(claude, **body)

    assert [block.type for block in whole.content] == [block.type for block in folded.content] == blocks
    assert whole.stop_reason == folded.stop_reason == reason
    assert [without_ids(block) for block in whole.content] == [without_ids(block) for block in folded.content]
    assert whole.usage.output_tokens == folded.usage.output_tokens


def without_ids(block: Any) -> Json:
    return {name: value for name, value in block.to_dict().items() if name not in ("id", "signature", "data")}


def test_thinking_goes_back_with_its_signature_and_counts_its_tokens(claude: anthropic.Anthropic) -> None:
    first = say(claude, thinking=ADAPTIVE, tools=TOOLS, messages=turns("call get_weather"))
    thought, call = (block.to_dict() for block in first.content)
    result = {"type": "tool_result", "tool_use_id": call["id"], "content": [{"type": "text", "text": "12 degrees"}]}
    second = say(claude, thinking=ADAPTIVE, tools=TOOLS, messages=turns("call get_weather", [thought, call], [result]))

    assert "12 degrees" in second.content[-1].text
    assert first.usage.to_dict()["output_tokens_details"]["thinking_tokens"] > 0


def test_redacted_thinking_goes_back_too(claude: anthropic.Anthropic) -> None:
    asked = f"{REDACT}_1"
    first = stream(claude, thinking=ADAPTIVE, messages=turns(asked))
    second = say(claude, messages=turns(asked, [block.to_dict() for block in first.content], "and now?"))

    assert "and now?" in second.content[0].text


def test_thinking_that_is_not_shown_is_signed_all_the_same(claude: anthropic.Anthropic) -> None:
    thought = stream(claude, thinking={"type": "adaptive", "display": "omitted"}).content[0]

    assert thought.thinking == ""
    assert thought.signature


# --- what it refuses


WRONG: Mapping[str, tuple[Json, str]] = {
    "a parameter of OpenAI's": ({"extra_body": {"n": 2}}, "n: Extra inputs are not permitted"),
    "a role of OpenAI's": ({"messages": [{"role": "tool", "content": "x"}]}, "role"),
    "a block of OpenAI's": ({"messages": turns([{"type": "input_text", "text": "x"}])}, "Input tag 'input_text'"),
    "a call by the user": ({"messages": turns([USE])}, "Input tag 'tool_use'"),
    "a data URL": (
        {"messages": turns([{
            "type": "image",
            "source": {"type": "base64", "media_type": "image/png", "data": f"data:image/png;base64,{PNG}"},
        }])},
        "invalid base64",
    ),
    "a source that is none": ({"messages": turns([{"type": "image", "source": {"type": "data"}}])}, "image.source"),
    "an empty text": ({"messages": turns([{"type": "text", "text": ""}])}, "must be non-empty"),
    "an empty message": ({"messages": turns("a", "", "b")}, "non-empty content"),
    "a prefill that ends in a blank": ({"messages": turns("a", "b ")}, "trailing whitespace"),
    "a call that nobody answered": ({"messages": turns("a", [USE], "b")}, "without `tool_result` blocks"),
    "a call at the end": ({"messages": turns("a", [USE])}, "without `tool_result` blocks"),
    "an answer to no call": ({"messages": turns("a", "b", [RESULT])}, "unexpected `tool_use_id`"),
    "arguments as text": ({"messages": turns("a", [{**USE, "input": "{}"}], [RESULT])}, "valid dictionary"),
    "an id with a dot": ({"messages": turns("a", [{**USE, "id": "call.1"}], "b")}, "tool_use.id"),
    "a seal of another's": (
        {"messages": turns("a", [{"type": "thinking", "thinking": "t", "signature": "gAAAA"}], "b")},
        "Invalid `signature` in `thinking` block",
    ),
    "redacted thinking of another's": (
        {"messages": turns("a", [{"type": "redacted_thinking", "data": "gAAAA"}], "b")}, "Invalid `data`"
    ),
    "a tool's name with a dot": ({"tools": [{"name": "a.b", "input_schema": SCHEMA}]}, "tools.0.custom.name"),
    "two tools of one name": ({"tools": [TOOLS[0], TOOLS[0]]}, "must be unique"),
    "a tool without a schema's type": ({"tools": [{"name": "a", "input_schema": {}}]}, "input_schema.type"),
    "a choice of no tools": ({"tool_choice": {"type": "any"}}, "while providing `tools`"),
    "a small budget": ({"thinking": {"type": "enabled", "budget_tokens": 9}}, "greater than or equal to 1024"),
    "a budget above the limit": (
        {"thinking": {"type": "enabled", "budget_tokens": 4000}}, "must be greater than `thinking.budget_tokens`"
    ),
    "thinking and a forced call": (
        {"thinking": {"type": "enabled", "budget_tokens": 1024}, "max_tokens": 2000, "tools": TOOLS,
         "tool_choice": {"type": "any"}}, "forces tool use"
    ),
    "thinking and a temperature": (
        {"thinking": ADAPTIVE, "extra_body": {"temperature": 0.5}}, "may only be set to 1"
    ),
    "no model": ({"model": ""}, "model: Field required"),
}  # fmt: skip


@pytest.mark.parametrize(("body", "said"), WRONG.values(), ids=WRONG)
def test_claude_refuses_what_is_not_of_its_format(claude: anthropic.Anthropic, body: Json, said: str) -> None:
    with pytest.raises(anthropic.BadRequestError) as caught:
        say(claude, **body)
    failure = classify_reply(400, caught.value.response.headers, caught.value.response.content)

    assert said in str(caught.value.body)
    assert caught.value.body["type"] == "error"  # type: ignore[index]
    fault = "state" if "signature" in said else "invalid_request"
    assert (failure.fault, failure.type) == (fault, "invalid_request_error")
    assert failure.request_id


def test_a_beta_may_bring_more(claude: anthropic.Anthropic) -> None:
    headers = {"anthropic-beta": "context-management-2025-06-27"}

    made = say(claude, extra_headers=headers, extra_body={"context_management": {"edits": []}})

    assert made.stop_reason == "end_turn"


def test_the_sandbox_knows_what_the_sdk_can_ask_without_a_beta() -> None:
    asked = set(get_type_hints(MessageCreateParamsStreaming)) - {"user_profile_id", "workspace_id"}
    kinds = {kind for param in get_args(ContentBlockParam) for kind in get_args(get_type_hints(param)["type"])}

    assert asked - PARAMETERS == set()
    assert kinds - frozenset().union(*BLOCKS.values()) == set()
    assert {"text", "tool_use"} <= kinds


# --- how it fails


@pytest.mark.parametrize(
    ("fault", "kind", "named"),
    [
        ("400:context_length_exceeded", "invalid_request_error", "context_length"),
        ("400:billing", "invalid_request_error", "quota"),
        ("413", "request_too_large", "too_large"),
        ("429", "rate_limit_error", "rate"),
        ("429:enforced_spend_limit_reached", "rate_limit_error", "quota"),
        ("500", "api_error", "server_error"),
        ("504", "timeout_error", "gateway_timeout"),
        ("529", "overloaded_error", "overload"),
    ],
)
def test_the_model_fails_in_anthropic_s_words_wherever_it_runs(
    claude: anthropic.Anthropic, box: Sandbox, fault: str, kind: str, named: str
) -> None:
    for role in ("anthropic", "azure"):
        box.inject(f"{role}/messages", fault)
    with pytest.raises(anthropic.APIStatusError) as caught:
        say(claude)
    response = caught.value.response

    assert response.json()["error"]["type"] == kind
    assert response.headers["request-id"].startswith("req_")
    assert classify_reply(response.status_code, response.headers, response.content).fault == named


@pytest.mark.parametrize(("after", "state"), [(0, "rejected"), (3, "committed")])
def test_claude_is_overloaded_inside_a_200_before_and_after_content(
    claude: anthropic.Anthropic, box: Sandbox, after: int, state: str
) -> None:
    for role in ("anthropic", "azure"):
        box.inject(f"{role}/messages", f"event-error:overloaded_error@{after}")
    seen: list[object] = []

    def listen() -> None:
        with claude.messages.stream(**HELLO) as streamed:
            seen.extend(event for event in streamed if event.type == "content_block_delta")

    with pytest.raises(anthropic.APIStatusError) as caught:
        listen()
    event: Any = caught.value.body
    failure = classify_event(event, caught.value.response.headers, content_seen=bool(seen))

    assert (caught.value.status_code, len(seen)) == (200, after)
    assert (failure.fault, failure.send_state) == ("overload", state)


@pytest.mark.parametrize("how", ["x-api-key", "api-key", "bearer"])
def test_foundry_takes_its_key_in_any_of_its_headers(box: Sandbox, how: str) -> None:
    token = {"azure_ad_token_provider": lambda: box.api_key} if how == "bearer" else {"api_key": "wrong"}
    headers = {} if how == "bearer" else {"x-api-key": anthropic.omit, "api-key": anthropic.omit, how: box.api_key}
    with anthropic.AnthropicFoundry(base_url=f"{box.azure_url}/anthropic", **token) as client:  # type: ignore[arg-type]
        message = say(client, extra_headers=headers)

    assert message.stop_reason == "end_turn"


def test_the_front_end_of_foundry_speaks_for_azure(box: Sandbox) -> None:
    with (
        anthropic.AnthropicFoundry(base_url=f"{box.azure_url}/anthropic", api_key="wrong", max_retries=0) as client,
        pytest.raises(anthropic.AuthenticationError) as caught,
    ):
        say(client)

    assert caught.value.response.json()["error"]["code"] == "401"
    assert caught.value.response.headers["apim-request-id"]
