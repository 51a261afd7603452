"""The chat <-> Responses bridge over recorded traffic: every result is of its format, and stream equals whole."""

import json
import re
from collections import Counter
from itertools import pairwise

import pytest
from folding import fold, sdk_fold
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from shared_files import recordings, schema, shared, sse_events

from chatsheet_llm.formats.chat_responses_reply import responses_to_chat
from chatsheet_llm.formats.chat_responses_request import chat_to_responses
from chatsheet_llm.formats.chat_responses_stream import ResponsesToChatStream
from chatsheet_llm.formats.errors import FormatError


def chat_requests():
    return [row for row in recordings() if row["kind"] in ("openai-chat", "azure-chat")]


def responses(*, sse):
    wanted = ("openai-responses", "azure-responses")
    rows = [row for row in recordings() if row["kind"] in wanted and row["response"]["status"] == 200]
    return [row for row in rows if row["sse"] is sse and row["op"] in ("create", "retrieve")]


def test_every_recorded_chat_request_becomes_a_valid_responses_request():
    is_chat, is_responses = schema("CreateChatCompletionRequest"), schema("CreateResponse")
    counts, wrong, refused, lost = Counter(), {}, {}, Counter()
    for row in chat_requests():
        original = row["request"]["json"]
        before = json.dumps(original)
        try:
            body, losses = chat_to_responses(original)
        except FormatError as error:
            counts["refused"] += 1
            refused[row["id"]] = (row["response"]["status"], error.path)
            continue
        assert json.dumps(original) == before
        lost.update(loss.path for loss in losses)
        errors = is_responses(named(body))
        counts["valid" if not errors else "invalid"] += 1
        if errors and not is_chat(original):
            wrong[row["id"]] = errors
    print(dict(counts), lost.most_common(20))

    assert wrong == {}
    assert {status for status, _ in refused.values()} <= {400}, refused
    assert counts["valid"] > 300


def named(body):
    """The body with ids on its reasoning: the schema wants them, and recorded requests without them were answered."""
    items = [{"id": "rs", **item} if item["type"] == "reasoning" else item for item in body["input"]]
    return {**body, "input": items}


def test_reasoning_without_its_id_was_taken_wherever_it_was_sent():
    statuses = {True: Counter(), False: Counter()}
    for row in recordings():
        body = row["request"]["json"]
        if row["kind"] not in ("openai-responses", "azure-responses") or not isinstance(body, dict):
            continue
        given = body["input"] if isinstance(body.get("input"), list) else []
        for item, after in pairwise(given):
            if item.get("type") == "reasoning" and "id" not in after:
                statuses["id" in item][row["response"]["status"]] += 1

    assert set(statuses[False]) == {200}
    assert statuses[False][200] > 10
    # Before a message without an id, one with its id is refused.
    assert statuses[True][400] > 0


def test_nothing_in_a_recorded_request_vanishes_unlisted():
    checked = 0
    for original in [row["request"]["json"] for row in chat_requests()] + litellm_requests():
        try:
            body, losses = chat_to_responses(original)
        except FormatError:
            continue
        kept = set(leaves(body).values())
        lost = [loss.path for loss in losses]
        for path, value in leaves(original).items():
            if path.rpartition(".")[2] in ("type", "role", "include_usage") or value in (None, "", False):
                continue
            if not any(path == prefix or path.startswith((f"{prefix}.", f"{prefix}[")) for prefix in lost):
                checked += 1
                # One answer is what Responses gives anyway, logprobs is a name in `include`, an id names its item.
                unsaid = (path, value) in (("n", 1), ("logprobs", True)) or re.search(r"reasoning_items.*\.id$", path)
                assert value in kept or unsaid, (path, value)

    assert checked > 3000


def test_nothing_in_a_recorded_reply_vanishes():
    checked = 0
    for row in responses(sse=False):
        reply = json.loads(row["response"]["body"])
        if reply["status"] not in ("completed", "incomplete"):
            continue
        completion, _ = responses_to_chat(reply)
        kept = set(leaves(completion).values())
        kept_text = (completion["choices"][0]["message"]["content"] or "") + str(kept)
        for item in reply["output"]:
            # The id and the state of a message or a call name the item, they are not what it says.
            whole = item["type"] not in ("message", "function_call")
            for path, value in leaves(item).items():
                if (whole or path not in ("id", "status", "type", "role")) and isinstance(value, str):
                    checked += 1
                    assert value in kept or value in kept_text or path.endswith(".type"), (row["id"], path)

    assert checked > 1000


def test_every_recorded_reply_becomes_a_chat_completion():
    is_completion = schema("CreateChatCompletionResponse")
    counts, wrong = Counter(), {}
    for row in responses(sse=False):
        reply = json.loads(row["response"]["body"])
        if reply["status"] not in ("completed", "incomplete"):
            with pytest.raises(FormatError):
                responses_to_chat(reply)
            counts["not finished"] += 1
            continue
        completion, losses = responses_to_chat(reply)
        counts["completions"] += 1
        counts["losses"] += len(losses)
        ChatCompletion.model_validate(completion)
        if errors := [error for error in is_completion(completion) if "'logprobs'" not in error]:
            wrong[row["id"]] = errors
        text = "".join(
            part.get("text", "")
            for item in reply["output"]
            for part in item.get("content") or []
            if part["type"] == "output_text"
        )
        assert (completion["choices"][0]["message"]["content"] or "") == text
    print(dict(counts))

    assert wrong == {}
    assert counts["completions"] > 150


def test_every_recorded_stream_folds_to_the_reply_it_ends_with():
    counts = Counter()
    for row in responses(sse=True):
        stream = ResponsesToChatStream(include_usage=True)
        chunks, last = [], None
        for event in sse_events(row["response"]["body"]):
            chunks += stream.feed(event)
            last = event
        whole, losses = responses_to_chat(last["response"])
        counts["streams"] += 1
        counts["chunks"] += len(chunks)
        for chunk in chunks:
            ChatCompletionChunk.model_validate(chunk)
        assert fold(chunks) == fold_of(whole), row["id"]
        assert sdk_fold(chunks) == sdk_view(whole), row["id"]
        assert stream.losses == losses, row["id"]
    print(dict(counts))

    assert counts["streams"] > 50


@pytest.mark.parametrize("missing", ["delta", "done", "added", "created", "in_progress", "everything", "output"])
def test_a_stream_that_leaves_events_out_still_folds_to_its_reply(missing):
    for row in responses(sse=True):
        given = list(sse_events(row["response"]["body"]))
        whole, _ = responses_to_chat(given[-1]["response"])
        kept = [event for event in given[:-1] if missing != "everything" and not event["type"].endswith(f".{missing}")]
        end = given[-1]
        if missing == "output":
            end = {**end, "response": {**end["response"], "output": []}}
        stream = ResponsesToChatStream(include_usage=True)
        chunks = [chunk for event in (*kept, end) for chunk in stream.feed(event)]

        assert unsealed(fold(chunks)) == unsealed(fold_of(whole)), row["id"]


def unsealed(folded):
    """Without the seals of reasoning: the provider seals an item anew for the last event."""
    items = folded["message"].get("reasoning_items", [])
    plain = [{key: value for key, value in item.items() if key != "encrypted_content"} for item in items]
    return {**folded, "message": {**folded["message"], "reasoning_items": plain}}


def litellm_requests():
    return [
        json.loads(path.read_text())["chat_request"] for path in sorted(shared("traffic", "litellm_bridge").glob("*"))
    ]


def leaves(node, path=""):
    """Path -> value for everything in a JSON document that is not a list or an object."""
    if isinstance(node, dict):
        parts = [(f"{path}.{key}" if path else key, value) for key, value in node.items()]
    elif isinstance(node, list):
        parts = [(f"{path}[{index}]", value) for index, value in enumerate(node)]
    else:
        return {path: node}
    return {at: leaf for name, value in parts for at, leaf in leaves(value, name).items()}


def fold_of(whole):
    choice = whole["choices"][0]
    message = {key: value for key, value in choice["message"].items() if value not in (None, "")}
    return {"message": message, "finish_reason": choice["finish_reason"], "usage": whole.get("usage")}


def sdk_view(whole):
    choice = whole["choices"][0]
    calls = [(call["id"], call[call["type"]]) for call in choice["message"].get("tool_calls", [])]
    return (choice["message"]["content"] or "", calls, choice["finish_reason"], whole["usage"]["total_tokens"])
