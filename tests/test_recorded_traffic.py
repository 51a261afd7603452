"""Recorded traffic through the client: what the bare SDK makes of a reply is what our caller gets, in either format."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import openai
import pytest
from folding import fold
from openai.types.responses import Response
from replay import Recording, ReplayServer, recordings
from traffic import ENDPOINTS, KEY, SAMPLE, Clients, Outcome, Replayed, recorded_call, replay, report, send

from chatsheet_llm import CallError, InvalidAnswerError
from chatsheet_llm.faults import FAULTS

ADDED: Mapping[str, Mapping[str, object]] = {"litellm": {"disable_fallbacks": True}}
"""What an endpoint adds to the caller's body on purpose."""
HELLO: dict[str, Any] = {"model": "any", "messages": [{"role": "user", "content": "Hello"}]}


@pytest.fixture(scope="module")
def replayed(request: pytest.FixtureRequest) -> list[Replayed]:
    found = asyncio.run(replay(record for record in recordings(kind=ENDPOINTS) if record.op == "create"))
    report(
        request,
        f"recorded traffic, asynchronously too for every {SAMPLE}rd success and every error",
        Counter(verdict(one) for one in found),
    )
    return found


def verdict(one: Replayed) -> str:
    shape = "stream" if one.record.stream else "plain"
    return f"{one.record.kind}, {shape}: the same {'reply' if one.bare.error is None else 'error'}"


# --- in the caller's own format ---------------------------------------------------------------------------------------


def test_every_recorded_reply_reaches_the_caller_as_the_bare_sdk_gives_it(replayed: list[Replayed]) -> None:
    expected = [one for one in replayed if one.bare.error is None]
    raised = [(one.record.id, outcome.error) for one in expected for outcome in one.ours if outcome.error]
    different = [one.record.id for one in expected for outcome in one.ours if outcome.given != one.bare.given]

    assert raised == []
    assert different == []
    assert {outcome.tries for one in expected for outcome in one.ours} == {1}
    assert len(expected) > 600
    assert sum(len(one.ours) == 2 for one in expected) > 200


def test_what_the_bare_sdk_refuses_we_raise_as_the_same_class_with_the_same_facts(replayed: list[Replayed]) -> None:
    refused = [one for one in replayed if one.bare.error is not None]
    wrong = [
        (one.record.id, found)
        for one in refused
        for outcome in one.ours
        if (found := differences(one.bare.error, outcome.error))
    ]

    assert wrong == []
    assert len(refused) > 35
    assert all(len(one.ours) == 2 for one in refused)


def differences(bare: openai.APIError | None, ours: openai.APIError | None) -> list[str]:
    """In what our error says something else than the SDK's; nothing where code that catches the one takes the other."""
    assert bare is not None
    if not isinstance(ours, CallError) or not isinstance(ours, type(bare)):
        return [f"{type(ours).__name__} is no {type(bare).__name__}"]
    found = []
    # Without a code of the provider's ours is the name of the fault.
    if ours.code != bare.code and (bare.code is not None or ours.code not in FAULTS):
        found.append(f"code {ours.code!r} for {bare.code!r}")
    # Our request id is also Azure's, of a front end that sends no `x-request-id`.
    for name in ("param", "type", *(name for name in ("status_code", "request_id") if getattr(bare, name, None))):
        if getattr(ours, name) != getattr(bare, name):
            found.append(f"{name} {getattr(ours, name)!r} for {getattr(bare, name)!r}")
    return found


def test_a_whole_reply_to_a_streamed_request_is_handed_on_as_the_stream_that_it_makes() -> None:
    whole, *_ = recordings(kind="openai-chat", stream=False, ok=True)
    with ReplayServer(whole) as server:
        outcome = send(Clients(server).of("openai")[0].with_options(max_retries=0), "chat", {**HELLO, "stream": True})

    assert outcome.error is None
    said = [choice["delta"].get("content") or "" for chunk in outcome.given for choice in chunk["choices"]]
    assert "".join(said) == json.loads(whole.body)["choices"][0]["message"]["content"]


def test_every_recorded_request_goes_out_as_the_bare_sdk_sends_it(replayed: list[Replayed]) -> None:
    wrong = []
    for one in replayed:
        bare, *ours = one.bodies
        added = ADDED.get(ENDPOINTS[one.record.kind], {})
        if ours != [{**bare, **added}] * len(one.ours):
            wrong.append(one.record.id)

    assert wrong == []


# --- through a bridge -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Said:
    """What an answer says, in words that both formats have."""

    text: str
    refusal: str
    calls: tuple[tuple[str, str, str], ...]
    finish: str | None
    tokens: tuple[int, int, int] | None


FINISHED = ("completed", "incomplete")
"""Statuses of a Response that is an answer.  Others belong to background calls, which a chat caller cannot make."""
FINISH: Mapping[str, str] = {"max_output_tokens": "length", "content_filter": "content_filter"}


def said_in_responses(reply: Response) -> Said:
    calls = []
    refusal = ""
    for item in reply.output:
        if item.type == "function_call":
            calls.append((item.call_id, item.name, item.arguments))
        elif item.type == "custom_tool_call":
            calls.append((item.call_id, item.name, item.input))
        elif item.type == "message":
            refusal += "".join(part.refusal for part in item.content if part.type == "refusal")
    cut = reply.incomplete_details.reason if reply.status == "incomplete" and reply.incomplete_details else None
    usage = reply.usage
    return Said(
        reply.output_text,
        refusal,
        tuple(calls),
        FINISH[cut] if cut else "tool_calls" if calls else "stop",
        (usage.input_tokens, usage.output_tokens, usage.total_tokens) if usage else None,
    )


def said_in_chat(chunks: list[dict[str, Any]], *, stream: bool) -> Said:
    folded: dict[str, Any]
    if stream:
        folded = fold(chunks)  # type: ignore[no-untyped-call]  # that file is not annotated
    else:
        folded = {**chunks[0]["choices"][0], "usage": chunks[0].get("usage")}
    message, usage = folded["message"], folded["usage"]
    calls = []
    for entry in message.get("tool_calls") or ():
        tool = entry[entry["type"]]
        calls.append((entry["id"], tool["name"], tool["arguments" if entry["type"] == "function" else "input"]))
    counts = ("prompt_tokens", "completion_tokens", "total_tokens")
    return Said(
        message.get("content") or "",
        message.get("refusal") or "",
        tuple(calls),
        folded["finish_reason"],
        (usage[counts[0]], usage[counts[1]], usage[counts[2]]) if usage else None,
    )


@dataclass(frozen=True, slots=True)
class Bridged:
    """A Responses recording: the object that the bare SDK gives, and what a chat caller got in its place."""

    record: Recording
    expected: Response | openai.APIStatusError
    got: Outcome


def bridge(records: Sequence[Recording]) -> list[Bridged]:
    made = []
    with ReplayServer() as server, openai.OpenAI(base_url=f"{server.url}/v1", api_key=KEY, max_retries=0) as bare:
        clients = Clients(server)
        for record in records:
            server.record = record
            endpoint = ENDPOINTS[record.kind]
            options = {"stream_options": {"include_usage": True}} if record.stream else {}
            asked = {**HELLO, **options, "stream": record.stream, "extra_body": {"chatsheet": {"mode": "responses"}}}
            got = send(clients.of(endpoint)[0].with_options(max_retries=0), "chat", asked)
            made.append(Bridged(record, last_response(bare, record), got))
            if got.error:
                asyncio.run(clients.drop(endpoint))
        asyncio.run(clients.drop_all())
    return made


def last_response(client: openai.OpenAI, record: Recording) -> Response | openai.APIStatusError:
    """The Responses object that the bare SDK gives, at the end of a stream where it is one; or its error."""
    try:
        reply: Any = client.responses.create(**recorded_call(record))
    except openai.APIStatusError as error:
        return error
    if record.stream:
        *_, last = reply
        reply = last.response
    assert isinstance(reply, Response)
    return reply


@pytest.fixture(scope="module")
def bridged(request: pytest.FixtureRequest) -> list[Bridged]:
    found = bridge([one for one in recordings(kind=("openai-responses", "azure-responses")) if one.op == "create"])
    report(request, "recorded Responses traffic, served to a chat caller", Counter(map(bridge_verdict, found)))
    return found


def bridge_verdict(one: Bridged) -> str:
    shape = f"{one.record.kind}, {'stream' if one.record.stream else 'plain'}"
    if isinstance(one.expected, openai.APIStatusError):
        return f"{shape}: the same error"
    if one.expected.status not in FINISHED:
        return f"{shape}: raised, for it is {one.expected.status} and no answer yet"
    calls = any(item.type in ("function_call", "custom_tool_call") for item in one.expected.output)
    return f"{shape}: the same text{' and tool calls' if calls else ''}"


def test_a_recorded_responses_reply_tells_a_chat_caller_the_same(bridged: list[Bridged]) -> None:
    different: dict[str, object] = {}
    checked: list[Said] = []
    for one in bridged:
        if isinstance(one.expected, Response) and one.expected.status in FINISHED:
            assert one.got.error is None, (one.record, one.got.error)
            said = said_in_responses(one.expected)
            got = said_in_chat(one.got.given, stream=one.record.stream)
            checked.append(said)
            if got != said:
                different[one.record.id] = (said, got)

    assert different == {}
    assert len(checked) > 270
    assert sum(bool(said.calls) for said in checked) > 50


def test_what_responses_refuses_a_chat_caller_hears_as_the_same_error(bridged: list[Bridged]) -> None:
    refused = [(one, one.expected) for one in bridged if isinstance(one.expected, openai.APIStatusError)]
    wrong = {one.record.id: differences(expected, one.got.error) for one, expected in refused}

    assert {name: found for name, found in wrong.items() if found} == {}
    assert len(refused) > 5


def test_a_response_that_still_runs_is_no_answer_to_a_chat_caller(bridged: list[Bridged]) -> None:
    running = [one for one in bridged if isinstance(one.expected, Response) and one.expected.status not in FINISHED]

    assert {type(one.got.error) for one in running} == {InvalidAnswerError}
    assert {one.expected.status for one in running if isinstance(one.expected, Response)} == {"queued"}
