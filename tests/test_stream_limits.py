"""How long a stream may be silent, before its first content and within; and how large it, and what is in it, may be."""

from __future__ import annotations

import json
import time
from typing import Any

import httpx2
import pytest
from client_cases import ask, hello, settings_for, text_of
from golden_streams import GOLDEN, Json, chunk, sse
from raw_server import Raw, chained, serving

from chatsheet_llm import AsyncChatClient, ChatClient, errors, relay, route_of
from chatsheet_llm.formats.sse import encoded
from chatsheet_llm.relay import HopFault, Relay
from chatsheet_llm.route import Mode
from chatsheet_llm.sandbox import Sandbox

END = chunk({}, "stop")
SPOKEN = sse(chunk({"content": "late"}), END, "[DONE]")
SECOND = sse(chunk({"content": "second"}), END, "[DONE]")


def late(seconds: float) -> Raw:
    """A stream that says nothing for so long, behind its opening."""
    return Raw([sse(chunk({"role": "assistant"})), seconds, SPOKEN])


def asked(raw: Raw, *, alone: bool = False, call: Json | None = None, **more: object) -> tuple[str, list[str]]:
    """The text of a call to a hop that answers so, and what came of each attempt."""
    with serving(raw) as first, serving(Raw(SECOND)) as other:
        given = {"deadline": 4.0, "first_token_timeout": 0.3, **more}
        arguments = chained(first.url, "chat", None if alone else other.url, **given)
        with ChatClient(**arguments) as client:
            stream = hello(client, **{"model": "m", "stream": True, **(call or {})})
            return text_of(list(stream)), [attempt.outcome for attempt in route_of(stream).attempts]


# --- the first content


def test_a_hop_that_does_not_begin_to_speak_is_left_for_another() -> None:
    began = time.monotonic()
    text, outcomes = asked(late(1.5))

    assert (text, outcomes) == ("second", ["read_timeout", "ok"])
    assert time.monotonic() - began < 1.0


async def test_so_it_is_for_the_asynchronous_client() -> None:
    with serving(late(1.5)) as first, serving(Raw(SECOND)) as second:
        arguments = chained(first.url, "chat", second.url, deadline=4.0, first_token_timeout=0.3)
        async with AsyncChatClient(**arguments) as client:
            stream = await hello(client, model="m", stream=True)
            given = [part async for part in stream]

    assert (text_of(given), route_of(stream).hop) == ("second", "second/chat")


def test_pings_are_no_content() -> None:
    pings: list[bytes | float] = [piece for _ in range(30) for piece in (b": ping\n\n", 0.05)]
    text, outcomes = asked(Raw([*pings, SPOKEN]))

    assert (text, outcomes) == ("second", ["read_timeout", "ok"])


def test_the_last_hop_has_all_the_time_there_is() -> None:
    assert asked(late(0.6), alone=True) == ("late", ["ok"])


def test_a_hop_has_it_too_where_the_others_are_its_own_origin() -> None:
    with serving(late(0.6)) as server:
        arguments = chained(server.url, "chat", deadline=4.0, first_token_timeout=0.3)
        arguments["chain"] = ["first/chat", "first/responses"]
        with ChatClient(**arguments) as client:
            assert text_of(list(hello(client, model="m", stream=True))) == "late"


@pytest.mark.parametrize("timeout", [1.5, httpx2.Timeout(1.5)], ids=["seconds", "parts"])
def test_what_the_caller_sets_wins(timeout: object) -> None:
    assert asked(late(0.6), call={"timeout": timeout}) == ("late", ["ok"])
    assert asked(late(0.6), call={"timeout": 0.2}) == ("second", ["read_timeout", "ok"])


@pytest.mark.parametrize("model", ["m", "gpt-5"])
def test_a_whole_call_is_not_concerned(model: str, box: Sandbox) -> None:
    box.inject("litellm", "slow:0.4")
    with ChatClient(settings_for(box, deadline=4.0, first_token_timeout=0.1)) as client:
        assert route_of(hello(client, model=model)).hop == "litellm/chat"


THINKING: list[tuple[str, Json, bool]] = [
    ("gpt-5", {}, False),
    ("gpt-5", {"reasoning_effort": "medium"}, False),
    ("gpt-5", {"reasoning_effort": "high"}, True),
    ("gpt-5.4", {"reasoning_effort": "xhigh"}, True),
    ("gpt-5.4-pro", {}, True),
    ("gpt-4.1", {}, False),
]


@pytest.mark.parametrize(("model", "more", "patient"), THINKING, ids=str)
def test_a_model_that_thinks_for_minutes_has_all_that_is_left(
    model: str, more: Json, patient: bool, box: Sandbox
) -> None:
    box.inject("litellm", "slow:0.7")
    # More than the first-token limit, and than the half that is kept for another origin.
    with ChatClient(settings_for(box, deadline=1.2, first_token_timeout=0.2)) as client:
        route = route_of(hello(client, model=model, stream=True, **more))

    assert (route.attempts[0].outcome == "ok") is patient
    assert route.hop is not None


def test_the_plan_says_of_each_hop_whether_it_thinks(box: Sandbox) -> None:
    with ChatClient(settings_for(box)) as client:
        thinks = [
            {hop.thinks for hop in client.plan(model=model, messages=[{"role": "user", "content": "x"}], **more).hops}
            for model, more, _ in THINKING
        ]

    assert thinks == [{patient} for _, _, patient in THINKING]


def test_an_effort_of_the_model_s_entry_counts(box: Sandbox, tmp_path: Any) -> None:
    file = tmp_path / "models.yaml"
    file.write_text("models:\n  - {alias: thinker, base_model: gpt-5, reasoning_effort: high}\n", encoding="utf-8")
    with ChatClient(settings_for(box, models_file=file)) as client:
        hops = client.plan(model="thinker", messages=[{"role": "user", "content": "x"}]).hops

    assert [hop.thinks for hop in hops] == [True] * len(hops)


# --- silence within


def test_within_a_stream_another_limit_holds() -> None:
    words = [sse(chunk({"content": "a"})), 0.5, sse(chunk({"content": "b"}), END)]

    assert asked(Raw(words), idle_timeout=2.0)[0] == "ab"
    with pytest.raises(errors.StreamInterrupted) as caught:
        asked(Raw(words), idle_timeout=0.2)
    assert (caught.value.partial, caught.value.route.attempts[0].outcome) == ("a", "read_timeout")


def test_a_caller_who_gives_an_attempt_longer_allows_that_silence_too() -> None:
    words = [sse(chunk({"content": "a"})), 0.5, sse(chunk({"content": "b"}), END)]

    assert asked(Raw(words), idle_timeout=0.2, call={"timeout": 2.0})[0] == "ab"


@pytest.mark.parametrize("where", ["call", "client"])
@pytest.mark.parametrize("timeout", [0.3, httpx2.Timeout(0.3)], ids=["seconds", "parts"])
def test_one_who_gives_it_less_allows_less_and_blames_nobody(where: str, timeout: Any) -> None:
    words = [sse(chunk({"content": "a"})), 3.0, sse(chunk({"content": "b"}), END)]
    with serving(Raw(words)) as server:
        arguments = chained(server.url, "chat", deadline=20.0)
        with ChatClient(**arguments, **({"timeout": timeout} if where == "client" else {})) as client:
            for _ in range(5):
                began = time.monotonic()
                with pytest.raises(errors.StreamInterrupted, match=r"nothing came for 0\.3 s") as caught:
                    list(hello(client, model="m", stream=True, **({"timeout": timeout} if where == "call" else {})))
                took = time.monotonic() - began
            states = {domain.state for domain in client.health()}

    assert 0.3 <= took < 2
    assert states == {"closed"}
    # The route tells of the silence too.
    assert 0.3 <= caught.value.route.seconds <= took


# --- sizes


def feed(made: Relay, *chunks: bytes) -> None:
    for part in chunks:
        made.feed(part)
        made.settle()


def fault_of(mode: Mode, *chunks: bytes) -> tuple[str, str]:
    """The fault that these bytes end in, and its sentence."""
    with pytest.raises(HopFault) as raised:
        feed(Relay(mode, mode, {}, None), *chunks)
    return raised.value.failure.fault, raised.value.failure.sentence


MIB = 1 << 20
DELTA: dict[Mode, Any] = {
    "chat": lambda text: chunk({"content": text}),
    "responses": lambda text: {"type": "response.output_text.delta", "delta": text},
    "messages": lambda text: {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}},
}
START = sse({"type": "message_start", "message": {}})
EACH = pytest.mark.parametrize("mode", list(DELTA))


@EACH
def test_an_event_of_more_than_a_mebibyte_is_a_fault(mode: Mode) -> None:
    large = sse(DELTA[mode]("x" * MIB))
    fault, sentence = fault_of(mode, START if mode == "messages" else b"", large)

    assert fault == "large_event"
    assert sentence.endswith("one event of more than 1 MiB")


@EACH
def test_one_of_less_is_none(mode: Mode) -> None:
    made = Relay(mode, mode, {}, None)
    made.feed((START if mode == "messages" else b"") + sse(DELTA[mode]("x" * (MIB - 1000))))
    made.settle()

    assert len(made.partial) == MIB - 1000


@EACH
def test_an_event_that_never_ends_is_not_kept_forever(mode: Mode) -> None:
    most = 16 if mode == "responses" else 1
    part = b"x" * MIB
    made = Relay(mode, mode, {}, None)
    feed(made, b"data: ", *[part] * (most - 1))

    with pytest.raises(HopFault) as raised:
        feed(made, part)
    assert raised.value.failure.fault == "large_event"


def test_what_repeats_a_whole_answer_of_responses_may_be_as_large_as_one() -> None:
    item = {"type": "image_generation_call", "id": "ig_1", "result": "x" * (3 * MIB)}
    event = {"type": "response.completed", "response": {"output": [item]}}
    made = Relay("responses", "responses", {}, None)

    assert len(encoded(made.feed(sse(event)))) > 3 * MIB
    made.settle()
    assert made.whole


def test_a_preamble_that_is_larger_than_any_is_a_fault() -> None:
    event = sse({"type": "response.in_progress", "response": {"instructions": "x" * MIB}})
    fault, sentence = fault_of("responses", *[event] * 17)

    assert fault == "large_event"
    assert "before its first content" in sentence


@EACH
def test_a_stream_of_too_many_events_is_a_fault(mode: Mode, monkeypatch: pytest.MonkeyPatch) -> None:
    assert relay.MOST_EVENTS == 100_000
    monkeypatch.setattr(relay, "MOST_EVENTS", 100)
    events = (START if mode == "messages" else b"") + sse(*[DELTA[mode]("x")] * 101)

    assert fault_of(mode, events) == (
        "large_event",
        "an event of the stream, or all of them, are larger than any answer: more than 100 events",
    )


def test_what_is_held_back_is_bounded_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relay, "LARGEST_HELD", 1000)
    made = Relay("chat", "chat", {}, None, held=True)
    with pytest.raises(HopFault) as raised:
        made.feed(sse(*[chunk({"content": "x"})] * 100))

    assert "held back" in raised.value.failure.sentence
    assert raised.value.failure.send_state == "ambiguous"


def test_a_whole_answer_instead_of_a_stream_is_bounded() -> None:
    made = Relay("chat", "chat", {}, None, reply=lambda body: ([], ""))
    with pytest.raises(HopFault) as raised:
        feed(made, b'{"a": "', *[b"x" * MIB] * 16)

    assert raised.value.failure.fault == "large_event"


@pytest.mark.parametrize("content", [False, True])
def test_a_large_event_over_a_socket_is_the_hop_s_fault(content: bool) -> None:
    head = sse(chunk({"content": "Hi"})) if content else b""
    raw = Raw([head, *[b"data: " + b"x" * (MIB // 2)] * 4, b"\n\n"])
    if not content:
        assert asked(raw) == ("second", ["large_event", "ok"])
        return
    with pytest.raises(errors.StreamInterrupted) as caught:
        asked(raw)
    assert caught.value.partial == "Hi"


def test_nothing_real_comes_near_the_limits() -> None:
    assert max(len(raw) for raw in GOLDEN.values()) < MIB / 100
    assert len(json.dumps(END)) < 1000


def test_responses_have_the_same_limits(box: Sandbox) -> None:
    box.inject("litellm", "slow:0.7")
    with ChatClient(settings_for(box, deadline=4.0, first_token_timeout=0.2)) as client:
        assert route_of(ask(client, stream=True)).hop == "azure/responses"
