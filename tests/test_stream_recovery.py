"""What becomes of a stream that breaks behind its first content, by the caller's choice: off, buffer, restart."""

from __future__ import annotations

import asyncio
import gc
import json
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from client_cases import ask, hello, settings_for, text_of, way
from golden_streams import GOLDEN, TEXT, chunk, sse, whole_at
from raw_server import Raw, chained, serving

from chatsheet_llm import AsyncChatClient, ChatClient, Restart, errors, restart_of, route_of, sdk
from chatsheet_llm.domains import Domains
from chatsheet_llm.restart import notice
from chatsheet_llm.route import Mode
from chatsheet_llm.sandbox import Sandbox

ANSWER = "You said: hello there\nAnswered by azure/responses as gpt-5."
BEGUN = "You said:"
BREAKS = {
    "cut:2": "truncated",
    "rst:2": "reset",
    "stall:2": "read_timeout",
    "event-error:server_error@2": "server_error",
    "failed:rate_limit_exceeded@2": "rate",
}
CALLS: dict[str, Callable[..., Any]] = {"chat": hello, "responses": ask}
each_break = pytest.mark.parametrize("fault", BREAKS)
each_call = pytest.mark.parametrize("api", CALLS)


def client_of(box: Sandbox, recovery: str, **more: object) -> ChatClient:
    return ChatClient(settings_for(box, idle_timeout=0.3), stream_recovery=recovery, **more)


def outcomes(value: Any) -> list[str]:
    return [attempt.outcome for attempt in route_of(value).attempts]


def split(given: list[Any]) -> tuple[list[Any], Restart | None, list[Any]]:
    """What came before the notice, the notice, and what came behind it."""
    places = [at for at, part in enumerate(given) if restart_of(part) is not None]
    if not places:
        return given, None, []
    return given[: places[0]], restart_of(given[places[0]]), given[places[0] + 1 :]


# --- buffer


@each_call
@each_break
def test_buffer_delivers_the_whole_answer_of_the_next_hop_and_no_word_of_the_first(
    fault: str, api: str, box: Sandbox
) -> None:
    box.inject("litellm", fault)
    with client_of(box, "buffer") as client:
        stream = CALLS[api](client, stream=True)
        given = list(stream)

    assert text_of(given) == ANSWER
    assert outcomes(stream) == [BREAKS[fault], "ok"]
    # It never reached the caller, but it may be billed.
    assert route_of(stream).attempts[0].send_state == "ambiguous"


async def test_buffer_does_so_asynchronously(box: Sandbox) -> None:
    box.inject("litellm", "cut:2")
    async with AsyncChatClient(settings_for(box), stream_recovery="buffer") as client:
        stream = await hello(client, stream=True)
        given = [part async for part in stream]

    assert text_of(given) == ANSWER
    assert outcomes(stream) == ["truncated", "ok"]


@pytest.mark.parametrize("mode", ["chat", "responses", "messages"])
def test_buffer_takes_a_fault_at_any_byte_to_the_next_hop(mode: Mode) -> None:
    whole = whole_at(mode)
    offsets = [*range(0, whole, 101), whole - 1]
    second = sse(chunk({"content": "second"}), chunk({}, "stop"), "[DONE]")
    given = []
    with serving(answer=lambda number: Raw(GOLDEN[mode][: offsets[number]])) as first, serving(Raw(second)) as other:
        for _ in offsets:
            with ChatClient(**chained(first.url, mode, other.url), stream_recovery="buffer") as client:
                given.append(text_of(list(hello(client, model="m", stream=True))))

    assert given == ["second"] * len(offsets)


def test_buffer_hands_on_a_whole_stream_as_it_came() -> None:
    with serving(Raw(GOLDEN["chat"])) as server:
        arguments = chained(server.url, "chat")
        with ChatClient(**arguments) as plain, ChatClient(**arguments, stream_recovery="buffer") as buffered:
            given = [[part.to_dict() for part in hello(client, model="m", stream=True)] for client in (plain, buffered)]

    assert given[0] == given[1]


def busy(client: ChatClient | AsyncChatClient) -> int:
    """How many connections serve a call."""
    pools = [pool for http in client._core.connections.clients() for pool in sdk.pools(http)]
    return sum(not connection.is_available() for pool in pools for connection in pool.connections)


@pytest.mark.parametrize("recovery", ["buffer", "restart"])
def test_a_stream_that_was_mended_leaves_no_connection_behind(recovery: str, box: Sandbox) -> None:
    box.inject("litellm", "cut:2")
    with client_of(box, recovery) as client:
        stream = hello(client, stream=True)
        held = busy(client)
        list(stream)
        left = busy(client)

    # What is held back has been read to its end before the first word is handed on.
    assert (held == 0) is (recovery == "buffer")
    assert left == 0


def test_buffer_is_bounded_by_the_deadline_over_the_whole_answer() -> None:
    # It speaks all the time, and never comes to an end.
    words = [piece for _ in range(60) for piece in (sse(chunk({"content": "on "})), 0.05)]
    with serving(Raw(words)) as server:
        arguments = chained(server.url, "chat", deadline=0.6)
        with ChatClient(**arguments, stream_recovery="buffer") as client:
            began = time.monotonic()
            with pytest.raises(errors.DeadlineExceededError) as caught:
                hello(client, model="m", stream=True)
            took = time.monotonic() - began

    assert 0.5 < took < 0.6 + 0.25
    assert len(caught.value.route.attempts) == 1


@pytest.mark.parametrize("pause", [0.01, 5.0], ids=["speaking", "thinking"])
def test_a_buffered_stream_that_the_deadline_ends_blames_no_hop(pause: float) -> None:
    words = [piece for _ in range(60) for piece in (sse(chunk({"content": "on "})), pause)]
    with serving(Raw(words)) as server:
        arguments = chained(server.url, "chat", deadline=0.15)
        with ChatClient(**arguments, stream_recovery="buffer") as client:
            for _ in range(6):
                with pytest.raises(errors.DeadlineExceededError):
                    hello(client, model="m", stream=True)
            states = {domain.state for domain in client.health()}

    assert len(server.asked) == 6
    assert states == {"closed"}


def test_buffer_outlives_the_first_content_by_as_long_as_the_deadline_allows(box: Sandbox) -> None:
    words = [piece for word in "abcdef" for piece in (sse(chunk({"content": word})), 0.1)]
    with serving(Raw([*words, sse(chunk({}, "stop"))])) as first, serving(Raw(b"")) as second:
        # Longer than the half that is kept for another hop.
        arguments = chained(first.url, "chat", second.url, deadline=1.0)
        with ChatClient(**arguments, stream_recovery="buffer") as client:
            given = text_of(list(hello(client, model="m", stream=True)))

    assert given == "abcdef"


def test_buffer_leaves_a_silent_hop_half_of_the_time_while_another_could_bring_it_all() -> None:
    with serving(Raw([sse(chunk({"content": "a"})), 9.0])) as first, serving(Raw(GOLDEN["chat"])) as second:
        arguments = chained(first.url, "chat", second.url, deadline=2.0)
        with ChatClient(**arguments, stream_recovery="buffer") as client:
            stream = hello(client, model="m", stream=True)
            given = text_of(list(stream))

    assert given == TEXT
    assert outcomes(stream) == ["read_timeout", "ok"]


def test_buffer_leaves_a_model_that_thinks_all_of_it() -> None:
    words = [sse(chunk({"content": "a"})), 1.2, sse(chunk({"content": "b"}), chunk({}, "stop"), "[DONE]")]
    with serving(Raw(words)) as first, serving(Raw(GOLDEN["chat"])) as second:
        arguments = chained(first.url, "chat", second.url, deadline=2.0)
        with ChatClient(**arguments, stream_recovery="buffer") as client:
            stream = hello(client, model="gpt-5", reasoning_effort="high", stream=True)

            assert text_of(list(stream)) == "ab"


def test_buffer_asks_once_more_and_no_oftener(box: Sandbox) -> None:
    for role in ("litellm", "azure", "openai"):
        box.inject(role, "cut:2")
    with client_of(box, "buffer") as client, pytest.raises(errors.InvalidAnswerError) as caught:
        hello(client, stream=True)

    assert way(caught.value.route) == "litellm/chat truncated -> azure/responses truncated"


# --- restart


@each_call
@each_break
def test_restart_announces_the_answer_of_the_next_hop(fault: str, api: str, box: Sandbox) -> None:
    box.inject("litellm", fault)
    with client_of(box, "restart") as client:
        stream = CALLS[api](client, stream=True)
        before, told, behind = split(list(stream))

    assert text_of(before) == BEGUN
    assert text_of(behind) == ANSWER
    assert told is not None
    assert (told.broke, told.hop, told.discarded) == (f"litellm/{api}", "azure/responses", BEGUN)
    assert told.reason
    assert outcomes(stream) == [BREAKS[fault], "ok"]
    assert route_of(stream).attempts[0].send_state == "committed"


@each_call
async def test_restart_does_so_asynchronously(api: str, box: Sandbox) -> None:
    box.inject("litellm", "cut:2")
    async with AsyncChatClient(settings_for(box), stream_recovery="restart") as client:
        stream = await CALLS[api](client, stream=True)
        before, told, behind = split([part async for part in stream])

    assert (text_of(before), text_of(behind)) == (BEGUN, ANSWER)
    assert told is not None
    assert told.discarded == BEGUN


def test_a_restart_says_nothing_where_nothing_breaks(box: Sandbox) -> None:
    with client_of(box, "restart") as client:
        stream = hello(client, stream=True)
        given, told, _ = split(list(stream))
        health = str(client.health())

    assert told is None
    assert text_of(given).startswith(BEGUN)
    assert outcomes(stream) == ["ok"]
    assert "open" not in health


def test_a_restart_that_finds_no_hop_is_an_interruption_with_what_was_said(box: Sandbox) -> None:
    box.inject("litellm", "cut:2")
    box.inject("azure", "503")
    given: list[Any] = []
    with client_of(box, "restart") as client, pytest.raises(errors.StreamTruncated) as caught:
        given.extend(hello(client, stream=True))

    assert caught.value.partial == text_of(given) == BEGUN
    assert [attempt.outcome for attempt in caught.value.route.attempts][:2] == ["truncated", "overload"]


def test_a_restart_that_breaks_too_is_an_interruption_with_its_own_words(box: Sandbox) -> None:
    box.inject("litellm", "cut:2")
    box.inject("azure", "cut:3")
    given: list[Any] = []
    with client_of(box, "restart") as client, pytest.raises(errors.StreamTruncated) as caught:
        given.extend(hello(client, stream=True))
    before, told, behind = split(given)

    assert text_of(before) == BEGUN
    assert told is not None
    assert caught.value.partial == text_of(behind) == "You said: hello"
    assert [attempt.outcome for attempt in caught.value.route.attempts] == ["truncated", "truncated"]


def test_what_ends_a_call_ends_a_restart_too(box: Sandbox) -> None:
    box.inject("azure", "event-error:content_filter@2")
    chain = ("azure/chat", "litellm")
    with client_of(box, "restart", chain=chain) as client, pytest.raises(errors.StreamInterrupted) as caught:
        list(hello(client, stream=True))

    assert box.hits("litellm") == 0
    assert caught.value.code == "content_filter"


@pytest.mark.parametrize("recovery", ["buffer", "restart"])
def test_what_could_do_something_twice_is_never_asked_again(recovery: str, box: Sandbox) -> None:
    box.inject("litellm", "cut:2")
    tools = [{"type": "code_interpreter", "container": {"type": "auto"}}]
    broken = (errors.StreamInterrupted, errors.InvalidAnswerError)
    with client_of(box, recovery) as client, pytest.raises(broken) as caught:
        list(ask(client, stream=True, tools=tools))

    assert len(caught.value.route.attempts) == 1
    assert len(box.requests) == 1


def test_the_sdk_s_helper_puts_no_two_answers_together(box: Sandbox) -> None:
    box.inject("litellm", "cut:2")
    asked = {"model": "gpt-5", "messages": [{"role": "user", "content": "hello there"}]}
    with (
        client_of(box, "restart") as client,
        pytest.raises(errors.StreamInterrupted),
        client.chat.completions.stream(**asked) as stream,
    ):
        list(stream)

    assert box.hits("azure") == 0


@pytest.mark.parametrize("raw", [{}, {"x-stainless-helper-method": "mine"}], ids=["plain", "with a header of its own"])
def test_its_helper_for_responses_neither(raw: dict[str, str], box: Sandbox) -> None:
    box.inject("litellm", "cut:2")
    with (
        client_of(box, "restart") as client,
        pytest.raises(errors.StreamInterrupted) as caught,
        client.responses.stream(model="gpt-5", input="hello there", extra_headers=raw) as stream,
    ):
        list(stream)

    assert caught.value.partial == BEGUN
    assert [attempt.outcome for attempt in caught.value.route.attempts] == ["truncated"]
    assert box.hits("azure") == 0


async def test_nor_do_both_asynchronously(box: Sandbox) -> None:
    box.inject("litellm", "cut:2")
    asked = {"model": "gpt-5", "messages": [{"role": "user", "content": "hello there"}]}
    async with AsyncChatClient(settings_for(box), stream_recovery="restart") as client:
        for helper in (client.chat.completions.stream(**asked), client.responses.stream(model="gpt-5", input="hello")):
            with pytest.raises(errors.StreamInterrupted) as caught:
                async with helper as stream:
                    [event async for event in stream]

            assert caught.value.partial == BEGUN

    assert box.hits("azure") == 0


def test_the_helper_for_responses_gives_a_whole_answer_as_the_sdk_does(box: Sandbox) -> None:
    with (
        client_of(box, "restart") as client,
        client.copy().responses.stream(model="gpt-5", input="hello there") as stream,
    ):
        answer = stream.get_final_response()

    assert answer.output_text.startswith("You said: hello there")
    assert box.requests[-1].headers["x-stainless-helper-method"] == "responses.stream"


async def test_a_restart_that_its_caller_cancels_tells_of_the_hop_that_was_asked(box: Sandbox) -> None:
    box.inject("litellm", "cut:2")
    box.inject("azure", "stall")
    async with AsyncChatClient(settings_for(box), stream_recovery="restart") as client:
        stream = await hello(client, stream=True)
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(read(stream), 0.2)
    last = route_of(stream).attempts[-1]

    assert outcomes(stream) == ["truncated", "cancelled"]
    assert (last.hop, last.send_state, last.maybe_billed) == ("azure/responses", "ambiguous", True)


async def read(stream: Any) -> None:
    async for _ in stream:
        pass


def test_a_client_that_is_closed_before_the_next_hop_answers_is_an_interruption(box: Sandbox) -> None:
    box.inject("litellm", "cut:2")
    box.inject("azure", "slow:0.4")
    client = client_of(box, "restart")
    threading.Timer(0.2, client.close).start()
    given: list[Any] = []
    with pytest.raises(errors.StreamTruncated) as caught:
        given.extend(hello(client, stream=True))

    assert caught.value.partial == text_of(given) == BEGUN


@pytest.mark.parametrize("read", ["whole", "a part"])
def test_the_plan_hears_of_an_answer_once_nothing_can_break_it(
    read: str, box: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[str] = []
    monkeypatch.setattr(Domains, "succeeded", lambda _, hop, *more: heard.append(hop.name))
    with client_of(box, "restart") as client, hello(client, stream=True) as stream:
        next(iter(stream))
        early = list(heard)
        if read == "whole":
            list(stream)

    assert (early, heard) == ([], ["litellm/chat"])


def test_a_stream_that_is_left_early_blames_nobody(box: Sandbox) -> None:
    with client_of(box, "restart") as client:
        for _ in range(6):
            with hello(client, stream=True) as stream:
                next(iter(stream))
        route = route_of(hello(client))

    assert way(route) == "litellm/chat 200"


@pytest.mark.parametrize("recovery", ["buffer", "restart"])
@pytest.mark.parametrize("read", [0, 1])
async def test_a_stream_that_is_forgotten_gives_its_connection_back(recovery: str, read: int, box: Sandbox) -> None:
    async with AsyncChatClient(settings_for(box), stream_recovery=recovery) as client:
        for _ in range(3):
            stream = await hello(client, stream=True)
            if read:
                await anext(aiter(stream))
            del stream
        for _ in range(3):
            gc.collect()
            await asyncio.sleep(0.05)

        assert busy(client) == 0


# --- the choice


def test_nothing_is_recovered_unless_asked_for(box: Sandbox) -> None:
    box.inject("litellm", "cut:2")
    with ChatClient(settings_for(box)) as client, pytest.raises(errors.StreamTruncated):
        list(hello(client, stream=True))


@pytest.mark.parametrize("how", ["setting", "copy", "block", "variable"])
def test_it_can_be_asked_for_in_every_place(how: str, box: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    box.inject("litellm", "cut:2")
    if how == "variable":
        monkeypatch.setenv("CHATSHEET_STREAM_RECOVERY", "buffer")
    settings = settings_for(box, **({"stream_recovery": "buffer"} if how == "setting" else {}))
    block = {"extra_body": {"chatsheet": {"stream_recovery": "buffer"}}} if how == "block" else {}
    with ChatClient(settings) as client:
        asked = client.copy(stream_recovery="buffer") if how == "copy" else client
        given = list(hello(asked, stream=True, **block))

    assert text_of(given) == ANSWER


def test_a_call_can_refuse_what_its_client_asks_for(box: Sandbox) -> None:
    box.inject("litellm", "cut:2")
    with client_of(box, "buffer") as client, pytest.raises(errors.StreamTruncated):
        list(hello(client, stream=True, extra_body={"chatsheet": {"stream_recovery": "off"}}))


def test_a_word_that_is_no_choice_is_refused_by_name(box: Sandbox) -> None:
    message = "stream_recovery must be 'off', 'buffer' or 'restart'; got 'maybe'"
    with ChatClient(settings_for(box)) as client:
        with pytest.raises(errors.SettingsError, match=message):
            client.copy(stream_recovery="maybe")
        with pytest.raises(errors.SettingsError, match=message):
            hello(client, stream=True, extra_body={"chatsheet": {"stream_recovery": "maybe"}})


def test_a_whole_call_is_not_concerned(box: Sandbox) -> None:
    for recovery in ("buffer", "restart"):
        with client_of(box, recovery) as client:
            assert hello(client).choices[0].message.content.startswith(BEGUN)


# --- the notice

RESTART = Restart("a/chat", "b/chat", TEXT, "the connection broke")


@pytest.mark.parametrize("caller", ["chat", "responses"])
def test_a_notice_is_read_as_it_was_written(caller: Mode) -> None:
    data = notice(caller, RESTART).decode().split("data: ")[1]

    assert restart_of(json.loads(data)) == RESTART


@pytest.mark.parametrize("other", [None, {}, {"type": "response.created"}, {"choices": []}, "text"], ids=str)
def test_nothing_else_is_a_notice(other: object) -> None:
    assert restart_of(other) is None


@pytest.mark.parametrize("kind", [ChatClient, AsyncChatClient])
def test_a_model_that_gives_no_stream_is_streamed_with_restart_as_without(
    kind: type[Any], box: Sandbox, tmp_path: Path
) -> None:
    path = tmp_path / "models.yaml"
    path.write_text("models:\n  - alias: gpt-5\n    capabilities: {streaming: false}\n", encoding="utf-8")
    client = kind(settings_for(box, models_file=path), chain="azure/chat", stream_recovery="restart")
    body: dict[str, Any] = {"model": "gpt-5", "messages": [{"role": "user", "content": "hello"}], "stream": True}

    async def asked() -> list[Any]:
        async with client:
            return [piece async for piece in await client.chat.completions.create(**body)]

    if kind is ChatClient:
        with client:
            given = list(client.chat.completions.create(**body))
    else:
        given = asyncio.run(asked())

    assert "".join(piece.choices[0].delta.content or "" for piece in given if piece.choices).startswith("You said")
    assert given[-1].choices[0].finish_reason == "stop"
