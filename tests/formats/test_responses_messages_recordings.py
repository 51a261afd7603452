"""Recorded Responses and Chat requests as Messages requests: the SDK knows each result, and nothing vanishes."""

import itertools
import json
import re
from collections import Counter

import pytest
from anthropic.types.message_create_params import MessageCreateParamsNonStreaming
from pydantic import BaseModel, TypeAdapter
from shared_files import recordings

from chatsheet_llm.formats import responses_messages_tables as tables
from chatsheet_llm.formats.chat_responses_request import chat_to_responses
from chatsheet_llm.formats.compose import composed
from chatsheet_llm.formats.errors import FormatError
from chatsheet_llm.formats.messages_responses_request import messages_to_responses
from chatsheet_llm.formats.responses_messages_request import responses_to_messages
from chatsheet_llm.formats.seals import open_reasoning
from chatsheet_llm.route import Loss


def test_losses_are_told_in_the_words_of_chat():
    image = {"type": "image_url", "image_url": {"url": "u", "detail": "high"}}
    body = {
        "model": "m",
        "messages": [{"role": "system", "content": "s"}, {"role": "user", "content": [image]}],
        "max_tokens": 5,
        "reasoning_effort": "minimal",
        "stop": "x",
        "seed": 1,
        "store": True,
    }
    made, losses = composed(chat_to_responses, responses_to_messages, "messages")(body)

    assert made == {
        "model": "m",
        "system": "s",
        "messages": [{"role": "user", "content": [{"type": "image", "source": {"type": "url", "url": "u"}}]}],
        "max_tokens": 5,
        "stop_sequences": ["x"],
    }
    assert losses == [
        Loss("messages", "seed", "Messages has no seed"),
        Loss("messages", "messages[1].content[0].image_url.detail", tables.REASONS["detail"], minor=True),
        Loss("messages", "reasoning_effort", "Messages has no effort 'minimal'"),
        Loss("messages", "store", "Messages stores no answers"),
    ]


@pytest.fixture(scope="module")
def requests():
    """Id and body of every recorded Responses request, and of every Chat request on its way."""
    found = []
    for row in recordings():
        body = row["request"].get("json")
        if row["kind"] in ("openai-responses", "azure-responses") and row["op"] == "create":
            found.append((row["id"], body))
        elif row["kind"] in ("openai-chat", "azure-chat"):
            try:
                found.append((row["id"], chat_to_responses(body, {})[0]))
            except FormatError:
                continue
    assert len(found) > 600
    return found


def test_a_recorded_conversation_of_messages_that_lost_nothing_on_its_way_comes_home_the_same():
    counts = Counter()
    for row in recordings():
        if row["kind"] != "anthropic-messages" or row["op"] != "create":
            continue
        original = row["request"]["json"]
        try:
            pivot, lost = messages_to_responses(original, {})
        except FormatError:
            continue
        back, _ = responses_to_messages(pivot)
        if any(loss.path.startswith(("messages", "system")) for loss in lost):
            counts["lost something"] += 1
            continue
        assert back.get("system") == original.get("system"), row["id"]
        assert combined(back["messages"]) == combined(original["messages"]), row["id"]
        counts["the same" if back["messages"] == original["messages"] else "combined"] += 1
    print(dict(counts))

    assert counts["the same"] > 100


def combined(messages):
    """The turns as Messages reads them: consecutive ones of a role are one, a result is no error by default."""
    turns = []
    for message in messages:
        content = message["content"]
        blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
        told = [{name: value for name, value in block.items() if (name, value) not in UNSAID} for block in blocks]
        if turns and turns[-1][0] == message["role"]:
            turns[-1][1].extend(told)
        else:
            turns.append((message["role"], told))
    return turns


UNSAID = [("is_error", False), ("title", "document.pdf")]
"""What Messages takes for granted, and the name that Responses requires of a document without one."""


def whole(value):
    """A validated body as plain JSON.  The SDK's iterables validate as they are read; unknown fields are gone."""
    if isinstance(value, BaseModel):
        return value.model_dump(exclude_unset=True)
    if isinstance(value, dict):
        return {name: whole(part) for name, part in value.items()}
    return value if isinstance(value, str) or not hasattr(value, "__iter__") else [whole(part) for part in value]


def test_every_recorded_request_becomes_a_request_that_the_sdk_knows(requests):
    known = TypeAdapter(MessageCreateParamsNonStreaming)
    wrong, lost = {}, Counter()
    for identity, original in requests:
        before = json.dumps(original)
        body, losses = responses_to_messages(original)
        assert json.dumps(original) == before
        lost.update(loss.path.split("[")[0] for loss in losses)
        body = {"model": "m", "max_tokens": 1, **body}
        body.pop("stream", None)
        if whole(known.validate_python(body)) != body:
            wrong[identity] = body
    print(lost.most_common(20))

    assert wrong == {}


def test_every_recorded_conversation_alternates_around_its_tools(requests):
    checked = 0
    for identity, original in requests:
        body, _ = responses_to_messages(original)
        called = set()
        for message in body["messages"]:
            content = message["content"] if isinstance(message["content"], list) else []
            kinds = [block["type"] for block in content]
            results = kinds.count("tool_result")
            checked += results
            assert kinds[:results] == ["tool_result"] * results, identity
            answered = {block["tool_use_id"] for block in content[:results]}
            # Where a call was sent at all, its results stand right after it, all of them.
            assert answered >= called or not called or "previous_response_id" in original, identity
            called = {block["id"] for block in content if block["type"] == "tool_use"}
        roles = [message["role"] for message in body["messages"]]
        assert ("assistant", "assistant") not in set(itertools.pairwise(roles)), identity

    assert checked > 150


def test_nothing_in_a_recorded_request_vanishes_unlisted(requests):
    checked = 0
    for identity, original in requests:
        body, losses = responses_to_messages(original)
        kept = {str(leaf) for leaf in leaves(opened(body)).values()}
        lost = [loss.path for loss in losses]
        for path, value in leaves(opened(original)).items():
            if any(path == prefix or path.startswith((f"{prefix}.", f"{prefix}[")) for prefix in lost):
                continue
            if value in (None, "", False) or path.rpartition(".")[2] in NAMING or neutral(original, path):
                continue
            checked += 1
            # Messages takes fewer characters in the name of a call.
            plain = re.sub("[^a-zA-Z0-9_-]", "_", value) if path.endswith(".call_id") else value
            assert str(value) in kept or (value != plain and any(name.startswith(plain) for name in kept)), (
                identity,
                path,
            )

    assert checked > 6000


NAMING = frozenset({"type", "role", "id", "status"})


def neutral(body, path):
    """Whether a value says what Messages does anyway, or has another word for it."""
    name = path.split(".")[0].split("[")[0]
    said = body[name] in tables.RESPONSES_PARAMETERS[name].neutral or name in ("include", "tool_choice", "service_tier")
    return said or path in ("text.format.strict", "reasoning.summary") or path.endswith(".detail")


def opened(node):
    """With everything that a text hides laid open: arguments, seals and data: URLs."""
    if isinstance(node, dict):
        if node.get("type") == "thinking":
            return open_reasoning(node["signature"])
        return {key: opened_text(key, value) for key, value in node.items()}
    return [opened(part) for part in node] if isinstance(node, list) else node


def opened_text(key, value):
    if key == "arguments" and isinstance(value, str):
        inner = json.loads(value) if value else {}
        return json.loads(inner) if isinstance(inner, str) else inner
    if isinstance(value, str) and value.startswith("data:"):
        return dict(zip(("media_type", "data"), value[5:].split(";base64,"), strict=True))
    return opened(value)


def leaves(node, path=""):
    """Path -> value for everything in a JSON document that is not a list or an object."""
    if isinstance(node, dict):
        parts = [(f"{path}.{key}" if path else key, value) for key, value in node.items()]
    elif isinstance(node, list):
        parts = [(f"{path}[{index}]", value) for index, value in enumerate(node)]
    else:
        return {path: node}
    return {at: leaf for name, value in parts for at, leaf in leaves(value, name).items()}
