"""The laws of the bridges, on random conversations and answers: they lose nothing in silence, whatever the detour.

``CHATSHEET_EXAMPLES=2000`` looks deeper, and at other examples each time.
"""

import base64
import copy
import json
import os
import random
import re
from itertools import permutations, product

import counting
import pytest
import vanishing
from answers import said
from conversations import HOME, REDACTED, SEAL, conversations, facts, fitted, written
from folding import fold
from hypothesis import given, settings
from hypothesis import strategies as st
from normal_forms import normal, normal_reply
from random_answers import answered, answers, in_one_message, said_by, streamed
from round_trip import differences, marked
from sdk_folds import sdk_folded
from wild_bodies import bodies, replies

from chatsheet_llm.formats import BRIDGES, REPLIES, STREAMS
from chatsheet_llm.formats.sse import encoded
from chatsheet_llm.route import MODES
from chatsheet_llm.streams import HopFault, Relay

DEEPER = os.environ.get("CHATSHEET_EXAMPLES")
LAW = settings(max_examples=int(DEEPER or 60), derandomize=not DEEPER, deadline=None, database=None)
chances = st.integers(0, 2**32).map(random.Random)


def pairs(found):
    return pytest.mark.parametrize(("here", "there"), [pytest.param(*pair, id="-".join(pair)) for pair in found])


every_pair = pairs(permutations(MODES, 2))
with_itself = pairs(product(MODES, MODES))

# The SDKs read what they do not know as something they know, and say so when they write it out again.
pytestmark = pytest.mark.filterwarnings("ignore:Pydantic serializer warnings:UserWarning")


# --- detour: the way around says what the direct way says ------------------------------------------------------------


@every_pair
@LAW
@given(told=conversations)
def test_a_bridged_request_is_the_one_that_is_written_directly(here, there, told):
    source = fitted(told, here)
    target = fitted(source, there, hop=True)

    made, losses = BRIDGES[here, there](written(here, source))

    assert normal(there, made, here) == normal(there, written(there, target), here)
    if facts(source) == facts(target):
        assert [loss for loss in losses if not loss.minor] == []
    else:
        assert losses


@every_pair
@LAW
@given(told=answers)
def test_a_bridged_reply_is_the_one_that_is_written_directly(here, there, told):
    source = said_by(told, here)

    made, losses = REPLIES[here, there](answered(here, source))

    assert normal_reply(there, made) == normal_reply(there, answered(there, source))
    foreign = {"chat": {"reasoning"}, "responses": set(), "messages": {"refusal", "custom"}}[there]
    assert bool(losses) == bool(foreign.intersection(piece["kind"] for piece in source["pieces"]))


# --- round trip: what went there comes back --------------------------------------------------------------------------


@every_pair
@LAW
@given(data=st.data())
def test_a_request_comes_back_but_for_declared_losses(here, there, data):
    body = data.draw(bodies(here, comes_back=True))

    made, losses = BRIDGES[here, there](body)
    back, _ = BRIDGES[there, here](made)

    sent = normal(here, marked(body, [loss.path for loss in losses]), there)
    assert differences(sent, normal(here, back, there)) == []


@every_pair
@LAW
@given(told=answers)
def test_a_reply_comes_back(here, there, told):
    told = in_one_message(told) if there == "chat" else told
    if there == "messages":
        # It has other forms for the rest, which the detour tells.
        told = {**told, "pieces": said_by(told, there)["pieces"]}
    reply = answered(here, said_by(told, here))

    made, _ = REPLIES[here, there](reply)
    back, _ = REPLIES[there, here](made)

    # What has no place was attached, so even that comes back.
    assert normal_reply(here, back, there) == normal_reply(here, reply, there)


# --- valid: what goes out is of its format ---------------------------------------------------------------------------


@pairs([pair for pair in permutations(MODES, 2) if pair[1] in counting.SCHEMAS])
@LAW
@given(data=st.data())
def test_a_bridged_request_fits_the_schema_with_its_state_and_without(here, there, data):
    body = data.draw(bodies(here))

    assert counting.invalid(here, there, body) == []


@pairs([(mode, mode) for mode in counting.SCHEMAS])
@LAW
@given(told=conversations)
def test_a_request_that_loses_its_state_still_fits_its_own_schema(here, there, told):
    body = written(here, fitted(told, here))

    assert counting.invalid(here, there, body) == []


# --- complete: nothing vanishes --------------------------------------------------------------------------------------


@every_pair
@LAW
@given(data=st.data())
def test_nothing_of_a_request_vanishes_unlisted(here, there, data):
    body = data.draw(bodies(here))
    before = copy.deepcopy(body)

    made, losses = BRIDGES[here, there](body)

    assert body == before
    assert vanished(body, made, losses) == []
    assert vanishing.emptied(body, made, losses, goes_unsaid) == []


@every_pair
@LAW
@given(data=st.data())
def test_nothing_of_a_reply_vanishes(here, there, data):
    reply = data.draw(replies(here))
    before = copy.deepcopy(reply)

    made, _ = REPLIES[here, there](reply)

    assert reply == before
    # A loss of output is attached, so even that is there.
    told = {name: value for name, value in reply.items() if name not in ECHO}
    assert vanished(told, made, []) == []
    assert vanishing.emptied(told, made, [], goes_unsaid) == []


@every_pair
@LAW
@given(data=st.data())
def test_a_loss_is_told_where_its_source_has_something(here, there, data):
    body, reply = data.draw(bodies(here)), data.draw(replies(here))

    lost_of_body, lost_of_reply = BRIDGES[here, there](body)[1], REPLIES[here, there](reply)[1]

    assert [loss.path for loss in lost_of_body if not stands(body, loss.path)] == []
    assert [loss.path for loss in lost_of_reply if not stands(reply, loss.path)] == []
    assert {loss.format for loss in lost_of_body + lost_of_reply} <= {there}


def goes_unsaid(path, _):
    """Whether a zero is a place in a list or a text, which may move, or a sum that the detour checks."""
    return path in SUMS or path.endswith(("].index", ".start_index"))


NAMING = frozenset({"type", "role", "id", "status", "object"})
"""Fields that say what a thing is or what it is called, in a format's own words."""

SUMS = frozenset({"usage.input_tokens", "usage.prompt_tokens", "usage.total_tokens"})
"""Counts that include others, in some formats; the detour checks them."""

ECHO = frozenset({"billing", "parallel_tool_calls", "tool_choice"})
"""What a reply repeats of its request, and the books of its server."""

SAME = {
    "explicit": {"ephemeral"},
    "ephemeral": {"explicit"},
    "required": {"any"},
    "any": {"required"},
    "default": {"standard_only", "standard"},
    "standard_only": {"default"},
    "standard": {"default"},
    "none": {"disabled"},
    "auto": {"summarized"},
    "summarized": {"auto"},
    "length": {"max_output_tokens", "max_tokens"},
    "max_tokens": {"max_output_tokens", "length"},
    "max_output_tokens": {"max_tokens", "length"},
    "content_filter": {"refusal"},
    "refusal": {"content_filter"},
    "tool_use": {"tool_calls", "completed"},
    "tool_calls": {"tool_use", "completed"},
    "stop": {"end_turn", "completed", "refusal"},
    "end_turn": {"stop", "completed"},
}
"""Words of one format's own -> those that say it in the others."""

UNSAID = frozenset(
    {
        # What happens without them, too.
        *(("n", 1), ("modalities[]", "text"), ("temperature", 1), ("top_p", 1), ("truncation", "disabled")),
        *(("speed", "standard"), ("reasoning.context", "auto"), ("thinking.display", "omitted"), ("detail", "auto")),
        *(("strict", True), ("verbosity", "medium"), ("tool_choice", "auto"), ("tool_choice", "none")),
        # Told in other words.
        *(("include_usage", True), ("logprobs", True), ("disable_parallel_tool_use", True)),
        *(("include[]", "message.output_text.logprobs"), ("include[]", "reasoning.encrypted_content")),
        *(("tool_choice.allowed_tools.mode", "auto"), ("tool_choice.mode", "required")),
    }
)
"""Path or its end, and a value there that is told in other words or needs no telling."""


def vanished(source, made, losses):
    """The leaves of the source that are neither in what was made of it nor under a declared loss."""
    lost = [loss.path for loss in losses]
    kept = {(isinstance(part, bool), part) for _, value in leaves(made) for part in [value, *opened(value)]}
    texts = [part for _, part in kept if isinstance(part, str)]
    gone = []

    def is_kept(value):
        if value in (None, "", False, 0) or any(
            (isinstance(w, bool), w) in kept for w in [value, *SAME.get(value, ())]
        ):
            return True
        return isinstance(value, str) and any(value in text for text in texts)

    for path, value in leaves(source):
        plain = re.sub(r"\[\d+\]", "[]", path)
        unsaid = path in SUMS or any(value == said and plain.endswith(end) for end, said in UNSAID)
        if unsaid or plain.rpartition(".")[2] in NAMING or any(_below(path, at) for at in lost) or is_kept(value):
            continue
        parts = opened(value)
        if not parts or not all(is_kept(part) for part in parts):
            gone.append((path, value))
    return gone


def opened(value):
    """What is packed in a text: arguments, what a URL holds, what a seal seals."""
    if not isinstance(value, str):
        return []
    for seal in (SEAL, REDACTED):
        if value.startswith(seal):
            return [value.removeprefix(seal)]
    if value.startswith(HOME):
        packed = value.removeprefix(HOME)
        item = json.loads(base64.urlsafe_b64decode(packed + "=" * (-len(packed) % 4)))
        return [leaf for path, leaf in leaves(item) if path.rpartition(".")[2] not in NAMING]
    if value.startswith("data:"):
        head, _, packed = value.partition(",")
        return [base64.b64decode(packed).decode() if head.startswith("data:text") else packed]
    try:
        parsed = json.loads(value)
    except ValueError:
        return []
    # An empty object says nothing, a number is told by itself.
    return [leaf for _, leaf in leaves(parsed)] or [None] if isinstance(parsed, (dict, list)) else []


def leaves(node, path=""):
    """Path and value of everything in a JSON document that is not a list or an object."""
    if isinstance(node, dict):
        return [leaf for name, value in node.items() for leaf in leaves(value, f"{path}.{name}" if path else name)]
    if isinstance(node, list):
        return [leaf for index, value in enumerate(node) for leaf in leaves(value, f"{path}[{index}]")]
    return [(path, node)]


def _below(path, at):
    return path == at or path.startswith((f"{at}.", f"{at}["))


def stands(node, path):
    """Whether there is something at a path."""
    for step in re.findall(r"[^.\[\]]+", path):
        key = int(step) if isinstance(node, list) else step
        try:
            node = node[key]
        except (KeyError, IndexError, TypeError):
            return False
    return True


# --- stream equals whole ---------------------------------------------------------------------------------------------


@every_pair
@LAW
@given(told=answers, chance=chances)
def test_a_bridged_stream_folds_to_the_bridged_reply(here, there, told, chance):
    reply = answered(here, said_by(told, here))
    whole, losses = REPLIES[here, there](reply)
    stream = STREAMS[here, there](True)

    events = [made for event in streamed(here, reply, chance) for made in stream.feed(event)] + stream.end()

    FOLDS[there](events, whole)
    assert said(there, sdk_folded(there, events)) == said(there, whole)
    assert stream.losses == losses


def _folds_to_completion(chunks, whole):
    choice, head = whole["choices"][0], {"id", "model", "created"}
    message = {name: value for name, value in choice["message"].items() if value not in (None, "")}
    expected = {"message": message, "finish_reason": choice["finish_reason"], "usage": whole["usage"]}

    assert spaced(fold(chunks)) == spaced(expected)
    assert all(chunk[name] == whole[name] for chunk in chunks for name in head)
    assert chunks[-1]["choices"] == []


def _folds_to_response(events, whole):
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    assert spaced(events[-1]["response"]) == spaced(whole)


def _folds_to_message(events, whole):
    assert _message_of(events) == whole
    # The accumulator takes the counts and the stop of a last event, and nothing else from there.
    made = sdk_folded("messages", events)
    assert made["content"] == whole["content"]
    assert (made["id"], made["model"], made["stop_reason"]) == (whole["id"], whole["model"], whole["stop_reason"])
    assert all(whole["usage"][name] == count for name, count in made["usage"].items() if isinstance(count, int))


def _message_of(events):
    """What a plain reader makes of the events, which bring one block after another."""
    message, text = {}, ""
    for event in copy.deepcopy(events):
        kind = event["type"]
        block = message["content"][event["index"]] if kind in ("content_block_delta", "content_block_stop") else {}
        if kind == "message_start":
            message = event["message"]
        elif kind == "content_block_start":
            assert event["index"] == len(message["content"])
            message["content"].append(event["content_block"])
            text = ""
        elif kind == "content_block_delta":
            assert event["index"] == len(message["content"]) - 1
            name, value = next((name, value) for name, value in event["delta"].items() if name != "type")
            text += value if name == "partial_json" else ""
            block |= {} if name == "partial_json" else {name: block[name] + value}
        elif kind == "content_block_stop":
            block |= event.get("content_block", {}) | ({"input": json.loads(text)} if text else {})
        elif kind == "message_delta":
            message |= event["delta"]
            message["usage"] |= event["usage"]
    assert events[-1]["type"] == "message_stop"
    return message


FOLDS = {"chat": _folds_to_completion, "responses": _folds_to_response, "messages": _folds_to_message}


def spaced(node):
    """JSON text without regard to its white space."""
    if isinstance(node, dict):
        return {
            name: json.loads(value) if name == "arguments" and value else spaced(value) for name, value in node.items()
        }
    return [spaced(value) for value in node] if isinstance(node, list) else node


# --- any chunking ----------------------------------------------------------------------------------------------------


def wire(mode, events, ending, done=True):
    """The bytes of a stream.  Chat's events have no names and a marker behind them."""
    blocks = []
    for event in events:
        lines = [] if mode == "chat" else [f"event: {event['type']}"]
        blocks.append([*lines, f"data: {json.dumps(event, ensure_ascii=False)}"])
    if mode == "chat" and done:
        blocks.append(["data: [DONE]"])
    return "".join(ending.join(block) + ending * 2 for block in blocks).encode()


def relay(here, there):
    bridge = None if here == there else STREAMS[here, there](True)
    return Relay(here, there, {"content-type": "text/event-stream"}, bridge)


def relayed(relay, chunks):
    made = []
    for chunk in chunks:
        relay.settle()
        made.append(encoded(relay.feed(chunk)))
    relay.settle()
    return b"".join([*made, encoded(relay.end())])


@with_itself
@LAW
@given(told=answers, chance=chances, ending=st.sampled_from(("\n", "\r\n", "\r")))
def test_a_stream_is_the_same_however_its_bytes_are_cut(here, there, told, chance, ending):
    data = wire(here, streamed(here, answered(here, said_by(told, here)), chance), ending)
    marks = sorted(chance.randrange(len(data) + 1) for _ in range(chance.choice((1, 3, 40))))
    chunks = [data[start:end] for start, end in zip([0, *marks], [*marks, len(data)], strict=True)]
    if chance.random() < 0.1:
        chunks = [data[at : at + 1] for at in range(len(data))]

    assert relayed(relay(here, there), chunks) == relayed(relay(here, there), [data])


@with_itself
@LAW
@given(told=answers, chance=chances, ending=st.sampled_from(("\n", "\r\n")))
def test_a_stream_that_ends_before_its_end_is_a_fault(here, there, told, chance, ending):
    events = streamed(here, answered(here, said_by(told, here)), chance)
    behind = {"chat": 2, "responses": 1, "messages": 1}[here]
    cut = events[: chance.randint(0, len(events) - behind)]
    data = wire(here, cut, ending, done=chance.random() < 0.5)

    with pytest.raises(HopFault):
        relayed(relay(here, there), [data])
