"""The synchronous client over real sockets: the whole table of calls, and what only a synchronous caller can do."""

from __future__ import annotations

import gc
import pickle
import socket
import ssl
import sys
import threading
import time
import types
from collections.abc import Iterator
from typing import Any

import httpx2
import openai
import pytest
from client_cases import (
    CASES,
    DEADLINE,
    HELLO,
    INTERRUPTED,
    LATE,
    SILENT,
    Case,
    Said,
    Silent,
    ask,
    hello,
    settings_for,
    text_of,
    way,
)
from tenacity import stop_after_attempt, wait_fixed

from chatsheet_llm import ChatClient, errors, route_of, sdk
from chatsheet_llm.sandbox import Sandbox

by_name = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)


@pytest.fixture
def client(box: Sandbox) -> Iterator[ChatClient]:
    with ChatClient(settings_for(box)) as made:
        yield made


def pools(client: Any) -> list[Any]:
    return [pool for http in client._core.connections.clients() for pool in sdk.pools(http)]


# --- the table


@by_name
def test_each_call_of_the_table(case: Case, box: Sandbox) -> None:
    for hop, fault in case.faults.items():
        box.inject(hop, fault)
    with ChatClient(settings_for(box, **case.settings)) as client:
        if case.error is not None:
            with pytest.raises(case.error) as caught:
                case.call(client)

            assert case.message in str(caught.value)
            assert case.way is None or way(route_of(caught.value)) == case.way
            assert caught.value.__cause__ is None
        else:
            value = case.call(client)
            route = route_of(value)
            if isinstance(value, openai.Stream):
                value = list(value)

            assert case.way is None or way(route) == case.way
            assert case.text is None or case.text in text_of(value)
            assert case.look is None or case.look(value) == case.seen
    assert not [request for request in box.requests if "chatsheet" in (request.json or {})]


def test_a_client_is_the_sdk_s_own(client: ChatClient) -> None:
    assert isinstance(client, openai.OpenAI)
    assert repr(client) == "ChatClient(chain='litellm,azure/responses,azure/chat')"


# --- raw responses and helpers


@pytest.mark.parametrize("chain", [("litellm",), ("azure/responses",), ("azure/chat",)])
def test_a_raw_response_holds_the_reply_and_the_route(client: ChatClient, chain: tuple[str, ...]) -> None:
    raw = client.with_chain(*chain).chat.completions.with_raw_response.create(model="gpt-5", messages=HELLO)  # type: ignore[arg-type]

    assert raw.status_code == 200
    assert raw.headers["content-type"].startswith("application/json")
    assert "hello there" in (raw.parse().choices[0].message.content or "")
    assert route_of(raw) == route_of(raw.parse())
    assert "authorization" not in raw.http_request.headers
    assert "api-key" not in raw.http_request.headers
    assert raw.elapsed.total_seconds() > 0


def test_a_raw_stream_can_be_read(client: ChatClient) -> None:
    raw = client.chat.completions.with_raw_response.create(model="gpt-5", messages=HELLO, stream=True)  # type: ignore[arg-type]
    stream = raw.parse()

    assert "hello there" in text_of(list(stream))
    assert way(route_of(raw)) == way(route_of(stream)) == "litellm/chat 200"


def test_a_streaming_response_gives_bytes_lines_or_the_object(client: ChatClient) -> None:
    create = client.chat.completions.with_streaming_response.create
    with create(model="gpt-5", messages=HELLO) as response:  # type: ignore[arg-type]
        parsed = response.parse()
        route = route_of(response)
    with create(model="gpt-5", messages=HELLO) as response:  # type: ignore[arg-type]
        raw = b"".join(response.iter_bytes())
    with create(model="gpt-5", messages=HELLO, stream=True) as response:  # type: ignore[arg-type]
        lines = list(response.iter_lines())

    assert "hello there" in text_of(parsed)
    assert way(route) == "litellm/chat 200"
    assert raw.startswith(b'{"id"')
    assert [line for line in lines if line][-1] == "data: [DONE]"


@pytest.mark.parametrize("model", ["gpt-5", "gpt-5-codex"])
def test_the_stream_helper_of_chat_builds_the_completion(client: ChatClient, model: str) -> None:
    with client.chat.completions.stream(model=model, messages=HELLO) as stream:  # type: ignore[arg-type]
        kinds = {event.type for event in stream}
        final = stream.get_final_completion()

    assert {"chunk", "content.delta", "content.done"} <= kinds
    assert "hello there" in text_of(final)
    assert final.choices[0].finish_reason == "stop"
    assert route_of(stream).hop in ("litellm/chat", "litellm/responses")


def test_the_stream_helper_of_responses_builds_the_response(client: ChatClient) -> None:
    with client.responses.stream(model="gpt-5", input="hello there", text_format=Said) as stream:
        for _ in stream:
            pass
        final = stream.get_final_response()

    assert isinstance(final.output_parsed, Said)
    assert way(route_of(stream)) == "litellm/responses 200"


def test_a_generic_request_goes_the_same_way(client: ChatClient) -> None:
    body = {"model": "gpt-5-codex", "messages": HELLO}

    answer = client.post("/chat/completions", cast_to=openai.types.chat.ChatCompletion, body=body)
    raw = client.get("/models", cast_to=httpx2.Response)

    assert way(route_of(answer)) == "litellm/responses 200"
    assert raw.status_code == 200
    assert way(route_of(raw)) == "litellm 200"
    assert "authorization" not in raw.request.headers


def test_a_stored_response_is_fetched_and_deleted_where_it_lies(client: ChatClient) -> None:
    made = ask(client)
    fetched = client.responses.retrieve(made.id)
    client.responses.delete(made.id)

    assert fetched.output_text == made.output_text
    with pytest.raises(openai.NotFoundError) as caught:
        client.responses.retrieve(made.id)
    assert isinstance(caught.value, errors.RequestNotFoundError)


def test_a_websocket_is_refused_before_it_connects(client: ChatClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def connect(*args: object, **kwargs: object) -> None:
        pytest.fail("it connected")

    for name in ("websockets", "websockets.sync", "websockets.sync.client"):
        module = types.ModuleType(name)
        module.connect = connect  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, name, module)

    with pytest.raises(errors.UnsupportedPathError, match="do not go through the chain"):
        client.realtime.connect(model="gpt-realtime").__enter__()


# --- copies and closing


def test_a_copy_shares_what_was_learned_and_differs_in_what_was_said(client: ChatClient, box: Sandbox) -> None:
    box.inject("litellm", "401")
    hello(client)
    copied = client.with_options(timeout=3).with_chain("litellm", "azure/chat")

    assert way(route_of(hello(copied))) == "azure/chat 200"
    assert box.hits("litellm") == 1
    assert copied.timeout == 3
    assert repr(client) != repr(copied)


def test_headers_and_queries_are_added_and_replaced(client: ChatClient, box: Sandbox) -> None:
    one = client.with_options(default_headers={"X-A": "1"}, default_query={"q": "1"})
    two = one.with_options(default_headers={"X-B": "2"})
    three = two.with_options(set_default_headers={"X-C": "3"}, set_default_query={})
    hello(two, extra_headers={"X-D": "4"}, extra_query={"z": "9"})
    hello(three)

    first, second = box.requests
    assert [first.headers.get(name) for name in ("x-a", "x-b", "x-c", "x-d")] == ["1", "2", None, "4"]
    assert first.query == "q=1&z=9"
    assert [second.headers.get(name) for name in ("x-a", "x-b", "x-c")] == [None, None, "3"]
    assert second.query == ""


def test_both_kinds_of_default_headers_are_refused_together(client: ChatClient) -> None:
    with pytest.raises(ValueError, match="not both"):
        client.copy(default_headers={"a": "1"}, set_default_headers={"b": "2"})


def test_leaving_the_context_closes_every_connection(box: Sandbox) -> None:
    with ChatClient(settings_for(box)) as client:
        hello(client)
        hello(client.with_chain("azure/chat"))
        held = pools(client)
        before = sum(len(pool.connections) for pool in held)

    assert before == 2
    assert client.is_closed()
    assert sum(len(pool.connections) for pool in held) == 0


def test_a_connection_is_used_again(client: ChatClient) -> None:
    for _ in range(3):
        hello(client)
        list(hello(client, stream=True))

    assert [len(pool.connections) for pool in pools(client)] == [1]


@pytest.mark.parametrize("read", [0, 1, 100], ids=["never read", "read once", "read whole"])
def test_a_stream_that_is_closed_gives_its_connection_back(client: ChatClient, read: int) -> None:
    for _ in range(3):
        with hello(client, stream=True) as stream:
            for _, _ in zip(range(read), stream, strict=False):
                pass

    assert sum(connection.is_available() is False for pool in pools(client) for connection in pool.connections) == 0


def test_a_stream_that_is_forgotten_leaks_nothing(client: ChatClient) -> None:
    for _ in range(3):
        next(iter(hello(client, stream=True)))
    gc.collect()

    assert sum(connection.is_available() is False for pool in pools(client) for connection in pool.connections) == 0


def test_one_client_serves_many_threads(client: ChatClient, box: Sandbox) -> None:
    said: list[bool] = []

    def call(number: int) -> None:
        message = [{"role": "user", "content": f"number {number} of many"}]
        said.extend(
            text_of(hello(client, messages=message)) == text_of(list(hello(client, messages=message, stream=True)))
            and f"number {number} " in text_of(hello(client, messages=message))
            for _ in range(3)
        )

    threads = [threading.Thread(target=call, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert said == [True] * 36


# --- time


@pytest.mark.parametrize("silent", SILENT, ids=str)
def test_no_call_outlives_its_deadline(silent: Silent, box: Sandbox) -> None:
    for role in ("litellm", "azure"):
        box.inject(role, silent.fault)
    with ChatClient(settings_for(box, deadline=DEADLINE), chain=silent.chain) as client:
        begun = time.monotonic()
        with pytest.raises(errors.CallError):
            hello(client, model="gpt-5-mini", stream=silent.stream)

        assert time.monotonic() - begun <= DEADLINE + LATE


def test_a_deadline_error_is_a_timeout_of_every_kind(box: Sandbox) -> None:
    box.inject("azure", "stall")
    with ChatClient(settings_for(box, deadline=0.1), chain="azure/chat") as client:
        for kind in (openai.APITimeoutError, TimeoutError, errors.DeadlineExceededError):
            with pytest.raises(kind):
                hello(client)


def test_a_stream_may_think_longer_than_the_deadline_once_it_speaks(box: Sandbox) -> None:
    long = [{"role": "user", "content": "a b c d e f g h i j k"}]
    box.pace = 0.03
    try:
        with ChatClient(settings_for(box, deadline=0.2), chain="azure/chat") as client:
            said = text_of(list(hello(client, messages=long, stream=True)))
    finally:
        box.pace = 0.0

    assert said.endswith("as gpt-5.")


@pytest.mark.parametrize("hint", ["retry-after-ms=120", "retry-after=0.12"])
def test_a_hint_is_waited_for_where_nothing_else_is_left(hint: str, box: Sandbox) -> None:
    box.inject("azure", f"429;{hint}", times=1)
    with ChatClient(settings_for(box), chain="azure/chat") as client:
        route = route_of(hello(client))

    assert way(route) == "azure/chat 429 -> azure/chat 200"
    assert 0.12 <= route.attempts[1].waited <= 0.2
    assert route.attempts[0].retry_after == pytest.approx(0.12)
    assert route.retry_at is None


def test_a_hint_through_the_proxy_is_read_under_its_other_name(box: Sandbox) -> None:
    box.inject("litellm", "429;retry-after=50")
    with ChatClient(settings_for(box), chain="litellm") as client, pytest.raises(openai.RateLimitError) as caught:
        hello(client)

    assert isinstance(caught.value, errors.RateLimitedError)
    assert caught.value.route.attempts[0].retry_after == 50.0
    assert caught.value.retry_at is not None


# --- strategies


def test_the_caller_s_own_wait_is_used(box: Sandbox) -> None:
    box.inject("azure", "425", times=1)
    with ChatClient(settings_for(box), chain="azure/chat", wait=wait_fixed(0.11)) as client:
        route = route_of(hello(client))

    assert route.attempts[1].waited == pytest.approx(0.11)


def test_the_caller_s_own_stop_is_used(box: Sandbox) -> None:
    box.inject("litellm", "500")
    with ChatClient(settings_for(box), stop=stop_after_attempt(1)) as client:
        for asked in (client, client.with_options(max_retries=5)):
            with pytest.raises(errors.ProviderError) as caught:
                hello(asked)

            assert way(caught.value.route) == "litellm/chat 500"


# --- streams


@pytest.mark.parametrize(("fault", "error"), INTERRUPTED)
@pytest.mark.parametrize("model", ["gpt-5", "gpt-5-codex"])
def test_a_stream_that_spoke_is_never_continued_by_another_hop(
    fault: str, error: type[errors.StreamInterrupted], model: str, box: Sandbox
) -> None:
    box.inject("litellm", fault)
    got: list[Any] = []
    with ChatClient(settings_for(box, idle_timeout=0.2)) as client, pytest.raises(error) as caught:
        got.extend(hello(client, model=model, stream=True))

    assert type(caught.value) is error
    assert caught.value.partial == text_of(got) == "You said:"
    assert box.hits("azure") == 0
    assert caught.value.route.attempts[-1].send_state == "committed"
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None
    assert pickle.loads(pickle.dumps(caught.value)).partial == "You said:"


def test_a_broken_stream_is_caught_as_the_sdk_s_connection_error(box: Sandbox) -> None:
    box.inject("azure", "rst:1")
    with ChatClient(settings_for(box), chain="azure/chat") as client, pytest.raises(openai.APIConnectionError):
        list(hello(client, stream=True))


def test_no_answer_mixes_the_words_of_two_hops(box: Sandbox) -> None:
    for fault in ("cut:0", "rst:0", "event-error:server_error", "garbage", "cut-bytes:40", "reset-after-headers"):
        box.inject("litellm", fault, times=1)
        with ChatClient(settings_for(box)) as client:
            said = text_of(list(hello(client, stream=True)))

        assert said == "You said: hello there\nAnswered by azure/responses as gpt-5."


def test_a_cut_at_every_byte_never_looks_like_success(box: Sandbox) -> None:
    with ChatClient(settings_for(box), chain="azure/chat") as client:
        whole = text_of(list(hello(client, stream=True)))
    for at in range(1, 2600, 130):
        box.inject("azure", f"cut-bytes:{at}", times=1)
        with ChatClient(settings_for(box), chain="azure/chat", max_retries=0) as client:
            try:
                said, ended = text_of(list(hello(client, stream=True))), True
            except errors.CallError as error:
                said, ended = getattr(error, "partial", ""), False

        assert said == whole if ended else whole.startswith(said)


# --- failures


def test_the_provider_s_own_body_is_on_the_error(client: ChatClient, box: Sandbox) -> None:
    box.inject("azure", "400:unsupported_parameter")
    with pytest.raises(openai.BadRequestError) as caught:
        hello(client.with_chain("azure/chat"))

    error = caught.value
    assert (error.status_code, error.code, error.param) == (400, "unsupported_parameter", "temperature")
    assert isinstance(error.body, dict)
    assert error.body["type"] == "invalid_request_error"
    assert error.response.json() == {"error": error.body}
    assert error.request_id


def test_what_the_caller_is_handling_does_not_name_the_fault(client: ChatClient, box: Sandbox) -> None:
    for outer in (socket.gaierror(-2, "x"), ssl.SSLCertVerificationError("x")):
        box.inject("litellm", "rst:1", times=1)
        try:
            raise outer
        except OSError:
            route = route_of(hello(client))

        assert way(route) == "litellm/chat reset -> azure/responses 200"


def test_an_outage_costs_hardly_more_than_the_calls(box: Sandbox) -> None:
    for role in ("litellm", "azure"):
        box.inject(role, "503")
    with ChatClient(settings_for(box, deadline=0.5)) as client:
        for _ in range(100):
            with pytest.raises(errors.OverloadedError):
                hello(client)

    assert len(box.requests) <= 120


def test_a_broken_hop_is_left_alone_probed_and_trusted_again(box: Sandbox) -> None:
    box.inject("litellm", "reset")
    with ChatClient(settings_for(box)) as client:
        breaker = client._core.domains.breaker(client._core.setup.endpoints["litellm"].origin)
        for _ in range(8):
            hello(client)
        hits = box.hits("litellm")
        opened = client.health()
        breaker.opened_until = 0.0  # as if its five seconds were over
        hello(client)
        hello(client)
        probes = box.hits("litellm") - hits
        box.clear()
        breaker.opened_until = 0.0
        first, second = route_of(hello(client)), route_of(hello(client))

    assert hits == 5
    assert "open" in {each.state for each in opened}
    assert probes == 1
    assert way(first) == way(second) == "litellm/chat 200"
    assert {row.state for row in client.health()} == {"closed"}


def test_no_key_is_in_anything_a_caller_can_print(box: Sandbox) -> None:
    key = "planted-5e1f9b"
    settings = settings_for(box, litellm_api_key=key, azure_openai_api_key=key)
    shown: list[str] = [repr(settings), str(settings), settings.model_dump_json()]
    stored: list[bytes] = []
    with ChatClient(settings) as client:
        shown += [
            repr(client),
            repr(client._core.setup.endpoints),
            repr(client.health()),
            repr(client.plan(model="gpt-5", messages=HELLO)),
        ]
        for fault in ("401", "401:no-key", "reset", "cut:1", "refuse", "redirect"):
            box.inject("litellm", fault)
            box.inject("azure", fault)
            for stream in (False, True):
                with pytest.raises(errors.ChatsheetError) as caught:
                    list(hello(client, stream=stream))
                error = caught.value
                shown += [str(error), repr(error), repr(error.route), repr(vars(error)), repr(error.response.headers)]  # type: ignore[attr-defined]
                shown += [repr(error.request.headers), repr(error.__context__), repr(error.__cause__)]  # type: ignore[attr-defined]
                stored.append(pickle.dumps(error))
            box.clear()

    assert not [text for text in shown if key in text]
    assert not [raw for raw in stored if key.encode() in raw]


# --- before anything is sent


def test_a_plan_is_made_without_any_network(client: ChatClient, box: Sandbox) -> None:
    found = client.plan(model="gpt-5-codex", messages=HELLO)

    assert [hop.name for hop in found.hops] == ["litellm/responses", "azure/responses"]
    assert [skip.hop for skip in found.skipped] == ["azure/chat"]
    assert box.requests == []


def test_a_named_server_comes_first_as_on_the_sdk_s_client(box: Sandbox) -> None:
    with ChatClient(settings_for(box), api_key=box.api_key, base_url=f"{box.openai_url}/v1") as client:
        route = route_of(hello(client))

    assert route.hop is not None
    assert route.hop.startswith("openai/")
    assert str(client.base_url).startswith(box.openai_url)


def test_a_client_without_any_endpoint_says_what_to_set() -> None:
    from chatsheet_llm import Settings

    with pytest.raises(errors.NoEndpointError) as caught:
        ChatClient(Settings(_env_file=None))

    assert "LITELLM_BASE_URL" in str(caught.value)
    assert "AZURE_OPENAI_ENDPOINT" in str(caught.value)


def test_an_http_client_of_the_caller_s_is_used(box: Sandbox) -> None:
    with httpx2.Client(headers={"X-Mine": "1"}) as http, ChatClient(settings_for(box), http_client=http) as client:
        hello(client)

    assert box.requests[-1].headers["x-mine"] == "1"


def test_messages_from_a_generator_reach_every_hop(client: ChatClient, box: Sandbox) -> None:
    box.inject("litellm", "503")
    answer = hello(client.with_chain("litellm", "azure/chat"), messages=(message for message in HELLO))

    assert "hello there" in text_of(answer)


def test_an_answer_can_be_sent_back_as_a_message(client: ChatClient) -> None:
    for model in ("gpt-5", "gpt-5-codex"):
        answer = hello(client, model=model)
        again = hello(client, model=model, messages=[*HELLO, answer.choices[0].message, *HELLO])

        assert "hello there" in text_of(again)


def test_the_route_is_kept_in_copies_and_never_serialised(client: ChatClient) -> None:
    answer = hello(client)

    assert route_of(pickle.loads(pickle.dumps(answer))) == route_of(answer)
    assert route_of(answer.model_copy(deep=True)) == route_of(answer)
    assert "chatsheet" not in answer.model_dump_json()


@pytest.mark.parametrize("value", [None, 5, "text", object()], ids=repr)
def test_what_has_no_route_says_so(value: object) -> None:
    with pytest.raises(TypeError, match="no route is known"):
        route_of(value)
