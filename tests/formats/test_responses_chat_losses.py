"""Responses request -> Chat request: what has no place there, what is refused, what comes back from there."""

import copy
import json
from collections import Counter

import pytest
from responses_input import assistant, bridge, call, chat_call, output, said, text
from shared_files import recordings, schema

from chatsheet_llm.formats import responses_chat_tables as tables
from chatsheet_llm.formats.chat_responses_request import chat_to_responses
from chatsheet_llm.formats.errors import FormatError
from chatsheet_llm.formats.responses_chat_request import responses_to_chat_request


@pytest.mark.parametrize(
    ("item", "lost"),
    [
        ({"role": "user", "content": [{"type": "input_image", "file_id": "f"}]}, "input[0].content[0]"),
        ({"role": "user", "content": [{"type": "input_file", "file_url": "u"}]}, "input[0].content[0]"),
        (
            {"role": "user", "content": [{"type": "input_file", "file_id": "f", "detail": "low"}]},
            "input[0].content[0].detail",
        ),
        ({"role": "user", "content": [{"type": "input_smell"}]}, "input[0].content[0]"),
        ({"role": "system", "content": [{"type": "input_image", "image_url": "u"}]}, "input[0].content[0]"),
        ({"role": "assistant", "content": [{"type": "input_image", "image_url": "u"}]}, "input[0].content[0]"),
        ({"role": "user", "content": "x", "new": 1}, "input[0].new"),
        (output("c", [{"type": "input_image", "image_url": "u"}]), "input[0].output[0]"),
        ({"type": "function_call_output", "output": "x"}, "input[0]"),
        ({"type": "tool_search_output", "execution": "client", "tools": []}, "input[0]"),
        ({"type": "new_item"}, "input[0]"),
        ({"id": "msg_1"}, "input[0]"),
    ],
)
def test_what_the_caller_says_and_chat_has_no_place_for_is_a_real_loss(item, lost):
    _, losses = bridge(input=[item])

    assert [(loss.path, loss.minor) for loss in losses] == [(lost, False)]


@pytest.mark.parametrize("kind", sorted(kind for kind, row in tables.ITEMS.items() if row == "lost"))
def test_an_item_without_a_place_is_a_real_loss(kind):
    made, losses = bridge(input=[{"type": kind, "id": "x"}])

    assert made["messages"] == []
    assert [(loss.path, loss.minor) for loss in losses] == [("input[0]", False)]


@pytest.mark.parametrize("kind", sorted(kind for kind, row in tables.ITEMS.items() if row in ("left", "found")))
def test_an_item_that_an_earlier_reply_left_is_a_minor_loss(kind):
    item = {"type": kind, "id": "x", "detail": {"deep": [1]}}
    result, losses = responses_to_chat_request({"model": "m", "input": [item, said(text("A"))]})

    assert result["messages"] == [assistant([{"type": "text", "text": "A"}])]
    assert [(loss.path, loss.minor) for loss in losses] == [("input[0]", True)]


def test_the_phase_of_an_answer_and_the_extras_of_a_call_are_minor_losses():
    extras = {"namespace": "n", "caller": {"type": "program", "caller_id": "p"}}
    given = [said(text("A"), phase="commentary"), call("c1", **extras)]
    result, losses = responses_to_chat_request({"model": "m", "input": given})

    assert result["messages"] == [assistant([{"type": "text", "text": "A"}], tool_calls=[chat_call("c1")])]
    assert [(loss.path, loss.minor) for loss in losses] == [
        ("input[0].phase", True),
        ("input[1].namespace", True),
        ("input[1].caller", True),
    ]


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"input": 5}, "input"),
        ({"input": ["x"]}, "input[0]"),
        ({"input": [{"role": "tool", "content": "x"}]}, "input[0].role"),
        ({"input": [{"role": "user", "content": None}]}, "input[0].content"),
        ({"input": [{"type": "function_call", "call_id": "c", "arguments": "{}"}]}, "input[0].name"),
        ({"instructions": ["x"]}, "instructions"),
        ({"tools": {"type": "function"}}, "tools"),
        ({"tools": [{"type": "function"}]}, "tools[0].name"),
        ({"tool_choice": {"type": "function"}}, "tool_choice.name"),
        ({"reasoning": "high"}, "reasoning"),
        ({"include": "x"}, "include"),
    ],
)
def test_a_malformed_body_is_refused_without_its_content(body, path):
    with pytest.raises(FormatError) as error:
        bridge(**body)

    assert error.value.path == path


def test_every_recorded_request_becomes_a_valid_one_or_lists_its_losses():
    is_chat = schema("CreateChatCompletionRequest")
    counts, wrong = Counter(), {}
    for row in recordings():
        if row["kind"] in ("openai-responses", "azure-responses") and row["op"] == "create":
            given = row["request"]["json"]
            before = json.dumps(given)
            made, losses = responses_to_chat_request(given)
            real = [loss.path for loss in losses if not loss.minor]
            counts["without real loss" if not real else "with"] += 1
            assert json.dumps(given) == before
            if row["response"]["status"] == 200 and (errors := is_chat(made)) and not real:
                wrong[row["id"]] = errors

    assert wrong == {}
    assert counts["without real loss"] > 150


def test_every_recorded_chat_request_comes_back_from_responses_as_it_was():
    same, moved = 0, Counter()
    for row in recordings():
        if row["kind"] not in ("openai-chat", "azure-chat"):
            continue
        try:
            there, lost = chat_to_responses(row["request"]["json"], {})
        except FormatError:
            continue
        back, losses = responses_to_chat_request(there)
        again, _ = chat_to_responses(back, {})
        moved.update(loss.path for loss in losses)
        if not losses:
            same += 1
            assert again == there, row["id"]
        gone = {loss.path.partition("[")[0].partition(".")[0] for loss in lost}
        if any("function_call" in message for message in row["request"]["json"]["messages"]):
            # A legacy call comes back as a tool call.
            gone.add("messages")
        assert plain(back, gone) == plain(row["request"]["json"], gone) or losses, row["id"]

    # Images in a tool's result, which OpenAI takes in a user's message only.
    assert sum(moved.values()) <= 2
    assert same > 400


def plain(body, gone):
    """A chat request with what chat itself takes for the same written in one way."""
    body = {name: value for name, value in copy.deepcopy(body).items() if value is not None and name not in gone}
    neutral = {"n": 1, "store": False, "logprobs": False, "frequency_penalty": 0, "presence_penalty": 0, "tools": []}
    body = {name: value for name, value in body.items() if not (name in neutral and value == neutral[name])}
    if "max_tokens" in body:
        body["max_completion_tokens"] = body.pop("max_tokens")
    for name in ("stream_options", "functions", "function_call", "modalities", "logit_bias", "stop"):
        body.pop(name, None)
    if "tools" not in body or gone & {"functions"}:
        for name in ("tools", "tool_choice", "parallel_tool_calls"):
            body.pop(name, None)
    if gone & {"logprobs", "top_logprobs"} or not body.get("logprobs"):
        body.pop("top_logprobs", None)
    for tool in body.get("tools", []):
        function = tool.get("function") or {}
        function["strict"] = bool(function.get("strict"))
        if not (function.get("parameters") or {}).get("properties"):
            function.pop("parameters", None)
        tool["function"] = {name: value for name, value in function.items() if value is not None}
    if "json_schema" in body.get("response_format", {}):
        body["response_format"]["json_schema"].setdefault("strict", False)
    body["messages"] = [] if "messages" in gone else [spoken(message) for message in body["messages"]]
    return body


def spoken(message):
    message = {name: value for name, value in message.items() if value not in (None, "", [], {})}
    content = message.get("content")
    if message["role"] == "assistant" and isinstance(content, list) and len(content) == 1 and "text" in content[0]:
        message["content"] = content[0]["text"]
    for part in content if isinstance(content, list) else []:
        if part["type"] == "image_url":
            image = part["image_url"] if isinstance(part["image_url"], dict) else {"url": part["image_url"]}
            part["image_url"] = {name: value for name, value in image.items() if (name, value) != ("detail", "auto")}
    if message["role"] == "tool":
        # The call has the name, and the result repeats it.
        message.pop("name", None)
    for entry in message.get("tool_calls", []):
        entry.pop("index", None)
        entry["type"] = entry.get("type") or "function"
    return message
