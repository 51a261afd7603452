"""What the official SDKs make of the sandbox's answers, for every role: text, streams, tools, JSON, refusals, usage."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import anthropic
import openai
import pytest
from pydantic import BaseModel

from chatsheet_llm.sandbox import Sandbox

HELLO: list[Any] = [{"role": "user", "content": "Hello from the test"}]
WEATHER: dict[str, Any] = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "days": {"type": "integer", "minimum": 2}},
    "required": ["city", "days"],
    "additionalProperties": False,
}
CHAT_TOOL: Any = {"type": "function", "function": {"name": "get_weather", "parameters": WEATHER, "strict": True}}
RESPONSES_TOOL: Any = {"type": "function", "name": "get_weather", "parameters": WEATHER, "strict": True}
CLAUDE_TOOL: Any = {"name": "get_weather", "input_schema": WEATHER}
CHAT_ROLES = ["litellm", "azure", "openai"]


class City(BaseModel):
    name: str
    inhabitants: int
    districts: list[str]


@pytest.fixture(scope="module")
def box() -> Iterator[Sandbox]:
    with Sandbox() as made:
        yield made


@pytest.fixture(scope="module")
def clients(box: Sandbox) -> Iterator[dict[str, openai.OpenAI]]:
    urls = {
        "litellm": f"{box.litellm_url}/v1",
        "azure": f"{box.azure_url}/openai/v1",
        "openai": f"{box.openai_url}/v1",
    }
    made = {role: openai.OpenAI(base_url=url, api_key=box.api_key, max_retries=0) for role, url in urls.items()}
    yield made
    for client in made.values():
        client.close()


@pytest.fixture(params=CHAT_ROLES)
def role(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def client(clients: dict[str, openai.OpenAI], role: str) -> openai.OpenAI:
    return clients[role]


@pytest.fixture(scope="module")
def claude(box: Sandbox) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(base_url=box.anthropic_url, api_key=box.api_key, max_retries=0) as made:
        yield made


# Text


def test_a_chat_answer_says_what_was_said_and_who_answered(client: openai.OpenAI, role: str) -> None:
    completion = client.chat.completions.create(model="gpt-5", messages=HELLO)

    content = completion.choices[0].message.content or ""
    assert "You said: Hello from the test" in content
    assert f"Answered by {role}/chat as gpt-5." in content
    assert completion.choices[0].finish_reason == "stop"
    assert completion.usage is not None
    assert completion.usage.prompt_tokens == 4
    assert completion.usage.total_tokens == completion.usage.prompt_tokens + completion.usage.completion_tokens


def test_a_chat_stream_carries_the_text_of_the_whole_answer(client: openai.OpenAI) -> None:
    whole = client.chat.completions.create(model="gpt-5", messages=HELLO)
    chunks = list(client.chat.completions.create(model="gpt-5", messages=HELLO, stream=True))

    deltas = [choice.delta for chunk in chunks for choice in chunk.choices if choice.delta is not None]
    assert "".join(delta.content or "" for delta in deltas) == whole.choices[0].message.content
    assert sum(bool(delta.content) for delta in deltas) > 5


def test_a_response_says_what_was_said_and_who_answered(client: openai.OpenAI, role: str) -> None:
    response = client.responses.create(model="gpt-5-codex", input="Hello from the test")

    assert "You said: Hello from the test" in response.output_text
    assert f"Answered by {role}/responses as gpt-5-codex." in response.output_text
    assert response.status == "completed"
    assert response.usage is not None
    assert response.usage.total_tokens == response.usage.input_tokens + response.usage.output_tokens


def test_a_responses_stream_folds_into_the_same_response(client: openai.OpenAI) -> None:
    whole = client.responses.create(model="gpt-5", input="Hello", reasoning={"effort": "low", "summary": "auto"})
    with client.responses.stream(
        model="gpt-5", input="Hello", reasoning={"effort": "low", "summary": "auto"}
    ) as stream:
        events = list(stream)
        folded = stream.get_final_response()

    assert folded.output_text == whole.output_text
    assert [item.type for item in folded.output] == [item.type for item in whole.output] == ["reasoning", "message"]
    assert folded.usage == whole.usage
    numbers = [event.sequence_number for event in events]
    assert numbers == list(range(len(numbers)))


def test_a_claude_answers_whole_and_as_a_stream(claude: anthropic.Anthropic) -> None:
    whole = claude.messages.create(model="claude-sonnet-5-5", max_tokens=100, messages=HELLO)
    with claude.messages.stream(model="claude-sonnet-5-5", max_tokens=100, messages=HELLO) as stream:
        folded = stream.get_final_message()

    assert whole.content[0].type == "text"
    assert "Answered by anthropic/messages as claude-sonnet-5-5." in whole.content[0].text
    assert [block.to_dict() for block in folded.content] == [block.to_dict() for block in whole.content]
    assert folded.stop_reason == whole.stop_reason == "end_turn"
    assert folded.usage.output_tokens == whole.usage.output_tokens


def test_conversations_with_several_instructions_are_taken(client: openai.OpenAI) -> None:
    messages: list[Any] = [
        {"role": "system", "content": "one"},
        {"role": "system", "content": [{"type": "text", "text": "two"}]},
        {"role": "user", "content": "first"},
        {"role": "assistant", "content": "answer"},
        {"role": "user", "content": [{"type": "text", "text": "second"}, {"type": "text", "text": "question"}]},
    ]

    chat = client.chat.completions.create(model="gpt-5", messages=messages)
    response = client.responses.create(
        model="gpt-5",
        instructions="be brief",
        input=[{"role": item["role"], "content": "second question"} for item in messages],
    )

    assert "You said: second question" in (chat.choices[0].message.content or "")
    assert "You said: second question" in response.output_text


# Tools


def test_a_forced_tool_is_called_with_arguments_of_its_schema(client: openai.OpenAI) -> None:
    forced: Any = {"type": "function", "function": {"name": "get_weather"}}
    for choice in ("required", forced):
        completion = client.chat.completions.create(
            model="gpt-5", messages=HELLO, tools=[CHAT_TOOL], tool_choice=choice
        )

        calls = completion.choices[0].message.tool_calls or []
        assert completion.choices[0].finish_reason == "tool_calls"
        assert [call.function.name for call in calls if call.type == "function"] == ["get_weather"]
        assert json.loads(calls[0].function.arguments) == {"city": "Hello from the test", "days": 2}  # type: ignore[union-attr]


def test_a_tool_that_the_user_names_is_called_unless_tools_are_off(client: openai.OpenAI) -> None:
    messages: list[Any] = [{"role": "user", "content": "Use get_weather for Oslo"}]

    auto = client.chat.completions.create(model="gpt-5", messages=messages, tools=[CHAT_TOOL])
    none = client.chat.completions.create(model="gpt-5", messages=messages, tools=[CHAT_TOOL], tool_choice="none")
    other = client.chat.completions.create(model="gpt-5", messages=HELLO, tools=[CHAT_TOOL])

    assert auto.choices[0].message.tool_calls
    assert not none.choices[0].message.tool_calls
    assert not other.choices[0].message.tool_calls


def test_two_named_tools_are_called_in_parallel_unless_that_is_off(client: openai.OpenAI) -> None:
    tools = [RESPONSES_TOOL, {**RESPONSES_TOOL, "name": "get_time"}]

    both = client.responses.create(model="gpt-5", input="get_weather and get_time", tools=tools)
    one = client.responses.create(
        model="gpt-5", input="get_weather and get_time", tools=tools, parallel_tool_calls=False
    )

    assert [item.name for item in both.output if item.type == "function_call"] == ["get_weather", "get_time"]
    assert [item.type for item in one.output] == ["function_call"]


def test_streamed_tool_calls_add_up(client: openai.OpenAI) -> None:
    with client.chat.completions.stream(
        model="gpt-4o", messages=HELLO, tools=[CHAT_TOOL], tool_choice="required"
    ) as stream:
        chat = stream.get_final_completion()
    with client.responses.stream(
        model="gpt-5", input="Hello from the test", tools=[RESPONSES_TOOL], tool_choice="required"
    ) as events:
        response = events.get_final_response()

    call = (chat.choices[0].message.tool_calls or [])[0]
    item = response.output[0]
    assert item.type == "function_call"
    assert (
        json.loads(call.function.arguments) == json.loads(item.arguments) == {"city": "Hello from the test", "days": 2}
    )


def test_after_a_tool_result_comes_text_that_quotes_it(client: openai.OpenAI) -> None:
    asked: list[Any] = [{"role": "user", "content": "Use get_weather for Oslo"}]
    first = client.chat.completions.create(model="gpt-5", messages=asked, tools=[CHAT_TOOL]).choices[0].message
    assert first.tool_calls
    result: Any = {"role": "tool", "tool_call_id": first.tool_calls[0].id, "content": "minus four and snow"}
    called: Any = first.to_dict()
    second = client.chat.completions.create(model="gpt-5", messages=[*asked, called, result], tools=[CHAT_TOOL])

    opening = client.responses.create(model="gpt-5", input="Use get_weather for Oslo", tools=[RESPONSES_TOOL])
    call = next(item for item in opening.output if item.type == "function_call")
    closing = client.responses.create(
        model="gpt-5",
        previous_response_id=opening.id,
        input=[{"type": "function_call_output", "call_id": call.call_id, "output": "minus four and snow"}],
        tools=[RESPONSES_TOOL],
    )

    assert "minus four and snow" in (second.choices[0].message.content or "")
    assert "minus four and snow" in closing.output_text


def test_custom_tools_get_plain_text(client: openai.OpenAI) -> None:
    chat_tool: Any = {"type": "custom", "custom": {"name": "shell"}}
    response_tool: Any = {"type": "custom", "name": "shell"}

    chat = client.chat.completions.create(model="gpt-5", messages=HELLO, tools=[chat_tool], tool_choice="required")
    with client.responses.stream(
        model="gpt-5", input="Hello from the test", tools=[response_tool], tool_choice="required"
    ) as stream:
        kinds = [event.type for event in stream]
        item = stream.get_final_response().output[0]

    call = (chat.choices[0].message.tool_calls or [])[0]
    assert call.type == "custom"
    assert item.type == "custom_tool_call"
    assert call.custom.input == item.input == "Hello from the test"
    assert "response.custom_tool_call_input.delta" in kinds


def test_allowed_tools_narrow_the_choice(client: openai.OpenAI) -> None:
    tools = [RESPONSES_TOOL, {**RESPONSES_TOOL, "name": "get_time"}]
    allowed: Any = {"type": "allowed_tools", "mode": "required", "tools": [{"type": "function", "name": "get_time"}]}

    response = client.responses.create(model="gpt-5", input="get_weather", tools=tools, tool_choice=allowed)

    assert [item.name for item in response.output if item.type == "function_call"] == ["get_time"]


def test_legacy_functions_are_called(client: openai.OpenAI) -> None:
    completion = client.chat.completions.create(
        model="gpt-4o",
        messages=HELLO,
        functions=[{"name": "get_weather", "parameters": WEATHER}],
        function_call={"name": "get_weather"},
    )

    assert completion.choices[0].finish_reason == "function_call"
    assert completion.choices[0].message.function_call is not None
    assert completion.choices[0].message.function_call.name == "get_weather"


def test_claude_calls_tools_and_quotes_their_results(claude: anthropic.Anthropic) -> None:
    asked: Any = {"role": "user", "content": "Use get_weather for Oslo"}
    with claude.messages.stream(model="c", max_tokens=100, messages=[asked], tools=[CLAUDE_TOOL]) as stream:
        first = stream.get_final_message()
    block = first.content[0]
    assert block.type == "tool_use"
    result: Any = {"type": "tool_result", "tool_use_id": block.id, "content": "minus four and snow"}
    turns: list[Any] = [asked, {"role": "assistant", "content": first.content}, {"role": "user", "content": [result]}]
    second = claude.messages.create(model="c", max_tokens=100, messages=turns, tools=[CLAUDE_TOOL])

    assert first.stop_reason == "tool_use"
    assert block.input == {"city": "Use get_weather for Oslo", "days": 2}
    assert second.content[0].type == "text"
    assert "minus four and snow" in second.content[0].text


# JSON


def test_a_json_schema_is_satisfied_and_parsed(client: openai.OpenAI) -> None:
    chat = client.chat.completions.parse(model="gpt-5", messages=HELLO, response_format=City)
    response = client.responses.parse(model="gpt-5", input="Hello from the test", text_format=City)

    expected = City(name="Hello from the test", inhabitants=1, districts=["Hello from the test"])
    assert chat.choices[0].message.parsed == expected
    assert response.output_parsed == expected


def test_a_json_schema_is_satisfied_by_claude(claude: anthropic.Anthropic) -> None:
    message = claude.messages.parse(model="c", max_tokens=100, messages=HELLO, output_format=City)

    assert message.parsed_output == City(name="Hello from the test", inhabitants=1, districts=["Hello from the test"])


def test_json_mode_gives_an_object_with_an_answer(client: openai.OpenAI) -> None:
    chat = client.chat.completions.create(model="gpt-5", messages=HELLO, response_format={"type": "json_object"})
    response = client.responses.create(model="gpt-5", input="Hello", text={"format": {"type": "json_object"}})

    assert "Hello from the test" in json.loads(chat.choices[0].message.content or "")["answer"]
    assert "Hello" in json.loads(response.output_text)["answer"]


# Refusals, reasoning, limits


def test_a_refusal_arrives_whole_and_streamed(client: openai.OpenAI) -> None:
    words = "Please refuse politely"
    messages: list[Any] = [{"role": "user", "content": words}]
    whole = client.chat.completions.create(model="gpt-4o", messages=messages).choices[0].message
    chunks = client.chat.completions.create(model="gpt-4o", messages=messages, stream=True)
    streamed = "".join(c.delta.refusal or "" for chunk in chunks for c in chunk.choices if c.delta is not None)
    with client.responses.stream(model="gpt-5", input=words) as stream:
        kinds = [event.type for event in stream]
        message = stream.get_final_response().output[0]

    assert whole.content is None
    assert whole.refusal
    assert streamed == whole.refusal
    assert "response.refusal.delta" in kinds
    assert message.type == "message"
    assert message.content[0].type == "refusal"
    assert message.content[0].refusal == whole.refusal


def test_claude_refuses_with_its_stop_reason(claude: anthropic.Anthropic) -> None:
    messages: list[Any] = [{"role": "user", "content": "Please refuse politely"}]
    whole = claude.messages.create(model="c", max_tokens=100, messages=messages)
    with claude.messages.stream(model="c", max_tokens=100, messages=messages) as stream:
        streamed = stream.get_final_message()

    assert whole.stop_reason == streamed.stop_reason == "refusal"
    assert whole.stop_details is not None


def test_reasoning_effort_costs_reasoning_tokens(client: openai.OpenAI) -> None:
    chat = client.chat.completions.create(model="gpt-5", messages=HELLO, reasoning_effort="low")
    response = client.responses.create(
        model="gpt-5",
        input="Hello",
        reasoning={"effort": "high", "summary": "auto"},
        include=["reasoning.encrypted_content"],
    )

    assert chat.usage is not None
    assert chat.usage.completion_tokens_details is not None
    assert chat.usage.completion_tokens_details.reasoning_tokens == 16
    assert response.usage is not None
    assert response.usage.output_tokens_details.reasoning_tokens == 128
    item = response.output[0]
    assert item.type == "reasoning"
    assert item.summary[0].text
    assert item.encrypted_content


def test_sealed_reasoning_is_taken_back_only_where_it_was_sealed(clients: dict[str, openai.OpenAI]) -> None:
    item = clients["azure"].responses.create(
        model="gpt-5", input="x", reasoning={"effort": "low"}, include=["reasoning.encrypted_content"], store=False
    )
    turns: list[Any] = [*(part.to_dict() for part in item.output), {"role": "user", "content": "and now?"}]

    again = clients["azure"].responses.create(model="gpt-5", input=turns)
    with pytest.raises(openai.BadRequestError) as caught:
        clients["openai"].responses.create(model="gpt-5", input=turns)

    assert "and now?" in again.output_text
    assert caught.value.code == "invalid_encrypted_content"


def test_claude_thinks_when_told_to(claude: anthropic.Anthropic) -> None:
    with claude.messages.stream(
        model="c", max_tokens=2000, messages=HELLO, thinking={"type": "enabled", "budget_tokens": 1024}
    ) as stream:
        message = stream.get_final_message()

    assert [block.type for block in message.content] == ["thinking", "text"]
    assert message.content[0].type == "thinking"
    assert message.content[0].signature


def test_a_small_token_limit_cuts_the_answer(client: openai.OpenAI, claude: anthropic.Anthropic) -> None:
    chat = client.chat.completions.create(model="gpt-5", messages=HELLO, max_completion_tokens=3)
    response = client.responses.create(model="gpt-5", input="Hello from the test", max_output_tokens=3)
    message = claude.messages.create(model="c", max_tokens=3, messages=HELLO)

    assert chat.choices[0].finish_reason == "length"
    assert chat.choices[0].message.content == response.output_text == "You said: Hello"
    assert response.status == "incomplete"
    assert response.incomplete_details is not None
    assert response.incomplete_details.reason == "max_output_tokens"
    assert message.stop_reason == "max_tokens"


def test_a_stop_sequence_ends_the_answer(clients: dict[str, openai.OpenAI], claude: anthropic.Anthropic) -> None:
    chat = clients["openai"].chat.completions.create(model="gpt-4o", messages=HELLO, stop=["from"])
    message = claude.messages.create(model="c", max_tokens=50, messages=HELLO, stop_sequences=["from"])

    assert chat.choices[0].message.content == "You said: Hello "
    assert (message.stop_reason, message.stop_sequence) == ("stop_sequence", "from")


def test_n_gives_that_many_choices_whole_and_streamed(client: openai.OpenAI) -> None:
    whole = client.chat.completions.create(model="gpt-4o", messages=HELLO, n=3)
    chunks = list(client.chat.completions.create(model="gpt-4o", messages=HELLO, n=3, stream=True))

    finished = [choice.index for chunk in chunks for choice in chunk.choices if choice.finish_reason]
    assert [choice.index for choice in whole.choices] == finished == [0, 1, 2]


# The smaller APIs


def test_embeddings_are_the_same_for_the_same_text_in_either_encoding(client: openai.OpenAI) -> None:
    packed = client.embeddings.create(model="text-embedding-3-small", input=["one", "two"])
    plain = client.embeddings.create(model="text-embedding-3-small", input="one", encoding_format="float")
    small = client.embeddings.create(model="text-embedding-3-small", input=[[1, 2, 3]], dimensions=8)

    assert len(packed.data[0].embedding) == 1536
    assert packed.data[0].embedding == pytest.approx(plain.data[0].embedding, abs=1e-6)
    assert packed.data[0].embedding != packed.data[1].embedding
    assert len(small.data[0].embedding) == 8
    assert small.usage.prompt_tokens == 3


def test_models_are_listed_and_found(client: openai.OpenAI, claude: anthropic.Anthropic) -> None:
    names = [model.id for model in client.models.list()]

    assert "gpt-5-codex" in names
    assert client.models.retrieve("gpt-5-codex").id == "gpt-5-codex"
    assert "claude-sonnet-5-5" in [model.id for model in claude.models.list()]


def test_litellm_says_the_mode_of_a_model(clients: dict[str, openai.OpenAI]) -> None:
    modes = {model.id: (model.model_extra or {})["mode"] for model in clients["litellm"].models.list()}

    assert modes["gpt-5-codex"] == "responses"
    assert modes["gpt-5"] == "chat"
    assert modes["text-embedding-3-small"] == "embedding"


def test_a_stored_response_can_be_fetched_continued_and_deleted(client: openai.OpenAI) -> None:
    whole = client.responses.create(model="gpt-5", input="Hello")
    with client.responses.stream(model="gpt-5", input="Hello") as stream:
        streamed = stream.get_final_response()

    assert client.responses.retrieve(whole.id).output_text == whole.output_text
    assert client.responses.retrieve(streamed.id).output_text == whole.output_text
    client.responses.delete(whole.id)
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(whole.id)
    with pytest.raises(openai.BadRequestError, match=r"Previous response with id '.+' not found"):
        client.responses.create(model="gpt-5", input="more", previous_response_id=whole.id)


def test_what_is_not_to_be_stored_is_not(client: openai.OpenAI) -> None:
    response = client.responses.create(model="gpt-5", input="Hello", store=False)

    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(response.id)


def test_a_background_response_is_queued_first_and_done_when_fetched(client: openai.OpenAI) -> None:
    queued = client.responses.create(model="gpt-5", input="Hello", background=True)
    fetched = client.responses.retrieve(queued.id)

    assert (queued.status, queued.output_text) == ("queued", "")
    assert fetched.status == "completed"
    assert "Hello" in fetched.output_text


def test_a_responses_id_of_one_role_is_unknown_to_another(clients: dict[str, openai.OpenAI]) -> None:
    response = clients["azure"].responses.create(model="gpt-5", input="Hello")

    with pytest.raises(openai.BadRequestError):
        clients["openai"].responses.create(model="gpt-5", input="more", previous_response_id=response.id)


def test_claude_counts_tokens(claude: anthropic.Anthropic) -> None:
    assert claude.messages.count_tokens(model="c", messages=HELLO).input_tokens == 4


def test_litellm_speaks_messages_too(box: Sandbox) -> None:
    with anthropic.Anthropic(base_url=box.litellm_url, api_key=box.api_key, max_retries=0) as client:
        message = client.messages.create(model="gpt-5", max_tokens=50, messages=HELLO)

    assert message.content[0].type == "text"
    assert "Answered by litellm/messages" in message.content[0].text


def test_claude_on_foundry_answers_under_the_azure_role(box: Sandbox) -> None:
    with anthropic.AnthropicFoundry(
        base_url=f"{box.azure_url}/anthropic", api_key=box.api_key, max_retries=0
    ) as client:
        message = client.messages.create(model="claude-sonnet-5-5", max_tokens=50, messages=HELLO)

    assert message.content[0].type == "text"
    assert "Answered by azure/messages" in message.content[0].text
