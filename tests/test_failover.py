"""Every fault of the sandbox, at one hop and at all of them: the route, the outcome and the number of sends."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from client_cases import ask, hello, settings_for, text_of, way

from chatsheet_llm import ChatClient, errors, route_of
from chatsheet_llm.sandbox import FAULTS, Sandbox, parse_fault


@dataclass(frozen=True)
class Row:
    """One fault: what the first attempt reads as, and what the call raises where every hop has the fault.

    ``stops`` is a fault that no other hop is asked about.  ``corrected`` is one that the other API of the same hop is
    asked about at once.  ``later`` is how the last attempts read in a full outage (a same-hop re-send, or the other API
    of the resource).
    """

    fault: str
    reads: str
    error: type[errors.CallError]
    stops: bool = False
    later: tuple[str, ...] = ()
    corrected: bool = False

    @property
    def first(self) -> str:
        """How the attempts at the first hop read."""
        return f"litellm/chat {self.reads}" + (f" -> litellm/responses {self.reads}" if self.corrected else "")


WHOLE: tuple[Row, ...] = (
    Row("503", "503", errors.OverloadedError),
    Row("529", "529", errors.OverloadedError),
    Row("503;retry-after=9", "503", errors.OverloadedError),
    Row("500", "500", errors.ProviderError),
    Row("502", "502", errors.ProviderError),
    Row("504", "504", errors.ProviderError),
    Row("408", "408", errors.CallError),
    Row("424", "424", errors.ProviderError),
    Row("499", "499", errors.ProviderError),
    Row("425", "425", errors.ProviderError, later=("azure/responses 425",)),
    Row("429;retry-after=9", "429", errors.RateLimitedError),
    Row("429:insufficient_quota", "429", errors.RateLimitedError),
    Row("401", "401", errors.AuthenticationError),
    Row("403", "403", errors.PermissionDeniedError),
    Row("404", "404", errors.DeploymentNotFoundError, later=("azure/chat 404",), corrected=True),
    Row("501", "501", errors.CapabilityError, later=("azure/chat 501",)),
    Row("400:OperationNotSupported", "400", errors.CapabilityError, later=("azure/chat 400",), corrected=True),
    Row("302", "redirect", errors.HopUnreachableError),
    Row("redirect", "redirect", errors.HopUnreachableError),
    Row("refuse", "connect", errors.HopConnectionError, later=("azure/responses connect",)),
    Row("reset", "reset", errors.HopConnectionError),
    Row("reset-after-headers", "reset", errors.HopConnectionError),
    Row("rst:1", "reset", errors.HopConnectionError),
    Row("cut:1", "reset", errors.HopConnectionError),
    Row("cut-bytes:17", "reset", errors.HopConnectionError),
    Row("stall", "read_timeout", errors.DeadlineExceededError),
    Row("stall:1", "read_timeout", errors.DeadlineExceededError),
    Row("slow:2", "read_timeout", errors.DeadlineExceededError),
    Row("drip:0.02", "read_timeout", errors.DeadlineExceededError),
    Row("empty", "empty", errors.InvalidAnswerError),
    Row("204", "no_content", errors.InvalidAnswerError),
    Row("html", "html", errors.InterceptedError),
    Row("garbage", "garbage", errors.InvalidAnswerError),
    Row("event-error:server_error", "500", errors.ProviderError),
    Row("400", "400", errors.BadRequestError, stops=True),
    Row("400:content_filter", "400", errors.ContentFilteredError, stops=True),
    Row("400:context_length_exceeded", "400", errors.ContextLengthError, stops=True),
    Row("400:unsupported_parameter", "400", errors.BadRequestError, stops=True),
    Row("409", "409", errors.RequestConflictError, stops=True),
    Row("413", "413", errors.RequestTooLargeError, stops=True),
    Row("422", "422", errors.UnprocessableRequestError, stops=True),
    Row("402", "402", errors.GatewayPolicyError, stops=True),
)

STREAMED: tuple[Row, ...] = (
    *(row for row in WHOLE if row.fault[:3].isdecimal() and row.fault != "204"),
    Row("204", "no_content", errors.InvalidAnswerError),
    Row("redirect", "redirect", errors.HopUnreachableError),
    Row("refuse", "connect", errors.HopConnectionError, later=("azure/responses connect",)),
    Row("reset", "reset", errors.HopConnectionError),
    Row("reset-after-headers", "reset", errors.HopConnectionError),
    Row("stall", "read_timeout", errors.DeadlineExceededError),
    Row("stall:0", "read_timeout", errors.DeadlineExceededError),
    Row("slow:2", "read_timeout", errors.DeadlineExceededError),
    Row("drip:0.02", "read_timeout", errors.DeadlineExceededError),
    Row("cut:0", "truncated", errors.InvalidAnswerError),
    Row("cut-bytes:17", "truncated", errors.InvalidAnswerError),
    Row("rst:0", "reset", errors.HopConnectionError),
    Row("empty", "truncated", errors.InvalidAnswerError),
    Row("html", "html", errors.InterceptedError),
    Row("garbage", "bad_event", errors.InvalidAnswerError),
    Row("event-error:server_error", "server_error", errors.ProviderError),
    Row("failed:server_error", "server_error", errors.ProviderError),
)

EACH = pytest.mark.parametrize(
    ("row", "stream"),
    [(row, False) for row in WHOLE] + [(row, True) for row in STREAMED],
    ids=lambda value: value.fault if isinstance(value, Row) else "stream" if value else "whole",
)


def answer(client: ChatClient, stream: bool) -> tuple[str, str]:
    """The text of the plainest call, and its route."""
    value = hello(client, stream=stream)
    route = way(route_of(value))
    return text_of(list(value) if stream else value), route


def sends(row: Row) -> int:
    """What arrives where one hop has the fault: a refused connection brings nothing."""
    return 0 if row.fault == "refuse" else 1


def test_every_fault_of_the_sandbox_is_in_the_table() -> None:
    # Its own test stands below: after a part of the text, the filter's stop is an answer.
    tried = {parse_fault(row.fault).name for row in (*WHOLE, *STREAMED)} | {"content-filter"}

    assert {row.name for row in FAULTS} <= tried


@EACH
def test_with_one_hop_at_fault_the_next_one_answers_unless_it_must_not(row: Row, stream: bool, box: Sandbox) -> None:
    box.inject("litellm", row.fault)
    with ChatClient(settings_for(box, deadline=0.3)) as client:
        if row.stops:
            with pytest.raises(row.error) as caught:
                answer(client, stream)

            assert way(caught.value.route) == f"litellm/chat {row.reads}"
            assert box.hits("azure") == 0
            return
        text, route = answer(client, stream)

    assert route == f"{row.first} -> azure/responses 200"
    assert text == "You said: hello there\nAnswered by azure/responses as gpt-5."
    assert len(box.requests) == sends(row) * (1 + row.corrected) + 1


@EACH
def test_with_every_hop_at_fault_the_call_fails_with_its_route(row: Row, stream: bool, box: Sandbox) -> None:
    for role in ("litellm", "azure"):
        box.inject(role, row.fault)
    with ChatClient(settings_for(box, deadline=0.3)) as client, pytest.raises(row.error) as caught:
        answer(client, stream)

    first = row.first.split(" -> ")
    rest = [] if row.stops else [f"azure/responses {row.reads}", *row.later]
    if row.fault.startswith("event-error") and not stream:
        rest = ["azure/responses 500"]
    assert way(caught.value.route).split(" -> ") == first + rest
    assert len(box.requests) == sends(row) * len(first + rest)
    assert len(caught.value.route.attempts) <= 4


@pytest.mark.parametrize("chain", [("azure/responses", "azure/chat"), ("azure/chat", "azure/responses")])
@pytest.mark.parametrize("fault", ["503", "500", "401", "429;retry-after=9", "reset", "html"])
def test_a_fault_of_a_resource_is_not_tried_again_through_its_other_api(
    fault: str, chain: tuple[str, ...], box: Sandbox
) -> None:
    box.inject("azure", fault)
    with ChatClient(settings_for(box, deadline=0.3), chain=chain) as client, pytest.raises(errors.CallError) as caught:
        hello(client)

    assert {attempt.hop for attempt in caught.value.route.attempts} == {chain[0]}


@pytest.mark.parametrize("fault", ["400:OperationNotSupported", "404:DeploymentNotFound", "501"])
def test_what_one_api_of_a_resource_cannot_do_the_other_may(fault: str, box: Sandbox) -> None:
    box.inject("azure/responses", fault)
    with ChatClient(settings_for(box), chain=("azure/responses", "azure/chat")) as client:
        first, second = way(route_of(hello(client))), way(route_of(hello(client)))

    assert first.endswith("-> azure/chat 200")
    # Learned: the next call does not ask again.
    assert second == "azure/chat 200"


def test_a_model_of_responses_is_never_sent_to_azure_chat(box: Sandbox) -> None:
    box.inject("litellm", "503")
    box.inject("azure/responses", "400:OperationNotSupported")
    with ChatClient(settings_for(box)) as client, pytest.raises(errors.CallError) as caught:
        hello(client, model="gpt-5-codex")

    assert way(caught.value.route) == "litellm/responses 503 -> azure/responses 400"
    assert box.hits("azure/chat") == 0


def test_an_answer_cut_by_the_filter_is_an_answer(box: Sandbox) -> None:
    for hop in ("litellm", "azure"):
        box.inject(hop, "content-filter")
    with ChatClient(settings_for(box)) as client:
        for chain in (("litellm",), ("azure/responses",), ("azure/chat",)):
            whole = hello(client.with_chain(*chain))
            chunks = list(hello(client.with_chain(*chain), stream=True))
            reasons = [choice.finish_reason for chunk in chunks for choice in chunk.choices if choice.finish_reason]

            assert whole.choices[0].finish_reason == "content_filter"
            assert reasons == ["content_filter"]
    assert len(box.requests) == 6


@pytest.mark.parametrize("code", ["content_filter", "context_length_exceeded"])
def test_a_refusal_within_a_stream_goes_to_nobody_else(code: str, box: Sandbox) -> None:
    box.inject("azure", f"event-error:{code}")
    expected = errors.ContentFilteredError if code == "content_filter" else errors.ContextLengthError
    with ChatClient(settings_for(box), chain=("azure/chat", "litellm")) as client, pytest.raises(expected):
        hello(client, stream=True)

    assert box.hits("litellm") == 0


def test_a_limit_within_a_200_is_a_limit(box: Sandbox) -> None:
    box.inject("azure", "event-error:rate_limit_exceeded", times=1)
    with ChatClient(settings_for(box), chain=("azure/responses", "litellm")) as client:
        route = route_of(ask(client, stream=True))

    assert [attempt.outcome for attempt in route.attempts] == ["rate", "ok"]
    assert route.attempts[0].send_state == "rejected"
    assert route.hop == "litellm/responses"


def test_a_filtered_prompt_that_the_proxy_wraps_is_still_a_filtered_prompt(box: Sandbox) -> None:
    for api in ("chat", "responses"):
        box.inject(f"litellm/{api}", "400:content_filter")
    with ChatClient(settings_for(box)) as client:
        for call in (hello, ask):
            with pytest.raises(errors.ContentFilteredError):
                call(client)

    assert box.hits("azure") == 0


def test_a_hop_that_answers_again_is_used_again(box: Sandbox) -> None:
    box.inject("litellm", "503", times=1)
    with ChatClient(settings_for(box)) as client:
        routes = [way(route_of(hello(client))) for _ in range(3)]

    assert routes == ["litellm/chat 503 -> azure/responses 200", "litellm/chat 200", "litellm/chat 200"]


def test_attempts_tell_what_was_known_of_each(box: Sandbox) -> None:
    box.inject("litellm", "503")
    with ChatClient(settings_for(box)) as client:
        route = route_of(hello(client))
    failed, answered = route.attempts

    assert (failed.hop, failed.endpoint, failed.mode, failed.model) == ("litellm/chat", "litellm", "chat", "gpt-5")
    assert (failed.status, failed.outcome, failed.send_state) == (503, "overload", "rejected")
    assert failed.reason
    assert failed.request_id
    assert (answered.outcome, answered.send_state, answered.status) == ("ok", "answered", 200)
    assert answered.request_id
    assert 0 <= failed.started <= failed.started + failed.seconds <= answered.started
    assert route.seconds >= answered.started + answered.seconds - 0.01
    assert route.sends == 2
