"""A whole reply as a stream of bytes: named as its format names them, and the reply again for the SDK's client."""

import json
import random

import httpx2
import openai
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from mutants import mutant
from openai.types.chat import ChatCompletion
from whole_replies import CALL, CITED, LAW, LIST, MCP, TOKEN, completion, message, missing, response, said
from wild_bodies import replies

from chatsheet_llm.formats import FormatError
from chatsheet_llm.formats.calls import broken_calls
from chatsheet_llm.formats.sse import Decoder, encoded
from chatsheet_llm.formats.whole_stream import chat_chunks, responses_events, sse
from chatsheet_llm.relay import Relay

# The SDK reads what it does not know as something it knows, and says so when it writes it out again.
pytestmark = pytest.mark.filterwarnings("ignore:Pydantic serializer warnings:UserWarning")


MADE = {
    "chat": lambda reply: chat_chunks(reply, include_usage=True),
    "responses": responses_events,
}
each_format = pytest.mark.parametrize("mode", list(MADE))


@each_format
@LAW
@given(data=st.data())
def test_a_relay_passes_the_bytes_on_as_they_are(mode, data):
    reply = data.draw(replies(mode))
    # Half a call is no answer, however it comes.
    assume(not broken_calls(mode, reply))
    made = sse(mode, MADE[mode](reply))
    relay = Relay(mode, mode, {}, None, choices=len(reply.get("choices", "1")))

    assert encoded(relay.feed(made) + relay.end()) == made
    assert relay.finished


@each_format
@LAW
@given(data=st.data())
def test_the_bytes_hold_the_pieces_named_as_the_format_names_them(mode, data):
    pieces = MADE[mode](data.draw(replies(mode)))
    events = Decoder().feed(sse(mode, pieces))

    heard = events[:-1] if mode == "chat" else events
    assert [json.loads(event.data) for event in heard] == pieces
    assert [event.name for event in heard] == [piece.get("type") for piece in pieces]
    assert (events[-1].data == "[DONE]") == (mode == "chat")


@pytest.mark.parametrize("seed", range(200))
@each_format
def test_a_reply_that_is_almost_right_is_told_or_refused(mode, seed):
    chance = random.Random(seed)
    item = message(said("Hi", annotations=[CITED], logprobs=[TOKEN]))
    call = {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    wholes = {
        "chat": completion({"content": "Hi", "tool_calls": [call], "function_call": call["function"]}),
        "responses": response(item, CALL, MCP, LIST, {"id": "rs_1", "type": "reasoning", "summary": [said("a")]}),
    }
    reply = mutant(wholes[mode], chance)
    try:
        pieces = MADE[mode](reply)
    except FormatError:
        return

    assert Decoder().feed(sse(mode, pieces))


def client(made):
    def answer(request):
        return httpx2.Response(200, headers={"content-type": "text/event-stream"}, content=made)

    http = httpx2.Client(transport=httpx2.MockTransport(answer))
    return openai.OpenAI(base_url="https://x.test/v1", api_key="none", http_client=http)


def test_the_sdk_s_client_streams_a_completion_whole():
    call = {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": '{"a":1}'}}
    whole = completion({"content": "Hi", "tool_calls": [call]}, "tool_calls", service_tier="default")
    sdk = client(sse("chat", chat_chunks(whole, include_usage=True)))
    with sdk.chat.completions.stream(model="m", messages=[]) as stream:
        made = stream.get_final_completion()

    assert missing(whole, made.to_dict(mode="json", warnings=False)) == []
    assert isinstance(made, ChatCompletion)


def test_the_sdk_s_client_streams_a_response_whole():
    whole = response(message(said("Hi")), CALL)
    with client(sse("responses", responses_events(whole))).responses.stream(model="m", input="x") as stream:
        heard = [event.delta for event in stream if event.type == "response.output_text.delta"]
        made = stream.get_final_response()

    assert heard == ["Hi"]
    assert missing(whole, made.to_dict(mode="json", warnings=False)) == []
