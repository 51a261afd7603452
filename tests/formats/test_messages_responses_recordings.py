"""Recorded Messages requests -> Responses requests: each is valid, nothing vanishes unlisted, and each comes back."""

import base64
import copy
import json
from collections import Counter

import pytest
from shared_files import recordings, schema

from chatsheet_llm.formats.compose import origin
from chatsheet_llm.formats.errors import FormatError
from chatsheet_llm.formats.messages_responses_request import messages_to_responses
from chatsheet_llm.formats.responses_messages_request import responses_to_messages
from chatsheet_llm.formats.seals import open_thinking


@pytest.fixture(scope="module")
def recorded():
    return [row for row in recordings() if row["kind"] == "anthropic-messages"]


@pytest.fixture(scope="module")
def valid():
    return schema("CreateResponse")


def translated(recorded):
    """Each recorded request that is one, what it becomes, and what is lost."""
    for row in recorded:
        original = row["request"]["json"]
        before = copy.deepcopy(original)
        try:
            body, losses = messages_to_responses(original)
        except FormatError:
            assert row["response"]["status"] == 400
            continue
        assert original == before
        yield row["id"], original, body, losses


def leaves(node, path=""):
    """Path -> value for everything in a JSON document that is not a list or an object."""
    if isinstance(node, dict):
        parts = [(f"{path}.{key}" if path else key, value) for key, value in node.items()]
    elif isinstance(node, list):
        parts = [(f"{path}[{index}]", value) for index, value in enumerate(node)]
    else:
        return {path: node}
    return {at: leaf for name, value in parts for at, leaf in leaves(value, name).items()}


def test_every_recorded_request_becomes_a_valid_responses_request(recorded, valid):
    counts, wrong = Counter(), {}
    for name, _, body, losses in translated(recorded):
        # The schema wants an id of reasoning; recorded answers with status 200 show that the API does not.
        given = [{"id": "rs", **item} if item["type"] == "reasoning" else item for item in body["input"]]
        errors = valid({**body, "input": given})
        counts["valid" if not errors else "invalid"] += 1
        counts["without a loss that matters"] += all(loss.minor for loss in losses)
        if errors:
            wrong[name] = errors
    print(dict(counts))

    assert wrong == {}
    assert counts["valid"] > 230
    assert counts["without a loss that matters"] > 140


# A value that only says which of several shapes this is, or that both sides do anyway.
SHAPES = ("type", "role", "media_type")
RENAMED = {"any": "required", "summarized": "auto", "standard_only": "default"}


def test_nothing_in_a_recorded_request_vanishes_unlisted(recorded):
    checked = 0
    for name, original, body, losses in translated(recorded):
        kept = leaves(body)
        written = [json.loads(value) for path, value in kept.items() if path.endswith(".arguments")]
        values = {*kept.values(), *(value for given in written for value in leaves(given).values())}
        texts = [value for value in values if isinstance(value, str)]
        values |= {value.partition(";base64,")[2] for value in texts}
        values |= {secret for _, secret in filter(None, map(open_thinking, texts))}
        lost = [loss.path for loss in losses]
        for path, value in leaves(original).items():
            if path.rpartition(".")[2] in SHAPES or value in (None, "", False):
                continue
            if any(path == prefix or path.startswith((f"{prefix}.", f"{prefix}[")) for prefix in lost):
                continue
            checked += 1
            packed = base64.b64encode(str(value).encode()).decode()
            # One call at a time is asked for by the opposite word.
            opposite = path == "tool_choice.disable_parallel_tool_use" and body["parallel_tool_calls"] is False
            assert opposite or values & {value, packed, RENAMED.get(value)}, (name, path)

    assert checked > 2300


def test_every_recorded_request_comes_back_as_it_was_but_for_what_is_listed(recorded):
    compared = 0
    for name, original, body, losses in translated(recorded):
        back, others = responses_to_messages(body)
        fields = (".cache_control", ".ttl", ".citations", ".is_error", ".title")
        if any(loss.path.startswith("messages") and not loss.path.endswith(fields) for loss in losses):
            continue
        lost = {loss.path.partition(".")[0].partition("[")[0] for loss in (*losses, *others)} - {"messages", "system"}
        if "tools" in lost:
            # A choice among tools says nothing when none is left.
            lost.add("tool_choice")
        compared += 1
        wanted, got = instructed_first(plain(original)), instructed_first(plain(back))
        for parameter in (set(wanted) | set(got)) - lost:
            assert got.get(parameter) == wanted.get(parameter), (name, parameter)

    assert compared > 190


def plain(body):
    """A Messages body without what is neutral, what only labels, and what losses may have taken from its blocks."""
    made = {name: value for name, value in bare(body).items() if name not in ("cache_control", "temperature")}
    if not made.get("tools") and made.get("tool_choice") == {"type": "auto"}:
        del made["tool_choice"]
    if made.get("thinking") == {"type": "adaptive"}:
        del made["thinking"]
    if "output_format" in made:
        made.setdefault("output_config", {})["format"] = made.pop("output_format")
    turns = []
    for turn in made["messages"]:
        last = turns[-1] if turns else {"role": None, "content": "x"}
        results = isinstance(last["content"], list) and last["content"][-1]["type"] == "tool_result"
        if results and turn["role"] == last["role"] == "user":
            words = [{"type": "text", "text": turn["content"]}] if isinstance(turn["content"], str) else turn["content"]
            last["content"] = last["content"] + words
        else:
            turns.append(turn)
    return made | {"messages": turns}


def instructed_first(body):
    """A Messages body with all its instructions at the start, as few models take them later on."""
    given = [body["system"]] if body.get("system") else []
    given += [turn["content"] for turn in body["messages"] if turn["role"] == "system"]
    blocks = [[{"type": "text", "text": words}] if isinstance(words, str) else words for words in given]
    turns = [turn for turn in body["messages"] if turn["role"] != "system"]
    return body | {"system": [block for some in blocks for block in some], "messages": turns}


BLOCKS = ("document", "image", "text", "tool_result", "tool_use")


def bare(node):
    if isinstance(node, list):
        return [bare(value) for value in node]
    if not isinstance(node, dict):
        return node
    gone = ("cache_control", "citations", "is_error", "title") if node.get("type") in BLOCKS else ()
    neutral = {"defer_loading": False, "disable_parallel_tool_use": False, "strict": False}
    return {
        name: bare(value)
        for name, value in node.items()
        if value is not None and name not in gone and (name not in neutral or value is not neutral[name])
    }


def test_every_place_of_a_recorded_request_leads_from_a_part_of_the_result_to_where_it_stood(recorded):
    checked = 0
    for row in recorded:
        original, places = row["request"]["json"], {}
        try:
            body, _ = messages_to_responses(original, places)
        except FormatError:
            continue
        ends, starts = prefixes(body), prefixes(original)
        for path, source in places.items():
            checked += 1
            # The name of an untitled document was made up.
            assert path in ends, (row["id"], path)
            assert source in starts or source.endswith(".title"), (row["id"], source)
        for path in leaves(body["input"], "input"):
            assert origin(path, places).startswith(("messages", "system")), (row["id"], path)

    assert checked > 2000


def prefixes(node, path=""):
    """The path of everything in a JSON document."""
    if isinstance(node, dict):
        parts = [(f"{path}.{key}" if path else key, value) for key, value in node.items()]
    else:
        parts = [(f"{path}[{index}]", value) for index, value in enumerate(node)] if isinstance(node, list) else []
    return {path} | {found for name, value in parts for found in prefixes(value, name)}
